"""Names for files that people and models can read, say and copy: syllables instead of hexadecimal digits.

Format: proquints (Wilkerson 2009, arXiv:0901.4016): each 16 bits are five letters, consonants and vowels in turn.
"""

from __future__ import annotations

from typing import Final

_CONSONANTS: Final = "bdfghjklmnprstvz"
_VOWELS: Final = "aiou"


def pronounceable(data: bytes) -> str:
    """Return bytes, an even number of them, as words of five letters with hyphens between; other bytes, other words."""
    return "-".join(_word(int.from_bytes(data[place : place + 2])) for place in range(0, len(data), 2))


def _word(number: int) -> str:
    """Return 16 bits as a word."""
    vowels = _VOWELS[number >> 10 & 3], _VOWELS[number >> 4 & 3]
    return f"{_CONSONANTS[number >> 12]}{vowels[0]}{_CONSONANTS[number >> 6 & 15]}{vowels[1]}{_CONSONANTS[number & 15]}"
