"""Passages and questions with known answers, to measure retrieval by."""
