"""OpenAI's API over the same engines as the RFC's."""
