"""Log probabilities as OpenAI's API spells them, in both of its forms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from llamastack.openai.v1.chat_pb2 import ChoiceLogprobs, TokenLogprob, TopLogprob
from llamastack.openai.v1.completion_pb2 import (
    CandidateLogprobs,
    CompletionLogprobs,
    LogprobByToken,
    OptionalLogprob,
)
from services.inference.engine import Delta, FinishReason, TokenLogprobs


def shown_positions(delta: Delta) -> Sequence[TokenLogprobs]:
    """Return the log probabilities of a delta less that of the token that ended the sequence, which is no text."""
    ended = delta.finish is FinishReason.STOP and not isinstance(delta.stop, str)
    return delta.logprobs[:-1] if ended else delta.logprobs


def choice_logprobs(positions: Iterable[TokenLogprobs], top: int) -> ChoiceLogprobs:
    """Return positions for a chat, each with its ``top`` best candidates."""
    return ChoiceLogprobs(content=[_token(position, top) for position in positions])


def _token(position: TokenLogprobs, top: int) -> TokenLogprob:
    best = sorted(position.candidates, key=lambda candidate: -candidate[1])[:top]
    return TokenLogprob(
        token=position.token,
        logprob=position.logprob,
        bytes=position.token.encode(),
        top_logprobs=[TopLogprob(token=text, logprob=value, bytes=text.encode()) for text, value in best],
    )


class TextLogprobs:
    """Log probabilities for a completion, which also say where in the choice's text each token begins."""

    def __init__(self, top: int) -> None:
        """``top`` is the number of candidates per position."""
        self._top = top
        self._offset = 0

    def prompt(self, positions: Sequence[TokenLogprobs | None], text: str) -> CompletionLogprobs:
        """Return the positions of an echoed prompt; its first token has no log probability.

        A begin-of-text token that the engine put before the text is left out.
        """
        known = [position for position in positions if position is not None]
        rest = "".join(position.token for position in known)
        first = text.removesuffix(rest) if text.endswith(rest) else ""
        logprobs = CompletionLogprobs()
        if first and len(known) < len(positions):
            logprobs.tokens.append(first)
            logprobs.token_logprobs.add()
            logprobs.top_logprobs.add()
            logprobs.text_offset.append(0)
            self._offset = len(first)
        logprobs.MergeFrom(self.generated(known))
        return logprobs

    def generated(self, positions: Iterable[TokenLogprobs]) -> CompletionLogprobs:
        """Return the next positions."""
        logprobs = CompletionLogprobs()
        for position in positions:
            best = sorted(position.candidates, key=lambda candidate: -candidate[1])[: self._top]
            candidates = dict(best) | {position.token: position.logprob}
            logprobs.tokens.append(position.token)
            logprobs.token_logprobs.append(OptionalLogprob(value=position.logprob))
            logprobs.top_logprobs.append(CandidateLogprobs(values=LogprobByToken(values=candidates)))
            logprobs.text_offset.append(self._offset)
            self._offset += len(position.token)
        return logprobs
