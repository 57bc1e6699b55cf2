"""The shield_call steps of a turn."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from llamastack.agents.v1.turn_pb2 import ShieldCallStep, Step, StepType
from llamastack.common.v1.message_pb2 import Message
from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.safety.v1.shield_pb2 import OnViolationAction, ShieldDefinition, ShieldResponse
from services.agents.course import Course, Violated
from services.agents.shielding import ShieldContext, ShieldRunner
from services.agents.turn import timestamp

log = logging.getLogger(__name__)

USER_INPUT: Final = "user-input"
ASSISTANT_OUTPUT: Final = "assistant-output"
TOOL_INPUT: Final = "tool-input"
TOOL_OUTPUT: Final = "tool-output"

_LET_PASS: Final = (OnViolationAction.ON_VIOLATION_ACTION_IGNORE, OnViolationAction.ON_VIOLATION_ACTION_WARN)
_SORRY: Final = "I can't answer that."


@dataclass(frozen=True, slots=True)
class Subject:
    """A conversation whose last message is judged, and the shields that judge it."""

    messages: Sequence[Message]
    shields: Sequence[ShieldDefinition]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is reported of all shields at one point; ``raises`` tells whether the turn ends with it."""

    response: ShieldResponse
    raises: bool
    began: float


class Guard:
    """Has shields judge a turn. What can't be judged ends the turn with an error."""

    def __init__(self, runner: ShieldRunner, course: Course, timeout_s: float) -> None:
        """Keep the parts; ``timeout_s`` is for all shields of one point together."""
        self._runner = runner
        self._course = course
        self._context = ShieldContext(course.turn.tenant, course.turn.session_id, timeout_s)

    async def check(self, touchpoint: str, subjects: Sequence[Subject]) -> None:
        """Make the step of a point of the turn; nothing happens if there are no shields.

        Raises:
            Violated: the turn ends here.
            MeshError: a shield could not judge.
        """
        asked = [subject for subject in subjects if subject.shields]
        if not asked or self.replayed(asked):
            return
        journal = self._course.journal
        step_id = journal.begin(StepType.STEP_TYPE_SHIELD_CALL, {"touchpoint": JsonValue(string_value=touchpoint)})
        self._record(step_id, await self.judge(asked))

    def replayed(self, subjects: Sequence[Subject]) -> bool:
        """Return whether the next step is a judgement that is written already.

        Raises:
            Violated: the turn ends with it.
        """
        step = self._course.journal.replayed(StepType.STEP_TYPE_SHIELD_CALL)
        if step is None:
            return False
        response = step.shield_call.response
        shields = [shield for subject in subjects for shield in subject.shields]
        if response.is_violation and any(
            raises(shield) for shield in shields if shield.shield_type == response.shield_type
        ):
            raise Violated(response.violation_return_message or _SORRY)
        return True

    async def judge(self, subjects: Sequence[Subject]) -> Judgement:
        """Return the judgement of shields without making a step: a violation that ends the turn comes first.

        Raises:
            MeshError: a shield could not judge.
        """
        began = self._course.clock()
        found: list[tuple[ShieldDefinition, ShieldResponse]] = []
        for subject in subjects:
            responses = await self._runner.run(subject.messages, subject.shields, self._context)
            found += zip(subject.shields, responses, strict=True)
        for shield, response in found:
            if response.is_violation and shield.on_violation_action == OnViolationAction.ON_VIOLATION_ACTION_WARN:
                log.warning("turn %s violates a shield that only warns", self._course.turn.uid)
        violations = [(shield, response) for shield, response in found if response.is_violation]
        ending = [response for shield, response in violations if raises(shield)]
        told = [*ending, *(response for _, response in violations), *(response for _, response in found)]
        return Judgement(told[0], bool(ending), began)

    def note(self, touchpoint: str, judgement: Judgement) -> None:
        """Make the step of a judgement that is there already.

        Raises:
            Violated: the turn ends here.
        """
        metadata = {"touchpoint": JsonValue(string_value=touchpoint)}
        self._record(self._course.journal.begin(StepType.STEP_TYPE_SHIELD_CALL, metadata), judgement)

    def _record(self, step_id: str, judgement: Judgement) -> None:
        course = self._course
        step = ShieldCallStep(
            turn_id=course.turn.turn_id,
            step_id=step_id,
            started_at=timestamp(judgement.began),
            completed_at=timestamp(course.clock()),
            response=judgement.response,
        )
        course.journal.record(Step(shield_call=step))
        if judgement.raises:
            raise Violated(judgement.response.violation_return_message or _SORRY)


def raises(shield: ShieldDefinition) -> bool:
    """Return whether a violation of a shield ends the turn, which is the default."""
    return shield.on_violation_action not in _LET_PASS
