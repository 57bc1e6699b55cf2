"""How weights are changed: the optimizer, the course of its learning rate, and the order of rows.

All of it is a function of the spec and the step, so that a training that goes on from a checkpoint does what an
unbroken one would.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sized
from typing import Any, Final

import torch
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import Sampler

from services.training.recipe.spec import Optimizer

RULES: Final[dict[str, type[torch.optim.Optimizer]]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}


def optimizer(model: torch.nn.Module, settings: Optimizer, decayed: set[str]) -> torch.optim.Optimizer:
    """Return the optimizer of the weights that are trained; those named in ``decayed`` have weight decay."""
    trained = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for name, weight in trained if name in decayed], "weight_decay": settings.weight_decay},
        {"params": [weight for name, weight in trained if name not in decayed], "weight_decay": 0.0},
    ]
    rule: Any = RULES[settings.rule]
    made: torch.optim.Optimizer = rule([group for group in groups if group["params"]], lr=settings.lr)
    return made


def factor(step: int, steps: int, settings: Optimizer) -> float:
    """Return what ``lr`` is multiplied by at a step, counted from 0, of so many: a rise, then half a cosine.

    The first step after the rise has ``lr`` itself and the last one ``lr_min``.
    """
    if step < settings.warmup:
        return step / settings.warmup
    span = steps - 1 - settings.warmup
    done = 1.0 if span <= 0 and settings.warmup > 0 else min(1.0, (step - settings.warmup) / max(1, span))
    lowest = settings.lr_min / settings.lr
    return lowest + (1 - lowest) * (1 + math.cos(math.pi * done)) / 2


def schedule(made: torch.optim.Optimizer, steps: int, settings: Optimizer) -> LambdaLR:
    """Return the course of the learning rate over a training."""
    return LambdaLR(made, lambda step: factor(step, steps, settings))


class Order(Sampler[int]):
    """The order of rows in each epoch: a new shuffle that seed and epoch determine, or the dataset's own."""

    def __init__(self, rows: Sized, seed: int, *, shuffle: bool) -> None:
        self._rows = rows
        self._seed = seed
        self._shuffle = shuffle
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch begins, from 0."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    def __iter__(self) -> Iterator[int]:
        """Yield the positions of the rows."""
        if not self._shuffle:
            return iter(range(len(self)))
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + self._epoch)
        return iter(torch.randperm(len(self), generator=generator).tolist())
