"""The ``altiplano`` command; one module per noun."""
