"""What holds for every contract: access, comments, JSON options, paths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.codec.plan import FieldPlan, MessagePlan, enum_plan_of, plan_of
from gateway.contract import Contract, Rpc
from llamastack.json.v1 import json_pb2
from tests.contracts import DESCRIPTORS, FILES, MESSAGES

OURS = [file for file in FILES if file.package.startswith("llamastack.")]
CONTRACT = Contract(DESCRIPTORS.read_bytes())
RPCS = list(CONTRACT.rpcs.values())
PLANS = [plan_of(message) for message in MESSAGES]
FIELDS = [(plan, field) for plan in PLANS for field in plan.fields]

# Variants that are written as an earlier one is and so are never read from JSON, as their comments say.
WRITTEN_ONLY = {"llamastack.memory.v1.DocumentContent.data"}

every_message = pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.full_name)
every_rpc = pytest.mark.parametrize("rpc", RPCS, ids=lambda rpc: rpc.path)


@every_rpc
def test_every_rpc_says_what_its_caller_has_to_be_allowed_to_do(rpc: Rpc) -> None:
    assert rpc.action in {"read", "use", "write", "admin"}


def test_a_path_belongs_to_one_rpc() -> None:
    paths = Counter((rule.verb, rule.template) for rpc in RPCS for rule in rpc.rules)
    assert [path for path, count in paths.items() if count > 1] == []


@every_rpc
def test_an_rpc_is_reached_over_rest_unless_it_is_a_twin_or_takes_a_stream(rpc: Rpc) -> None:
    twins = {f"/{other.service}/{other.json.stream_method}" for other in RPCS}
    assert bool(rpc.rules) != (rpc.path in twins or rpc.client_streams)


@every_rpc
def test_a_read_without_a_body_leaves_no_trace(rpc: Rpc) -> None:
    if any(rule.verb == "GET" for rule in rpc.rules) and rpc.action == "read":
        assert rpc.safe


@every_rpc
def test_the_options_of_a_method_name_fields_that_exist_and_fit(rpc: Rpc) -> None:
    for path, message in ((rpc.json.event_id_field, _streamed(rpc)), (rpc.json.last_event_id_field, rpc.input)):
        if path:
            assert field_at(message, path).cpp_type in (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_INT32)
    for rule in rpc.rules:
        lines = rpc.json.format == json_pb2.MethodJson.FORMAT_JSON_LINES
        if lines and rule.response_body and not rpc.streams:
            assert rpc.output.fields_by_name[rule.response_body] is not None


def _streamed(rpc: Rpc) -> Descriptor:
    """Return the message type that the RPC or its twin streams."""
    twin = CONTRACT.twin(rpc)
    return twin.output if twin else rpc.output


def field_at(message: Descriptor, path: str) -> FieldDescriptor:
    """Return the field at a path in dots."""
    *steps, last = path.split(".")
    for step in steps:
        inner = message.fields_by_name[step].message_type
        assert inner is not None
        message = inner
    return message.fields_by_name[last]


def uncommented(file: descriptor_pb2.FileDescriptorProto) -> Iterator[str]:
    """Yield the names of what has no comment before it in a file."""
    commented = {tuple(place.path) for place in file.source_code_info.location if place.leading_comments.strip()}

    def missing(path: tuple[int, ...], name: str) -> Iterator[str]:
        if path not in commented:
            yield f"{file.package}.{name}"

    def in_enum(path: tuple[int, ...], enum: descriptor_pb2.EnumDescriptorProto, name: str) -> Iterator[str]:
        yield from missing(path, name)
        for index, value in enumerate(enum.value):
            yield from missing((*path, 2, index), f"{name}.{value.name}")

    def in_message(path: tuple[int, ...], message: descriptor_pb2.DescriptorProto, name: str) -> Iterator[str]:
        if message.options.map_entry:
            return
        yield from missing(path, name)
        for index, field in enumerate(message.field):
            yield from missing((*path, 2, index), f"{name}.{field.name}")
        for index, oneof in enumerate(message.oneof_decl):
            if not oneof.name.startswith("_"):
                yield from missing((*path, 8, index), f"{name}.{oneof.name}")
        for index, nested in enumerate(message.nested_type):
            yield from in_message((*path, 3, index), nested, f"{name}.{nested.name}")
        for index, enum in enumerate(message.enum_type):
            yield from in_enum((*path, 4, index), enum, f"{name}.{enum.name}")

    for index, message in enumerate(file.message_type):
        yield from in_message((4, index), message, message.name)
    for index, enum in enumerate(file.enum_type):
        yield from in_enum((5, index), enum, enum.name)
    for index, service in enumerate(file.service):
        yield from missing((6, index), service.name)
        for place, method in enumerate(service.method):
            yield from missing((6, index, 2, place), f"{service.name}.{method.name}")
    for index, extension in enumerate(file.extension):
        yield from missing((7, index), extension.name)


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.name)
def test_everything_in_a_contract_is_commented(file: descriptor_pb2.FileDescriptorProto) -> None:
    assert list(uncommented(file)) == []


@every_message
def test_the_json_options_of_a_message_agree_with_its_shape(message: Descriptor) -> None:
    assert plan_of(message).name == message.full_name


def test_every_enum_has_a_spelling_of_its_own_for_each_value() -> None:
    for enum in {field.enum.full_name: field.enum for _, field in FIELDS if field.descriptor.enum_type}.values():
        plan = enum_plan_of(enum)
        assert len(set(plan.spellings.values())) == len(plan.spellings)
        assert all(plan.spellings.values())


def test_what_is_required_is_also_written() -> None:
    assert [field.descriptor.full_name for _, field in FIELDS if field.required and field.omit_empty] == []


def test_aliases_are_written_as_well_only_where_there_are_some() -> None:
    assert [field.descriptor.full_name for _, field in FIELDS if field.emit_aliases and not field.aliases] == []


def test_nothing_inline_is_optional_in_itself() -> None:
    assert [plan.name for plan in PLANS if plan.inline and not plan.union and plan.fields[0].presence] == []


@pytest.mark.parametrize("plan", [plan for plan in PLANS if plan.union], ids=lambda plan: plan.name)
def test_the_variants_of_a_union_can_be_told_apart(plan: MessagePlan) -> None:
    taken: dict[str, FieldPlan] = {}
    clashes = []
    for field in plan.fields:
        for kind in kinds(field):
            first = taken.setdefault(kind, field)
            if first is not field and not (kind == "object" and tellable(first, field)):
                clashes.append(field.descriptor.full_name)
    assert [clash for clash in clashes if clash not in WRITTEN_ONLY] == []


def kinds(field: FieldPlan, within: frozenset[str] = frozenset()) -> set[str]:
    """Return the kinds of JSON that a variant is written as; of an array they are told by its items."""
    if field.is_map:
        return {"object"}
    if field.repeated:
        return {f"array of {kind}" for kind in single_kinds(field, within)}
    return single_kinds(field, within)


def single_kinds(field: FieldPlan, within: frozenset[str]) -> set[str]:
    """Return the kinds of JSON of one value of a field; a type within itself adds none of its own."""
    if field.message is not None:
        plan = plan_of(field.message)
        if plan.name in within:
            return {"anything"}
        if plan.inline:
            return {kind for inner in plan.fields for kind in kinds(inner, within | {plan.name})}
        return {"string"} if plan.name in ("google.protobuf.Timestamp", "google.protobuf.Duration") else {"object"}
    descriptor = field.descriptor
    if descriptor.enum_type is not None:
        null = descriptor.enum_type.full_name == "google.protobuf.NullValue"
        return {"null"} if null else {f"enum {descriptor.enum_type.full_name}"}
    names = {
        FieldDescriptor.CPPTYPE_BOOL: "boolean",
        FieldDescriptor.CPPTYPE_STRING: "large integer" if field.digits else "string",
        FieldDescriptor.CPPTYPE_DOUBLE: "number",
        FieldDescriptor.CPPTYPE_FLOAT: "number",
    }
    return {names.get(descriptor.cpp_type, "integer")}


def tellable(first: FieldPlan, second: FieldPlan) -> bool:
    """Return whether a constant or a required member that the first does not know tells the second from it."""
    if first.message is None or second.message is None or first.is_map:
        return False
    one, other = plan_of(first.message), plan_of(second.message)
    if one.constant and other.constant:
        return one.constant[0] == other.constant[0] and one.constant[1] != other.constant[1]
    known = {name for field in one.fields for name in field.names}
    return any(field.required and not known.intersection(field.names) for field in other.fields)
