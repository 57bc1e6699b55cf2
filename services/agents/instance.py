"""What an agentic system is made of, as one turn has it: the system's configuration with the turn's override."""

from __future__ import annotations

from google.protobuf.message import Message

from llamastack.agents.v1.config_pb2 import AgenticSystemInstanceConfig

DEFAULT_MAX_INFER_ITERS = 10


def effective(
    config: AgenticSystemInstanceConfig, override: AgenticSystemInstanceConfig
) -> AgenticSystemInstanceConfig:
    """Return the configuration with each member that the override has in the place of its own, lists as a whole."""
    made = AgenticSystemInstanceConfig()
    made.CopyFrom(config)
    for field, value in override.ListFields():
        made.ClearField(field.name)  # type: ignore[arg-type]  # literals elsewhere
        if isinstance(value, Message):
            getattr(made, field.name).CopyFrom(value)
        else:
            setattr(made, field.name, value)
    return made
