"""JSON that is nearly right is read as protobuf would have it or refused at a path that leads into it; nothing else."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.codec import Codec, DecodeError
from tests.contracts import MESSAGES, POOL
from tests.unit.gateway.shapes import shape
from tests.unit.gateway.strategies import samples

CODEC = Codec(POOL)
SHAPES = ["Scalars", "Optionals", "Repeateds", "Maps", "Tree", "Options", "Linked"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


def altered(value: Any, other: Any, random: Random) -> Any:
    """Return JSON with one value somewhere in it replaced, or a member added or taken away."""
    if isinstance(value, list) and value and random.random() < 0.8:
        place = random.randrange(len(value))
        return [altered(item, other, random) if index == place else item for index, item in enumerate(value)]
    if isinstance(value, dict) and random.random() < 0.9:
        if not value or random.random() < 0.1:
            return value | {"": other}
        name = random.choice(sorted(value))
        if random.random() < 0.1:
            return {key: item for key, item in value.items() if key != name}
        return value | {name: altered(value[name], other, random)}
    return other


def read_or_refused(message: Descriptor, text: bytes) -> bytes | None:
    """Return the wire bytes of JSON text, or None where it is refused with a whole sentence."""
    try:
        return CODEC.decoder(message)(text)
    except DecodeError as error:
        sentence = f"expected {error.expected}, found {error.found}"
        return None if str(error) == (f"{error.path}: {sentence}" if error.path else sentence) else b"\0"


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_nearly_right_json_is_read_or_refused_with_a_path(data: st.DataObject) -> None:
    message = data.draw(st.sampled_from([*MESSAGES, *map(shape, SHAPES)]))
    sample = data.draw(samples(message))
    value = altered(sample.json, data.draw(JSON), data.draw(st.randoms(use_true_random=False)))
    wire = read_or_refused(message, json.dumps(value).encode())
    if wire is None:
        return
    read = GetMessageClass(message).FromString(wire)
    again = CODEC.decoder(message)(CODEC.encoder(message)(read.SerializeToString()))
    assert json.loads(CODEC.encoder(message)(again)) == json.loads(CODEC.encoder(message)(wire))
