"""The agents service: agentic systems and sessions, the tools that they call and the shields that guard them."""
