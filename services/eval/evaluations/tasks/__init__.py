"""What each kind of evaluation does with a row."""
