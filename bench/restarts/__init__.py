"""Two replicas of each service, what they have around them, and callers."""
