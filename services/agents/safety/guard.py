"""llama_guard: a guard model judges the last message of a conversation by the Llama Guard 3 categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from llamastack.common.v1.message_pb2 import Message
from llamastack.safety.v1.shield_pb2 import ShieldDefinition
from mesh.errors import InvalidField, OutOfRange, WrongState
from services.agents.safety.guard_task import CATEGORIES
from services.agents.safety.llama_guard import MAX_NEW_TOKENS, RETURN_MESSAGE, read_verdict, task_text
from services.agents.safety.shield import Finding

_NO_MODEL: Final = "No guard model is configured."


class Answering(Protocol):
    """Who answers for a model."""

    async def answer(self, model: str, text: str, max_tokens: int) -> str:
        """Return the model's answer to one user message, alone in its prompt."""
        ...

    async def obstacle(self, model: str) -> str | None:
        """Return why the model can't be asked now; None when it can."""
        ...


class LlamaGuard:
    """The shield; ``model`` judges where a definition names none, and empty is none."""

    description = "A guard model judges the last message by the Llama Guard 3 categories S1 to S14."

    def __init__(self, inference: Answering, model: str) -> None:
        """Keep whom to ask."""
        self._inference = inference
        self._model = model

    def check(self, definition: ShieldDefinition) -> None:
        """Refuse a definition that leaves no model or no category to judge by."""
        if not (definition.model or self._model):
            raise WrongState(_NO_MODEL)
        if set(definition.excluded_categories) >= set(CATEGORIES):
            raise InvalidField("excluded_categories", "must leave a category to judge by")

    async def obstacle(self) -> str | None:
        """Return why the default model can't judge now."""
        return await self._inference.obstacle(self._model) if self._model else _NO_MODEL

    async def judge(self, messages: Sequence[Message], definition: ShieldDefinition) -> Finding | None:
        """Return what the guard finds; an answer that is no verdict is a WrongState.

        What is judged is the last message. Of a conversation that is too long for the guard's context the older half is
        left out, again and again; a last message that is too long alone is an OutOfRange.
        """
        excluded = frozenset(definition.excluded_categories)
        spoken = [message for message in messages if not message.HasField("system")]
        answer = await self._answer(spoken, definition.model or self._model, excluded)
        verdict = read_verdict(answer, excluded)
        return None if verdict.is_safe else Finding(verdict.violation_type, RETURN_MESSAGE)

    async def _answer(self, messages: Sequence[Message], model: str, excluded: frozenset[str]) -> str:
        while True:
            try:
                return await self._inference.answer(model, task_text(messages, excluded), MAX_NEW_TOKENS)
            except OutOfRange:
                if len(messages) <= 1:
                    raise
                messages = messages[(len(messages) + 1) // 2 :]
