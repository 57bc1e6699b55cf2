"""What vLLM's worker processes on a CPU need besides vLLM.

Where adapters are enabled, vLLM takes all logits for those of tokens to be sampled, one for each request, and looks the
adapters of the rows up by that. Logits of a prompt's tokens, which log probabilities of prompts need, have other rows:
beside another request they end the engine (https://github.com/vllm-project/vllm/issues/16668).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU

_add = PunicaWrapperCPU.add_lora_logits


def prompt_rows(states: torch.Tensor) -> slice | None:
    """Return which tokens of the batch hidden states belong to; None for those that were picked to sample by.

    A prompt's states are a slice of the batch's, and picked ones a copy of their own.
    """
    width = states.stride(0)
    held = states.untyped_storage().nbytes() // states.element_size() // width
    if states.shape[0] == held:
        return None
    first = states.storage_offset() // width
    return slice(first, first + states.shape[0])


def add_lora_logits(self: Any, y: torch.Tensor, x: torch.Tensor, *rest: Any, **more: Any) -> None:
    """Add what adapters make of logits, those of a prompt's tokens by the adapters of just these tokens."""
    rows = prompt_rows(x)
    if rows is None:
        _add(self, y, x, *rest, **more)
        return
    with _sampled(self, self.token_lora_indices[rows]):
        _add(self, y, x, *rest, **more)


@contextmanager
def _sampled(wrapper: Any, adapters: torch.Tensor) -> Iterator[None]:
    """Have rows looked up by these adapters for the time of the block."""
    indices, lengths = wrapper._sampler_indices, wrapper.indices_len
    wrapper._sampler_indices = adapters
    wrapper.indices_len = [lengths[0], len(adapters), *lengths[2:]]
    try:
        yield
    finally:
        wrapper._sampler_indices, wrapper.indices_len = indices, lengths


class PromptLogits:
    """A worker extension; workers import this module for it, and that is all it is for."""


PunicaWrapperCPU.add_lora_logits = add_lora_logits  # type: ignore[method-assign]
