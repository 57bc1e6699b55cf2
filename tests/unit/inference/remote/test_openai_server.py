"""How server-sent events are read, and who is shown the key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.errors import BackendUnavailable
from services.inference.remote import openai_server
from services.inference.remote.key import Key
from services.inference.remote.openai_server import event_data

STREAM = (
    ': hello\r\n\r\nevent: x\r\ndata: {"a": "\u2028 \x85"}\r\n\r\n'
    'data:{"b":\ndata: 1}\n\nid: 7\n\n: ping\n\ndata: [DONE]\n\n'
).encode()
DATA = ['{"a": "\u2028 \x85"}'.encode(), b'{"b":\n1}', b"[DONE]"]


async def pieces(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@given(st.lists(st.integers(0, len(STREAM)), max_size=12).map(sorted))
async def test_events_are_the_same_however_the_bytes_are_cut(cuts: list[int]) -> None:
    edges = [0, *cuts, len(STREAM)]
    parts = [STREAM[begin:end] for begin, end in pairwise(edges)]
    assert [data async for data in event_data(pieces(parts))] == DATA


async def test_an_event_without_end_is_not_kept_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_server, "EVENT_BYTES", 10)
    with pytest.raises(BackendUnavailable):
        _ = [data async for data in event_data(pieces([b"data: 123456", b"7890"]))]


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://api.openai.com/v1", True),
        ("http://api.openai.com/v1", False),
        ("https://api.openai.com.example.org/v1", False),
        ("https://example.org/api.openai.com", False),
        ("http://localhost:8000/v1", True),
    ],
)
def test_the_key_is_shown_to_its_hosts_where_nobody_can_listen(address: str, shown: bool) -> None:
    key = Key("secret", ("api.openai.com", "localhost"))
    assert key.headers(address) == ({"authorization": "Bearer secret"} if shown else {})
    assert "secret" not in repr(key)
