"""Shields: what judges messages before and after a model, and the service that runs them."""
