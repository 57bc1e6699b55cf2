"""The inference service: models behind ``llamastack.inference.v1``, ``models.v1`` and ``openai.v1``."""
