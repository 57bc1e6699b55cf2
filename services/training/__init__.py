"""The training service: datasets, post-training as Ray jobs, and synthetic data."""
