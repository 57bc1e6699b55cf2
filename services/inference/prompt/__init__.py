"""Prompt formats: conversations into the prompts of a model family, and its output back into messages."""
