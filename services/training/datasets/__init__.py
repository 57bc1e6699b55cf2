"""Datasets: reading rows from anywhere, checking them, and keeping them as revisions."""
