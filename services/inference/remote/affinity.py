"""What requests have to have in common to profit from one replica's prefix cache.

The key of a session is its id. A conversation without one has its opening, up to the first user message, which every
later request of it repeats; texts to complete have no such thing.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from llamastack.common.v1.message_pb2 import Message
from llamastack.inference.v1.inference_pb2 import ChatCompletionRequest
from llamastack.openai.v1.chat_message_pb2 import ChatMessage
from llamastack.openai.v1.chat_pb2 import ChatCompletionRequest as OpenAIChatCompletionRequest


def session_key(session: str) -> bytes | None:
    """Return the key of a session, None (any replica will do) for an empty name."""
    return session.encode() or None


def chat_key(request: ChatCompletionRequest) -> bytes:
    """Return the key of a conversation."""
    return session_key(request.session_id) or _opening(request.messages)


def openai_chat_key(request: OpenAIChatCompletionRequest) -> bytes:
    """Return the key of a conversation of OpenAI's API."""
    return session_key(request.prompt_cache_key or request.user) or _opening(request.messages)


def _opening(messages: Iterable[Message | ChatMessage]) -> bytes:
    """Return a digest of the messages up to the first one of the user."""
    digest = blake2b(digest_size=16)
    for message in messages:
        digest.update(message.SerializeToString(deterministic=True))
        if message.HasField("user"):
            break
    return digest.digest()
