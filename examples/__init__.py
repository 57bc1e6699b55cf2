"""Programs that show the mesh at work; each runs by ``python -m examples.NAME``."""
