"""Muon for matrices, as described by Jordan et al. 2024: momentum whose update is made nearly orthogonal.

It knows nothing about the model; embeddings and gains belong to AdamW instead.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

# Coefficients of the quintic iteration published with Muon: singular values end near one after five rounds.
QUINTIC = (3.4445, -4.7750, 2.0315)


def orthogonalize(update: Tensor, dtype: torch.dtype, rounds: int = 5) -> Tensor:
    """Return a matrix of the same shape with all singular values near one, by a Newton-Schulz iteration."""
    first, second, third = QUINTIC
    tall = update.shape[0] > update.shape[1]
    matrix = (update.T if tall else update).to(dtype)
    matrix = matrix / (matrix.norm() + 1e-7)
    for _ in range(rounds):
        gram = matrix @ matrix.T
        matrix = first * matrix + (second * gram + third * gram @ gram) @ matrix
    result: Tensor = (matrix.T if tall else matrix).to(update.dtype)
    return result


class Muon(torch.optim.Optimizer):
    """Nesterov momentum with orthogonalized updates for two-dimensional parameters."""

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # no closure is ever used here
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(parameter)
                buffer = state["momentum"]
                buffer.lerp_(parameter.grad, 1 - group["momentum"])
                nesterov = parameter.grad.lerp(buffer, group["momentum"])
                update = orthogonalize(nesterov, self.dtype)
                scale = max(1.0, parameter.shape[0] / parameter.shape[1]) ** 0.5
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update, alpha=-group["lr"] * scale)
