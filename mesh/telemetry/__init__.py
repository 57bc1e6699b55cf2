"""Traces, metrics and logs. They observe; domain code never calls them, and nothing depends on what they see."""
