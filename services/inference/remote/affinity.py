"""What requests have to have in common to profit from one replica's prefix cache.

The key of a session is its id. A conversation without one has its opening, up to the first user message, which every
later request of it repeats; texts to complete have no such thing.
"""

from __future__ import annotations

from hashlib import blake2b

from llamastack.inference.v1 import inference_pb2 as pb


def completion_key(request: pb.CompletionRequest) -> bytes | None:
    """Return the key of a completion, None if any replica is as good as any other."""
    return _session(request.session_id)


def chat_key(request: pb.ChatCompletionRequest) -> bytes:
    """Return the key of a conversation."""
    session = _session(request.session_id)
    if session is not None:
        return session
    opening = blake2b(digest_size=16)
    for message in request.messages:
        opening.update(message.SerializeToString(deterministic=True))
        if message.HasField("user"):
            break
    return opening.digest()


def _session(session_id: str) -> bytes | None:
    return session_id.encode() if session_id else None
