"""The JSON of packed 32-bit floats: embeddings, the one kind of answer with thousands of numbers.

Python takes about a microsecond for the shortest numeral of a float and numpy with orjson a fortieth of that, so numpy
is used where it is installed; without it the same values are written one by one.
"""

from __future__ import annotations

from struct import Struct

import orjson

from gateway.codec.errors import EncodeError
from gateway.codec.scalar import single_value

try:
    import numpy
except ImportError:
    numpy = None  # type: ignore[assignment]  # an installation without it is slower and no less correct

_FLOAT = Struct("<f")


def floats_value(packed: bytes) -> object:
    """Return the JSON value of little-endian floats for orjson: a Fragment of an array, a list, or () for none.

    Raises:
        EncodeError: the last float is cut off.
    """
    if len(packed) % _FLOAT.size:
        raise EncodeError("a packed value that runs past the end of its field")
    if not packed:
        return ()
    if numpy is not None:
        numbers = numpy.frombuffer(packed, "<f4")
        # a number that JSON lacks would be written as null
        if numpy.isfinite(numbers).all():
            return orjson.Fragment(orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY))
    return [single_value(number) for (number,) in _FLOAT.iter_unpack(packed)]
