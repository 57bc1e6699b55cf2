"""Synthetic data: answers sampled from a model, scored, filtered and kept."""
