"""The shields of this deployment: finds them by their type and runs several at once over a conversation.

Fails closed: an error of one shield is the error of the whole run. What follows from a violation is not known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from llamastack.common.v1.message_pb2 import Message
from llamastack.safety.v1.shield_pb2 import BuiltinShield, ShieldDefinition, ShieldInfo, ShieldResponse, ShieldType
from mesh.errors import DeadlineExceeded, InvalidField, ResourceNotFound
from mesh.errors.tree import Violation
from services.agents.safety.shield import Finding, Shield
from services.agents.shielding import ShieldContext

MESSAGES: Final = "messages"
"""The path of the conversation; other paths of errors begin with a shield's place in the list."""

_PREFIX: Final = "BUILTIN_SHIELD_"


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A shield with the settings that it is to run with, and its place in the list."""

    shield: Shield
    definition: ShieldDefinition
    position: int

    def check(self) -> None:
        """Check the settings."""
        try:
            self.shield.check(self.definition)
        except InvalidField as error:
            raise under(f"[{self.position}].", error) from error

    async def respond(self, messages: Sequence[Message]) -> ShieldResponse:
        """Run the shield."""
        try:
            finding = await self.shield.judge(messages, self.definition)
        except InvalidField as error:
            of_messages = any(each.path.startswith(MESSAGES) for each in error.details.violations)
            raise (error if of_messages else under(f"[{self.position}].", error)) from error
        return _response(self.definition.shield_type, finding)


class Shields:
    """Runs shields, by their names in the RFC's spelling; builtin ones come first."""

    def __init__(self, shields: Mapping[str, Shield]) -> None:
        """Keep the shields."""
        self._shields = dict(shields)

    async def check(self, shields: Sequence[ShieldDefinition]) -> None:
        """Return if all of these shields can run here with their settings.

        Raises:
            ResourceNotFound: there is no such shield.
            WrongState: this deployment can't run one.
            InvalidField: a setting is missing or bad; the path is relative to the list, as in ``[2].threshold``.
        """
        self._chosen(shields)

    async def run(
        self, messages: Sequence[Message], shields: Sequence[ShieldDefinition], context: ShieldContext
    ) -> list[ShieldResponse]:
        """Run the shields in parallel over a conversation, oldest message first; return one response each, in order.

        Raises:
            MeshError: a shield could not judge, see :meth:`check`; DeadlineExceeded after the context's time. The path
                of an InvalidField is relative to the list of shields, or begins with ``messages``.
        """
        chosen = self._chosen(shields)
        tasks = [asyncio.ensure_future(each.respond(messages)) for each in chosen]
        try:
            async with asyncio.timeout(context.timeout_s):
                return list(await asyncio.gather(*tasks))
        except TimeoutError as error:
            raise DeadlineExceeded(f"the shields took more than {context.timeout_s:g} s") from error
        finally:
            for task in tasks:
                task.cancel()
            # a shield that was cut short ends what it started before its caller goes on
            await asyncio.gather(*tasks, return_exceptions=True)

    async def infos(self) -> list[ShieldInfo]:
        """Return what each shield is and whether it can run."""
        obstacles = await asyncio.gather(*(shield.obstacle() for shield in self._shields.values()))
        return [
            ShieldInfo(
                shield_type=_type(name),
                description=shield.description,
                available=obstacle is None,
                unavailable_reason=obstacle,
            )
            for (name, shield), obstacle in zip(self._shields.items(), obstacles, strict=True)
        ]

    def _chosen(self, definitions: Sequence[ShieldDefinition]) -> list[_Chosen]:
        chosen = []
        for position, definition in enumerate(definitions):
            name = name_of(definition.shield_type)
            shield = self._shields.get(name)
            if shield is None:
                raise ResourceNotFound("shield", name)
            chosen.append(_Chosen(shield, definition, position))
            chosen[-1].check()
        return chosen


def name_of(shield_type: ShieldType) -> str:
    """Return the name of a shield as the RFC spells it."""
    if shield_type.WhichOneof("type") == "custom":
        return shield_type.custom
    return BuiltinShield.Name(shield_type.builtin).removeprefix(_PREFIX).lower()


def under(prefix: str, error: InvalidField) -> InvalidField:
    """Return the error with its paths behind a prefix."""
    return InvalidField.of([Violation(f"{prefix}{each.path}", each.description) for each in error.details.violations])


def _type(name: str) -> ShieldType:
    builtin = f"{_PREFIX}{name.upper()}"
    if builtin in BuiltinShield.keys():  # noqa: SIM118 - the enum's wrapper is no mapping
        return ShieldType(builtin=BuiltinShield.Value(builtin))
    return ShieldType(custom=name)


def _response(shield_type: ShieldType, finding: Finding | None) -> ShieldResponse:
    if finding is None:
        return ShieldResponse(shield_type=shield_type, is_violation=False)
    return ShieldResponse(
        shield_type=shield_type,
        is_violation=True,
        violation_type=finding.violation_type,
        violation_return_message=finding.return_message,
    )
