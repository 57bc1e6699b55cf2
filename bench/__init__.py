"""Benchmarks; each prints its figures beside those of a peer from the same run, as ratios."""
