"""Every message type of the contracts goes through JSON and back unchanged."""

from __future__ import annotations

import json

import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.codec import Codec, CodecSettings
from tests.unit.gateway.contracts import MESSAGES, POOL
from tests.unit.gateway.strategies import samples

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

BUDGET = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
every_message = pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.full_name)


def canonical(message: Descriptor, wire: bytes) -> bytes:
    """Return the same message in the bytes that protobuf itself would write."""
    return message_factory.GetMessageClass(message).FromString(wire).SerializeToString(deterministic=True)


def text(value: object) -> str:
    """Return JSON in which integers differ from floats and order does not matter."""
    return json.dumps(value, sort_keys=True)


@every_message
def test_a_message_is_the_json_that_its_contract_says_and_back(message: Descriptor) -> None:
    encode, decode = CODEC.encoder(message), CODEC.decoder(message)

    @BUDGET
    @given(samples(message))
    def check(sample) -> None:  # type: ignore[no-untyped-def]
        wire = sample.value.SerializeToString(deterministic=True)
        written = encode(wire)
        assert text(json.loads(written)) == text(sample.json)
        assert canonical(message, decode(written)) == wire

    check()


@every_message
def test_any_other_layout_of_the_json_is_the_same_message(message: Descriptor) -> None:
    encode, decode = FRUGAL.encoder(message), CODEC.decoder(message)

    @BUDGET
    @given(samples(message), st.randoms(use_true_random=False))
    def check(sample, random) -> None:  # type: ignore[no-untyped-def]
        wire = sample.value.SerializeToString(deterministic=True)
        assert canonical(message, decode(encode(wire))) == wire
        shuffled = json.dumps(_shuffled(sample.json, random), indent=1).encode()
        assert canonical(message, decode(shuffled)) == wire

    check()


def _shuffled(value, random):  # type: ignore[no-untyped-def]
    """Return JSON with the members of each object in another order."""
    if isinstance(value, dict):
        names = list(value)
        random.shuffle(names)
        return {name: _shuffled(value[name], random) for name in names}
    return [_shuffled(item, random) for item in value] if isinstance(value, list) else value
