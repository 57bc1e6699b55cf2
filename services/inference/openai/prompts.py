"""The texts of a request that may come as one or several, as text or as tokens."""

from __future__ import annotations

from collections.abc import Sequence

from llamastack.openai.v1.usage_pb2 import TextInput as TextInputMessage
from services.inference.engine import TextInput


def text_inputs(message: TextInputMessage) -> Sequence[TextInput]:
    """Return the texts; one empty text where the message is not set."""
    match message.WhichOneof("input"):
        case "texts":
            return list(message.texts.values)
        case "tokens":
            return [tuple(message.tokens.ids)]
        case "token_lists":
            return [tuple(tokens.ids) for tokens in message.token_lists.values]
        case _:
            return [message.text]
