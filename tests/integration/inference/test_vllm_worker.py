"""What is added to vLLM's operations on a CPU: adapters for the right rows, and the norm by one kernel."""

from __future__ import annotations

import warnings

import pytest
import torch

with warnings.catch_warnings():
    # what vLLM's own imports warn of is not ours
    warnings.simplefilter("ignore", DeprecationWarning)
    from vllm.config import VllmConfig, set_current_vllm_config
    from vllm.lora.layers import LoRAMapping
    from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU
    from vllm.model_executor.layers.layernorm import RMSNorm

    from services.inference.engines.vllm_worker import KernelNorm

HIDDEN, RANK, VOCABULARY, ADAPTERS = 4, 2, 6, 2
OWNERS = [0, 0, 0, 0, -1, -1, 1, 1, 1]
"""The adapter of each token of a batch of three requests, of four, two and three tokens; -1 for none."""


def wrapper(owners: list[int], requests: list[int]) -> PunicaWrapperCPU:
    """Return the operations as vLLM sets them up for a batch: an adapter for each token and for each request."""
    made = PunicaWrapperCPU(max_num_batched_tokens=16, max_batches=8, device="cpu")
    # vLLM counts adapters from 1, and 0 is none
    mapping = LoRAMapping(tuple(i + 1 for i in owners), tuple(i + 1 for i in requests), is_prefill=True)
    made.update_metadata(mapping, [i + 1 for i in range(ADAPTERS)], ADAPTERS, VOCABULARY)
    return made


def matrices(outputs: int, inputs: int) -> torch.Tensor:
    """Return a random matrix for each adapter, as vLLM stacks them."""
    return torch.randn(ADAPTERS, 1, outputs, inputs)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def test_each_row_gets_its_own_adapter_and_the_others_none() -> None:
    x, y = torch.randn(len(OWNERS), HIDDEN), torch.randn(len(OWNERS), 5)
    down, up = [matrices(RANK, HIDDEN), matrices(RANK, HIDDEN)], [matrices(3, RANK), matrices(2, RANK)]
    expected = y.clone()
    for row, owner in enumerate(OWNERS):
        if owner >= 0:
            expected[row] += torch.cat([up[i][owner, 0] @ down[i][owner, 0] @ x[row] * 0.5 for i in (0, 1)])
    wrapper(OWNERS, [0, -1, 1]).add_lora_linear(y, x, down, up, 0.5, (3, 2))
    torch.testing.assert_close(y, expected)


def test_a_batch_without_adapters_stays_as_it_is() -> None:
    made = wrapper([-1, -1, -1], [-1])
    x, y = torch.randn(3, HIDDEN), torch.randn(3, VOCABULARY)
    before = y.clone()
    made.add_lora_linear(y, x, [matrices(RANK, HIDDEN)], [matrices(VOCABULARY, RANK)], 1.0, (VOCABULARY,))
    made.add_lora_logits(y, x, matrices(RANK, HIDDEN), matrices(VOCABULARY, RANK), 1.0)
    made.add_lora_embedding(y, torch.randn(3, RANK), matrices(VOCABULARY, RANK), add_input=True)
    torch.testing.assert_close(y, before, rtol=0, atol=0)


def test_embeddings_get_what_their_tokens_adapter_makes_of_them() -> None:
    x, y, up = torch.randn(len(OWNERS), RANK), torch.randn(len(OWNERS), HIDDEN), matrices(HIDDEN, RANK)
    expected = torch.stack(
        [row + (up[i, 0] @ state if i >= 0 else 0) for i, state, row in zip(OWNERS, x, y, strict=True)]
    )
    wrapper(OWNERS, [0, -1, 1]).add_lora_embedding(y, x, up, add_input=True)
    torch.testing.assert_close(y, expected)


def test_logits_of_prompts_get_their_own_tokens_adapter() -> None:
    states = torch.randn(len(OWNERS), HIDDEN)
    down, up = matrices(RANK, HIDDEN), matrices(VOCABULARY, RANK)
    deltas = torch.stack(
        [
            up[i, 0] @ down[i, 0] @ state if i >= 0 else torch.zeros(VOCABULARY)
            for i, state in zip(OWNERS, states, strict=True)
        ]
    )
    made = wrapper(OWNERS, [0, -1, 1])

    def added(some: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(len(some), VOCABULARY)
        made.add_lora_logits(logits, some, down, up, 1.0)
        return logits

    last = torch.tensor([3, 5, 8])
    torch.testing.assert_close(added(states[last]), deltas[last])
    torch.testing.assert_close(added(states[0:3]), deltas[0:3])
    # as many rows as there are requests, and still not those to sample by
    torch.testing.assert_close(added(states[5:8]), deltas[5:8])
    torch.testing.assert_close(added(states[last]), deltas[last])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_kernel_norms_as_vllm_does(dtype: torch.dtype) -> None:
    with set_current_vllm_config(VllmConfig()):
        norm = RMSNorm(32, eps=1e-5, dtype=dtype)
    norm.weight.data.uniform_(0.5, 1.5)
    x, residual = torch.randn(7, 32, dtype=dtype), torch.randn(7, 32, dtype=dtype)
    wanted, wanted_both = norm.forward_native(x.clone()), norm.forward_native(x.clone(), residual.clone())
    assert isinstance(norm, KernelNorm)
    torch.testing.assert_close(norm.forward_cpu(x.clone()), wanted)
    torch.testing.assert_close(norm.forward_cpu(x.clone(), residual.clone()), wanted_both)


def test_what_the_kernel_does_not_know_is_normed_by_vllm() -> None:
    with set_current_vllm_config(VllmConfig()):
        partly = RMSNorm(32, var_hidden_size=16, dtype=torch.float32)
        of_heads = RMSNorm(8, dtype=torch.float32)
    x = torch.randn(7, 32)
    heads = x[:, :16].view(7, 2, 8)
    torch.testing.assert_close(partly.forward_cpu(x.clone()), partly.forward_native(x.clone()))
    torch.testing.assert_close(of_heads.forward_cpu(heads), of_heads.forward_native(heads))
