"""Logits of a prompt's tokens where adapters are enabled, with vLLM's own operations on a CPU."""

from __future__ import annotations

import torch
from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU

from services.inference.engines.vllm_worker import add_lora_logits

HIDDEN, RANK, VOCABULARY = 4, 2, 6
OWNERS = [0, 0, 0, 0, 1, 1, 1]
"""The adapter of each token of a batch of two requests, of four and three tokens."""


def wrapper() -> PunicaWrapperCPU:
    """Return the operations as they are set up for the batch."""
    made = PunicaWrapperCPU(max_num_batched_tokens=16, max_batches=2, device="cpu")
    made._token_lora_indices[: len(OWNERS)] = torch.tensor(OWNERS)
    made._sampler_indices[:2] = torch.tensor([0, 1])
    made.indices_len[:] = [len(OWNERS), 2, 2, len(OWNERS)]
    return made


def test_each_row_gets_its_own_tokens_adapter() -> None:
    torch.manual_seed(0)
    states = torch.randn(len(OWNERS), HIDDEN)
    down, up = torch.randn(2, 1, RANK, HIDDEN), torch.randn(2, 1, VOCABULARY, RANK)
    deltas = torch.stack([up[owner, 0] @ down[owner, 0] @ state for owner, state in zip(OWNERS, states, strict=True)])
    made = wrapper()

    def added(some: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(len(some), VOCABULARY)
        add_lora_logits(made, logits, some, down, up, 1.0)
        return logits

    last = torch.tensor([3, 6])
    torch.testing.assert_close(added(states[last]), deltas[last])
    torch.testing.assert_close(added(states[0:3]), deltas[0:3])
    # as many rows as there are requests, and still not those to sample by
    torch.testing.assert_close(added(states[4:6]), deltas[4:6])
    torch.testing.assert_close(added(states[last]), deltas[last])
