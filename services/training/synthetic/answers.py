"""Answers to a prompt: sampled, then scored and filtered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from llamastack.common.v1.message_pb2 import CompletionMessage, Message
from llamastack.reward_scoring.v1.reward_scoring_pb2 import DialogGenerations, ScoredDialogGenerations
from services.training.synthetic.filtering import Filter
from services.training.synthetic.prompts import Prompt


@dataclass(frozen=True, slots=True)
class Answer:
    """One sample for a prompt, by their positions; ``message`` is None for one that failed."""

    prompt: int
    sample: int
    message: CompletionMessage | None
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Draft:
    """The answers to a prompt that are to be scored, in the order of sampling.

    ``copies`` says how often each came; an answer came more than once only if duplicates were left out.
    """

    prompt: Prompt
    messages: tuple[CompletionMessage, ...]
    copies: tuple[int, ...]
    errors: int
    tokens: int

    def generations(self) -> DialogGenerations:
        """Return the dialog with its answers as reward scoring takes it."""
        made = DialogGenerations(
            dialog=self.prompt.dialog,
            sampled_generations=[Message(completion=message) for message in self.messages],
        )
        if self.prompt.reference is not None:
            made.reference = self.prompt.reference
        return made


@dataclass(frozen=True, slots=True)
class Outcome:
    """A prompt with its scored answers in the order of sampling; ``kept`` are positions, highest score first."""

    scored: ScoredDialogGenerations
    copies: tuple[int, ...]
    kept: tuple[int, ...]
    errors: int
    tokens: int

    @property
    def scores(self) -> list[float]:
        """The score of each answer."""
        return [generation.score for generation in self.scored.scored_generations]

    def filtered(self) -> ScoredDialogGenerations:
        """Return the dialog with the answers that stayed, highest score first."""
        answers = self.scored.scored_generations
        return ScoredDialogGenerations(
            dialog=self.scored.dialog, scored_generations=[answers[index] for index in self.kept]
        )


def draft(prompt: Prompt, answers: Sequence[Answer], *, deduplicate: bool) -> Draft:
    """Return what is to be scored of the answers to a prompt."""
    messages: list[CompletionMessage] = []
    copies: list[int] = []
    seen: dict[bytes, int] = {}
    for answer in sorted(answers, key=lambda item: item.sample):
        if answer.message is None:
            continue
        said = answer.message.SerializeToString(deterministic=True)
        if deduplicate and said in seen:
            copies[seen[said]] += 1
            continue
        seen[said] = len(messages)
        messages.append(answer.message)
        copies.append(1)
    errors = sum(answer.message is None for answer in answers)
    tokens = sum(answer.tokens for answer in answers)
    return Draft(prompt, tuple(messages), tuple(copies), errors, tokens)


def outcome(made: Draft, scored: ScoredDialogGenerations, chosen: Filter, random: Random) -> Outcome:
    """Return what becomes of a draft with the scores of its answers."""
    scores = [generation.score for generation in scored.scored_generations]
    return Outcome(scored, made.copies, tuple(chosen.kept(scores, random)), made.errors, made.tokens)
