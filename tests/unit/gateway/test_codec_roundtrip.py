"""Every message type of the contracts goes through JSON and back unchanged."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.codec import Codec, CodecSettings
from tests.contracts import MESSAGES, POOL
from tests.unit.gateway.shapes import shape
from tests.unit.gateway.strategies import Sample, samples

CODEC = Codec(POOL)
FRUGAL = Codec(
    POOL,
    CodecSettings(
        always_print_primitive_fields=False,
        always_print_enums_as_ints=True,
        preserve_proto_field_names=False,
        emit_wrapped=True,
    ),
)

BUDGET = settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
SHAPES = [
    "Scalars",
    "Optionals",
    "Repeateds",
    "Maps",
    "Tree",
    "Options",
    "Figure",
    "Amount",
    "Prompt",
    "Measure",
    "Linked",
]
every_message = pytest.mark.parametrize(
    "message", [*MESSAGES, *map(shape, SHAPES)], ids=lambda message: message.full_name
)


def canonical(message: Descriptor, wire: bytes) -> bytes:
    """Return the same message in the bytes that protobuf itself would write."""
    return message_factory.GetMessageClass(message).FromString(wire).SerializeToString(deterministic=True)


def text(value: object) -> str:
    """Return JSON in which integers differ from floats and order does not matter."""
    return json.dumps(value, sort_keys=True)


@every_message
def test_a_message_is_the_json_that_its_contract_says_and_back_however_it_is_laid_out(message: Descriptor) -> None:
    encode, decode, encode_otherwise = CODEC.encoder(message), CODEC.decoder(message), FRUGAL.encoder(message)

    @BUDGET
    @given(samples(message), st.randoms(use_true_random=False))
    def check(sample: Sample, random: Random) -> None:
        wire = sample.value.SerializeToString(deterministic=True)
        written = encode(wire)
        assert text(json.loads(written)) == text(sample.json)
        shuffled = json.dumps(_shuffled(sample.json, random), indent=1).encode()
        for layout in (written, shuffled, encode_otherwise(wire)):
            assert canonical(message, decode(layout)) == wire

    check()


def _shuffled(value: Any, random: Random) -> Any:
    """Return JSON with the members of each object in another order."""
    if isinstance(value, dict):
        names = list(value)
        random.shuffle(names)
        return {name: _shuffled(value[name], random) for name in names}
    return [_shuffled(item, random) for item in value] if isinstance(value, list) else value
