"""How JSON is written and read where the contracts leave a choice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CodecSettings:
    """The choices of a codec; the first three are print options of Envoy's gRPC-JSON transcoder.

    Attributes:
        always_print_primitive_fields: write fields without presence also where they hold their default value, as the
            RFC's JSON does; required fields are always written.
        always_print_enums_as_ints: write an enum's number instead of its spelling.
        preserve_proto_field_names: name members as the contracts do (`stop_reason`), else in camelCase.
        emit_wrapped: write wrappable values as objects, `{"uri": "…"}` instead of `"…"`.
        ignore_unknown_fields: skip members that the message does not have instead of refusing them.
    """

    always_print_primitive_fields: bool = True
    always_print_enums_as_ints: bool = False
    preserve_proto_field_names: bool = True
    emit_wrapped: bool = False
    ignore_unknown_fields: bool = False
