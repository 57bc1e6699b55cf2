"""The agents service: agentic systems, safety and tools."""
