"""Names out of bytes that can be spoken."""

from __future__ import annotations

import pytest

from services.agents.naming import pronounceable


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (bytes([127, 0, 0, 1]), "lusab-babad"),
        (bytes([63, 84, 220, 193]), "gutih-tugad"),
        (bytes([255, 255]), "zuzuz"),
        (b"", ""),
    ],
)
def test_bytes_are_named_as_the_format_says(data: bytes, words: str) -> None:
    assert pronounceable(data) == words
