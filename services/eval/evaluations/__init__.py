"""Evaluation jobs: samples scored one by one and exactly once, what they amount to, and reports about it."""
