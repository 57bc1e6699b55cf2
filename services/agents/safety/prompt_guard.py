"""injection_shield and jailbreak_shield: a classifier of the Prompt Guard family looks at the last message.

The classifier reads windows of at most 512 tokens, and the window that it finds worst counts. Its three labels are, in
this order, benign, injection and jailbreak, with a softmax of temperature 1 over them; a classifier of two labels has
one for both attacks. Source: the model cards of Prompt Guard 86M and Llama Prompt Guard 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Final, Protocol

from llamastack.common.v1.message_pb2 import Message
from llamastack.safety.v1.shield_pb2 import ShieldDefinition
from mesh.errors import WrongState
from services.agents.safety.inference import Classified
from services.agents.safety.message_text import text_of
from services.agents.safety.shield import Finding

WINDOW_TOKENS: Final = 512
THRESHOLD: Final = 0.9
RETURN_MESSAGE: Final = "Sorry, I cannot do this."

# a window of this many characters has fewer than 512 tokens in most languages; one that has more is halved
_WINDOW_CHARACTERS: Final = 1600
_AT_ONCE: Final = 16
_NO_MODEL: Final = "No classifier of prompts is configured."


class Attack(Enum):
    """What a shield looks for; the value is the violation type."""

    INJECTION = "injection"
    JAILBREAK = "jailbreak"


class Classifying(Protocol):
    """Who classifies for a model."""

    async def classify(self, model: str, texts: Sequence[str]) -> list[Classified]:
        """Return what the model says of each text."""
        ...

    async def obstacle(self, model: str) -> str | None:
        """Return why the model can't be asked now; None when it can."""
        ...


class PromptGuard:
    """The shield against one attack; ``model`` judges where a definition names none, and empty is none."""

    def __init__(self, inference: Classifying, model: str, attack: Attack) -> None:
        """Keep whom to ask for what."""
        self._inference = inference
        self._model = model
        self._attack = attack

    @property
    def description(self) -> str:
        """What it looks for."""
        if self._attack is Attack.INJECTION:
            return "A classifier looks for instructions that were smuggled into the last message."
        return "A classifier looks for attempts to talk the model out of its rules in the last message."

    def check(self, definition: ShieldDefinition) -> None:
        """Refuse a definition that leaves no model."""
        if not (definition.model or self._model):
            raise WrongState(_NO_MODEL)

    async def obstacle(self) -> str | None:
        """Return why the default model can't judge now."""
        return await self._inference.obstacle(self._model) if self._model else _NO_MODEL

    async def judge(self, messages: Sequence[Message], definition: ShieldDefinition) -> Finding | None:
        """Return the attack if the last message has a window where its probability is above the threshold."""
        text = text_of(messages[-1])
        model = definition.model or self._model
        threshold = definition.threshold if definition.HasField("threshold") else THRESHOLD
        waiting = list(_windows(text, _WINDOW_CHARACTERS))[::-1] if text.strip() else []
        while waiting:
            some = [waiting.pop() for _ in range(min(_AT_ONCE, len(waiting)))]
            for window, said in zip(some, await self._inference.classify(model, some), strict=True):
                if probability(said, self._attack) > threshold:
                    return Finding(self._attack.value, RETURN_MESSAGE)
                if not said.whole or said.tokens > WINDOW_TOKENS:
                    waiting += _halves(model, window)
        return None


def probability(said: Classified, attack: Attack) -> float:
    """Return the probability of an attack: an injection is anything that is not benign.

    Raises:
        WrongState: the labels are not those of a classifier of prompts.
    """
    values = said.probabilities
    match len(values):
        case 2:
            return values[1]
        case 3:
            return values[2] if attack is Attack.JAILBREAK else values[1] + values[2]
        case _:
            raise WrongState("The classifier has other labels than benign, injection and jailbreak.")


def _windows(text: str, size: int) -> Iterator[str]:
    """Yield windows of ``size`` characters, each beginning within the one before, so that no attack is torn."""
    step = size - size // 4
    for start in range(0, max(len(text) - size // 4, 1), step):
        yield text[start : start + size]


def _halves(model: str, window: str) -> list[str]:
    if len(window) < 4:
        raise WrongState(f"model {model} reads too few tokens to judge a message")
    return list(_windows(window, len(window) * 2 // 3))
