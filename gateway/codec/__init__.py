"""JSON to protobuf wire bytes and back, compiled per message type from descriptors and their JSON options."""

from gateway.codec.codec import Codec
from gateway.codec.document import parse
from gateway.codec.errors import CodecError, DecodeError, EncodeError, PlanError
from gateway.codec.settings import CodecSettings

__all__ = ["Codec", "CodecError", "CodecSettings", "DecodeError", "EncodeError", "PlanError", "parse"]
