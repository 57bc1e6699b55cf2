"""Compresses whole responses where the client asks for it. Streams never pass through here."""

from __future__ import annotations

import asyncio
import zlib
from functools import lru_cache

import brotli

_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_GZIP_LEVEL = 5
_BROTLI_QUALITY = 4
_IN_THREAD = 64 * 1024

SMALLEST = 1024


@lru_cache(maxsize=1024)
def coding_for(accept_encoding: bytes) -> bytes | None:
    """Return ``br`` or ``gzip``, whichever the Accept-Encoding header prefers, br at a tie; None for neither."""
    weights: dict[str, float] = {}
    for entry in accept_encoding.decode("latin-1").lower().split(","):
        name, _, parameter = entry.partition(";")
        weights[name.strip()] = _weight(parameter)
    others = weights.get("*", 0.0)
    br, gzip = weights.get("br", others), weights.get("gzip", others)
    if max(br, gzip) <= 0:
        return None
    return b"br" if br >= gzip else b"gzip"


async def compressed(body: bytes, coding: bytes) -> bytes:
    """Return the body in a coding of ``coding_for``; large ones are compressed beside the event loop."""
    pack = _brotli if coding == b"br" else _gzip
    return pack(body) if len(body) < _IN_THREAD else await asyncio.to_thread(pack, body)


def _weight(parameter: str) -> float:
    name, _, value = parameter.replace(" ", "").partition("=")
    if name != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    return packer.compress(body) + packer.flush()


def _brotli(body: bytes) -> bytes:
    packed: bytes = brotli.compress(body, mode=brotli.MODE_TEXT, quality=_BROTLI_QUALITY)
    return packed
