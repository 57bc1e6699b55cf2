"""Decodes a whole output of a Llama 3 model into text and tool calls.

The plain statement of what ``llama3_stream`` does piece by piece; both read the same outputs the same way. Calls
without a python tag are looked for only where tools were offered, so that a JSON answer is not taken for a call.
"""

from __future__ import annotations

from typing import Final

from llamastack.common.v1.message_pb2 import StopReason
from services.inference.prompt import tokens
from services.inference.prompt.call_reading import NewCallId, read_calls
from services.inference.prompt.call_signs import Sign, function_sign, probe_for
from services.inference.prompt.stream_decoder import Decoded

REASONS: Final = {
    tokens.EOT: StopReason.STOP_REASON_END_OF_TURN,
    tokens.EOM: StopReason.STOP_REASON_END_OF_MESSAGE,
    tokens.END_OF_TEXT: StopReason.STOP_REASON_END_OF_TURN,
    tokens.START_HEADER: StopReason.STOP_REASON_END_OF_TURN,
}
"""Why a model stopped by the token that says so; one that opens another message on its own has ended its turn too."""


def closing_reason(
    given: StopReason.ValueType, by_token: StopReason.ValueType = StopReason.STOP_REASON_UNSPECIFIED
) -> StopReason.ValueType:
    """Return the stop reason: what an end token said, else what the engine gave, else out of tokens."""
    return by_token or given or StopReason.STOP_REASON_OUT_OF_TOKENS


def decode(
    output: str,
    new_call_id: NewCallId,
    *,
    tools_offered: bool = True,
    stop_reason: StopReason.ValueType = StopReason.STOP_REASON_UNSPECIFIED,
) -> Decoded:
    """Return what a model's output means.

    Args:
        output: the text, special tokens included where the engine gives them.
        new_call_id: gives the ids of the calls.
        tools_offered: whether calls without a python tag are looked for.
        stop_reason: the engine's; an end token in the output takes precedence, and neither means out of tokens.
    """
    output, repeats_header = _without_header(output)
    body, by_token = _until_end(output)
    reason = closing_reason(stop_reason, by_token)
    cut_off = reason == StopReason.STOP_REASON_OUT_OF_TOKENS
    before, tag, after = body.partition(tokens.PYTHON_TAG)
    text = tokens.SPECIAL.sub("", before)
    text = text.removeprefix("\n\n") if repeats_header else text
    call_at = _call_start(text, cut_off=cut_off and not tag) if tools_offered else len(text)
    tagged = bool(tag) and call_at == len(text)
    if not tag and call_at == len(text):
        return Decoded(text, (), reason)
    raw = text[call_at:] + tokens.SPECIAL.sub("", after.replace(tokens.PYTHON_TAG, "\n" if tagged else ""))
    calls = read_calls(raw, tagged=tagged, cut_off=cut_off, new_call_id=new_call_id)
    if calls:
        return Decoded("", tuple(calls), reason)
    return Decoded(("" if text[:call_at].isspace() else text[:call_at]) + raw, (), reason, failed=True)


def _without_header(output: str) -> tuple[str, bool]:
    """Return the output without a begin of text and the assistant's header, and whether it had the header."""
    output = output.removeprefix(tokens.BEGIN_OF_TEXT)
    if not output.startswith(tokens.START_HEADER):
        return output, False
    return output.partition(tokens.END_HEADER)[2], True


def _until_end(output: str) -> tuple[str, StopReason.ValueType]:
    for found in tokens.SPECIAL.finditer(output):
        if found[0] in REASONS:
            return output[: found.start()], REASONS[found[0]]
    return output, StopReason.STOP_REASON_UNSPECIFIED


def _call_start(text: str, *, cut_off: bool) -> int:
    """Return where a call without a tag begins; the text's length if none does."""
    stripped = text.lstrip()
    probe = probe_for(stripped[0]) if stripped else None
    if probe is not None:
        sign = probe.feed(stripped)
        if sign is Sign.CALL or (sign is Sign.UNDECIDED and cut_off and probe.likely):
            return 0
        if sign is Sign.UNDECIDED:
            return len(text)
    at = text.find("<")
    while at >= 0:
        sign = function_sign(text, at)
        if sign is Sign.CALL or (sign is Sign.UNDECIDED and cut_off and text[at:] != "<"):
            return at
        at = text.find("<", at + 1)
    return len(text)
