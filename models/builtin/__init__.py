"""The built-in model: its dialogs, training, evaluation and weights. `README.md` is its card."""
