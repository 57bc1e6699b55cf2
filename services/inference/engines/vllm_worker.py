"""What vLLM's worker processes on a CPU need besides vLLM: adapters for the right rows, and a quicker norm.

vLLM's operations for adapters on a CPU look up the matrices of each row by the number of its adapter. A row without an
adapter has the number -1 and gets those of the last one that there is room for
(https://github.com/vllm-project/vllm/pull/48421); and where no request has an adapter, much is done for nothing.
Besides, the logits of a prompt's tokens, which log probabilities of prompts need, have other rows than those to sample
by: beside another request they end the engine (https://github.com/vllm-project/vllm/issues/16668). Here each adapter
is applied to its rows and to no others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU
from vllm.model_executor.custom_op import CustomOp
from vllm.model_executor.layers.layernorm import RMSNorm

NO_ADAPTER = -1


def add_lora_linear(
    self: Any,
    y: torch.Tensor,
    x: torch.Tensor,
    lora_a_stacked: Sequence[torch.Tensor],
    lora_b_stacked: Sequence[torch.Tensor],
    scale: float,
    output_slices: Sequence[int],
    **_: Any,
) -> None:
    """Add what adapters make of a layer's outputs, one slice of the outputs after the other.

    ``y`` is (rows, outputs) and changed, ``x`` (rows, inputs); of the matrices there is a pair for each slice, of
    shapes (adapters, 1, rank, inputs) and (adapters, 1, width, rank).
    """
    if _idle(self):
        return
    start = 0
    for down, up, width in zip(lora_a_stacked, lora_b_stacked, output_slices, strict=True):
        _add(y[:, start : start + width], x, down, up, scale, self.token_lora_indices)
        start += width


def add_lora_embedding(
    self: Any, y: torch.Tensor, x: torch.Tensor, lora_b_stacked: torch.Tensor, add_inputs: bool = True, **_: Any
) -> None:
    """Add what adapters make of embeddings; ``x`` (rows, rank) has been looked up in their first matrix already."""
    if not _idle(self):
        for adapter, rows in _rows(self.token_lora_indices):
            y[rows] += _product(x[rows], lora_b_stacked[adapter]).to(y.dtype)


def add_lora_logits(
    self: Any,
    y: torch.Tensor,
    x: torch.Tensor,
    lora_a_stacked: torch.Tensor,
    lora_b_stacked: torch.Tensor,
    scale: float,
    **_: Any,
) -> None:
    """Add what adapters make of logits, those of a prompt's tokens by the adapters of just these tokens."""
    if not _idle(self):
        rows = prompt_rows(x)
        indices = self.sampler_indices if rows is None else self.token_lora_indices[rows]
        _add(y, x, lora_a_stacked, lora_b_stacked, scale, indices)


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


def _idle(wrapper: Any) -> bool:
    """Tell whether no row of the batch has an adapter, which vLLM finds out for batches that may hold prompts: all."""
    return bool(wrapper.is_prefill and wrapper.no_lora)


def _add(
    y: torch.Tensor, x: torch.Tensor, down: torch.Tensor, up: torch.Tensor, scale: float, indices: torch.Tensor
) -> None:
    for adapter, rows in _rows(indices):
        change = _product(_product(x[rows], down[adapter]) * scale, up[adapter])
        # a padded vocabulary has more columns than an adapter knows
        y[rows, : change.shape[1]] += change[:, : y.shape[1]].to(y.dtype)


def _rows(indices: torch.Tensor) -> Iterator[tuple[int, torch.Tensor | slice]]:
    """Yield each adapter among the indices of rows, with its rows."""
    present = indices.unique().tolist()  # type: ignore[no-untyped-call]
    for adapter in present:
        if adapter != NO_ADAPTER:
            yield adapter, slice(None) if len(present) == 1 else (indices == adapter).nonzero().flatten()


def _product(x: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """Return the product with one adapter's matrix, (outputs, inputs) or (1, outputs, inputs), in single precision."""
    return x.float() @ matrix.view(matrix.shape[-2:]).float().T


@CustomOp.register_oot(name="RMSNorm")
class KernelNorm(RMSNorm):
    """vLLM's norm by the kernel of its CPU build, which it keeps for GPUs: one operation instead of seven."""

    def forward_cpu(
        self, x: torch.Tensor, residual: torch.Tensor | None = None
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """Return the normed input, (rows, width); with a residual its sum with the input is normed and returned too.

        With a residual both are changed in place.
        """
        weight = self.weight.data
        whole = self.has_weight and self.variance_size_override is None and weight.dtype == x.dtype
        # the kernel takes rows to lie one behind the other, which those of a single head do not
        if not whole or not x.is_contiguous() or not (residual is None or residual.is_contiguous()):
            return self.forward_native(x, residual)
        if residual is not None:
            torch.ops._C.fused_add_rms_norm.default(x, residual, weight, self.variance_epsilon)
            return x, residual
        normed = torch.empty_like(x)
        torch.ops._C.rms_norm.default(normed, x, weight, self.variance_epsilon)
        return normed


class CpuWorker:
    """A worker extension; workers import this module for it, and that is all it is for."""


PunicaWrapperCPU.add_lora_linear = add_lora_linear  # type: ignore[method-assign]
PunicaWrapperCPU.add_lora_embedding = add_lora_embedding  # type: ignore[method-assign]
PunicaWrapperCPU.add_lora_logits = add_lora_logits  # type: ignore[method-assign]
