"""JSON Schemas of messages in the RFC's JSON, as the options of ``llamastack/json/v1/json.proto`` describe it.

Knows nothing about paths and operations. What the gateway tolerates on top (camelCase names, integers in strings, a
missing constant where nothing depends on it) is left out: a schema shows one way, not every way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from buf.validate import validate_pb2
from gateway.codec.plan import FieldPlan, MessagePlan, enum_plan_of, plan_of
from gateway.openapi.bounds import Rules, bounded, excluded, rules_of
from gateway.openapi.comments import Comments
from gateway.openapi.fields import (
    constant_of,
    filled,
    is_always_there,
    is_needed,
    is_nullable,
    member_names,
    spellings_of,
)
from gateway.openapi.schema import Schema, View, any_of, described, nullable, reference

BASE64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
# the formats that OpenAPI knows; the bounds are what the type can hold
SCALARS: Mapping[int, Schema] = {
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64", "pattern": BASE64},
    FieldDescriptor.TYPE_FLOAT: {"type": "number", "format": "float"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32", "minimum": -(2**31), "maximum": 2**31 - 1},
    FieldDescriptor.TYPE_INT64: {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1},
    FieldDescriptor.TYPE_UINT32: {"type": "integer", "format": "uint32", "minimum": 0, "maximum": 2**32 - 1},
    FieldDescriptor.TYPE_UINT64: {"type": "integer", "format": "uint64", "minimum": 0, "maximum": 2**64 - 1},
}
FREE_JSON: Mapping[str, Schema] = {
    "llamastack.common.v1.JsonValue": {},
    "llamastack.common.v1.JsonArray": {"type": "array"},
    "llamastack.common.v1.JsonObject": {"type": "object"},
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"},
}


class Messages:
    """The schemas of messages, collected as components while they are asked for.

    A component is called "<full name>:<view>" until `gateway.openapi.components` gives it its final name.

    Args:
        comments: what becomes the descriptions.
        wrap_urls: whether the gateway writes wrappable values in their object form.
    """

    def __init__(self, comments: Comments, *, wrap_urls: bool = False) -> None:
        self._comments = comments
        self._wrap_urls = wrap_urls
        self.components: dict[str, Schema] = {}

    def message(self, message: Descriptor, view: View, extra: Mapping[str, Schema] | None = None) -> Schema:
        """Return a reference to the schema of a message, or the schema itself where a name would add nothing.

        Args:
            extra: optional members that the message's JSON form has besides its fields. The same for all callers of one
                message and view.
        """
        if message.full_name in FREE_JSON:
            return dict(FREE_JSON[message.full_name])
        name = f"{message.full_name}:{view.value}"
        if name not in self.components:
            self.components[name] = {}  # a message can contain itself
            plan = plan_of(message)
            schema = self._inline(plan, view) if plan.inline else self.object(message, view, extra=extra)
            self.components[name] = described(schema, self._comments.of(message))
        return reference(name)

    def object(
        self,
        message: Descriptor,
        view: View,
        without: Iterable[str] = (),
        extra: Mapping[str, Schema] | None = None,
    ) -> Schema:
        """Return the schema of the object form of a message, without some of its fields and with some extra members."""
        plan, left_out = plan_of(message), set(without)
        properties: dict[str, Schema] = {}
        required: list[str] = []
        constraints: list[Schema] = []
        if plan.constant is not None:
            name, value = plan.constant
            properties[name] = {"type": "string", "const": value}
            required.append(name)
        for field in plan.fields:
            if field.name in left_out:
                continue
            names = member_names(field, view)
            properties |= dict.fromkeys(names, self.member(field, view))
            if len(names) > 1 and view is View.REQUEST:
                constraints.append(_one_of(names) if is_needed(field) else _at_most_one(names))
            elif is_always_there(field, view):
                required += names
        if view is View.REQUEST:
            constraints += _oneof_constraints(plan, left_out)
        schema: Schema = {"type": "object", "additionalProperties": False, "properties": properties | dict(extra or {})}
        if required:
            schema["required"] = required
        return schema | _all_of(constraints)

    def member(self, field: FieldPlan, view: View) -> Schema:
        """Return the schema of a field as a member of an object: its value, perhaps null, with its comment."""
        schema = self.value(field, view)
        if is_nullable(field, view):
            schema = nullable(schema)
        if field.descriptor.GetOptions().deprecated:
            schema = schema | {"deprecated": True}
        return described(schema, self._comments.of(field.descriptor))

    def value(self, field: FieldPlan, view: View) -> Schema:
        """Return the schema of a field's value: a list, a map or a single one, within its bounds when it is read."""
        rules = rules_of(field.descriptor)
        if view is View.RESPONSE:
            rules = Rules()
        if field.is_map:
            assert field.message is not None
            _, value = plan_of(field.message).fields
            item = bounded(self._single(value, view), rules.map.values)
            schema: Schema = {"type": "object", "additionalProperties": item}
        elif field.repeated:
            item = bounded(self._single(field, view, excluded(rules.repeated.items)), rules.repeated.items)
            schema = {"type": "array", "items": item}
        else:
            schema = self._single(field, view, excluded(rules))
        return bounded(schema, rules) | (filled(field) if view is View.REQUEST else {})

    def _single(self, field: FieldPlan, view: View, without: frozenset[int] = frozenset()) -> Schema:
        """Return the schema of one value of a field, whatever its cardinality."""
        if field.message is not None:
            return self.message(field.message, view)
        if field.descriptor.enum_type is not None:
            return self._enum(field.descriptor.enum_type, without)
        if field.digits:
            return {"type": "integer"}
        schema = dict(SCALARS[field.descriptor.type])
        if view is View.RESPONSE:
            return {key: value for key, value in schema.items() if key not in ("minimum", "maximum", "pattern")}
        return schema

    def _enum(self, enum: EnumDescriptor, without: frozenset[int]) -> Schema:
        """Return a reference to an enum, or its schema where some more values than UNSPECIFIED are not allowed."""
        if enum.full_name == "google.protobuf.NullValue":
            return {"type": "null"}
        spellings = spellings_of(enum_plan_of(enum))
        if without - {0}:
            return {"enum": [spelling for number, spelling in spellings.items() if number not in without]}
        name = f"{enum.full_name}:enum"
        if name not in self.components:
            comments = [
                f"- `{spellings[value.number]}`: {self._comments.of_value(value)}"
                for value in enum.values
                if value.number in spellings
            ]
            kind = "integer" if all(isinstance(value, int) for value in spellings.values()) else "string"
            text = "\n\n".join([self._comments.of(enum), "\n".join(comments)])
            self.components[name] = described({"type": kind, "enum": list(spellings.values())}, text)
        return reference(name)

    def _inline(self, plan: MessagePlan, view: View) -> Schema:
        """Return the schema of a message whose JSON form is the value of its one field or of its one oneof."""
        if plan.union:
            return self._union(plan, view)
        (field,) = plan.fields
        value = self.value(field, view)
        wrapped: Schema = {
            "type": "object",
            "additionalProperties": False,
            "properties": {field.name: value},
            "required": [field.name],
        }
        is_object = field.is_map or (field.message is not None and not field.repeated)
        if view is View.REQUEST and not is_object:
            return any_of([value, wrapped])
        return wrapped if plan.wrappable and self._wrap_urls else value

    def _union(self, plan: MessagePlan, view: View) -> Schema:
        """Return the schema of a message whose JSON form is the value of its oneof."""
        variants = [self._variant(field, view) for field in plan.fields]
        schema = any_of(variants)
        constants = [constant_of(field) for field in plan.fields]
        named = [constant for constant in constants if constant is not None]
        if len(named) == len(variants) and len({name for name, _ in named}) == 1:
            targets = [variant["$ref"] for variant in variants]
            mapping = {value: target for (_, value), target in zip(named, targets, strict=True)}
            schema["discriminator"] = {"propertyName": named[0][0], "mapping": mapping}
        return schema

    def _variant(self, field: FieldPlan, view: View) -> Schema:
        """Return the schema of a variant of a union, in which single values have no object form."""
        inner = plan_of(field.message) if field.message is not None and not field.repeated else None
        if view is View.REQUEST and inner is not None and inner.inline and not inner.union:
            return self.value(inner.fields[0], view)
        return self.value(field, view)


def _oneof_constraints(plan: MessagePlan, left_out: set[str]) -> Iterator[Schema]:
    """Yield the constraints that the oneofs of a message put on its members."""
    for fields in plan.oneofs:
        names = [field.name for field in fields if field.name not in left_out]
        if len(names) < 2:
            continue
        oneof = fields[0].descriptor.containing_oneof
        assert oneof is not None
        required = oneof.GetOptions().Extensions[validate_pb2.oneof].required
        yield _one_of(names) if required else _at_most_one(names)


def _one_of(names: list[str]) -> Schema:
    return {"oneOf": [{"required": [name]} for name in names]}


def _at_most_one(names: list[str]) -> Schema:
    return {"not": any_of({"required": list(pair)} for pair in combinations(names, 2))}


def _all_of(constraints: list[Schema]) -> Schema:
    """Return several constraints as keywords of one schema."""
    return constraints[0] if len(constraints) == 1 else {"allOf": constraints} if constraints else {}
