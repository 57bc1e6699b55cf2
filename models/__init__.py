"""Models that the project brings along."""
