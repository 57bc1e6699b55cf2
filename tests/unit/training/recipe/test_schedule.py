"""The course of the learning rate, the steps of a training and the loss of preferences, by their formulae."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from services.training.recipe import spec as recipe
from services.training.recipe.schedule import Order, factor, optimizer
from services.training.recipe.spec import (
    Dimension,
    Loop,
    Optimizer,
    Preference,
    Reinforcement,
    Search,
    Spec,
    steps_of,
)
from tests.unit.training.recipe import small

RATE = Optimizer("adamw", 1e-3, 1e-4, 0.1)


def test_the_rate_falls_along_half_a_cosine_from_lr_to_lr_min() -> None:
    rates = [RATE.lr * factor(step, 5, RATE) for step in range(5)]
    expected = [1e-4 + 9e-4 * (1 + math.cos(math.pi * step / 4)) / 2 for step in range(5)]
    assert rates == pytest.approx(expected)


def test_the_rate_rises_from_nothing_before_it_falls() -> None:
    warm = replace(RATE, warmup=2)
    rates = [warm.lr * factor(step, 6, warm) for step in range(6)]
    assert rates[:3] == pytest.approx([0.0, 5e-4, 1e-3])
    assert rates[-1] == pytest.approx(1e-4)


def test_equal_rates_stay_equal_and_a_lone_step_has_the_full_rate() -> None:
    flat = replace(RATE, lr_min=1e-3)
    assert [factor(step, 9, flat) for step in range(9)] == pytest.approx([1.0] * 9)
    assert factor(0, 1, RATE) == pytest.approx(1.0)


def test_the_optimizer_is_the_one_that_was_asked_for_and_spares_biases() -> None:
    model = torch.nn.Linear(2, 2)
    for rule, kind in (("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)):
        made = optimizer(model, replace(RATE, rule=rule), {"weight"})
        assert type(made) is kind
        assert [(group["lr"], group["weight_decay"]) for group in made.param_groups] == [(1e-3, 0.1), (1e-3, 0.0)]


def test_rows_are_shuffled_anew_in_each_epoch_or_not_at_all() -> None:
    rows = range(20)
    order = Order(rows, 7, shuffle=True)
    first = list(order)
    order.set_epoch(1)
    second = list(order)
    assert sorted(first) == sorted(second) == list(rows)
    assert first != second
    again = Order(rows, 7, shuffle=True)
    again.set_epoch(1)
    assert list(again) == second
    assert list(Order(rows, 7, shuffle=False)) == list(rows)


@pytest.mark.parametrize(
    ("epochs", "iterations", "steps"), [(2, 0, 6), (0, 4, 4), (2, 4, 4), (1, 4, 3)], ids=lambda value: str(value)
)
def test_a_training_ends_with_its_epochs_or_its_iterations(
    tmp_path: Path, epochs: int, iterations: int, steps: int
) -> None:
    spec = small.examples(tmp_path, loop={"epochs": epochs, "iterations": iterations, "batch_size": 3})
    assert steps_of(spec, 8) == steps


def test_a_prompt_makes_as_many_rows_as_answers_are_sampled(tmp_path: Path) -> None:
    settings = Reinforcement("{}", 4, 8, 1.0, 0.0, 0.2)
    spec = small.examples(tmp_path, reinforcement=settings, loop={"epochs": 2, "iterations": 0, "batch_size": 8})
    assert steps_of(spec, 6) == 6


def test_a_spec_is_read_as_it_was_written(tmp_path: Path) -> None:
    search = Search((Dimension("optimizer.lr", 1e-4, 1e-2, log=True),), 3, 1, "validation_loss", "min")
    spec: Spec = small.examples(tmp_path, adapter=small.LORA, search=search)
    assert recipe.read(recipe.write(spec)) == spec
    assert isinstance(spec.loop, Loop)


def test_the_loss_of_preferences_is_the_documented_one() -> None:
    from services.training.recipe.objectives import margins, preference_loss

    chosen, rejected = torch.tensor([3.0]), torch.tensor([-1.0])
    settings = Preference(beta=0.5, clip=2.0, smoothing=0.1, rejected_weight=0.25)
    margin = margins(chosen, rejected, settings)
    assert margin.item() == pytest.approx(0.5 * (2.0 + 0.25))
    value = margin.item()
    expected = -0.9 * math.log(1 / (1 + math.exp(-value))) - 0.1 * math.log(1 / (1 + math.exp(value)))
    assert preference_loss(margin, settings).item() == pytest.approx(expected)
    unclipped = replace(settings, clip=0.0, rejected_weight=1.0)
    assert margins(chosen, rejected, unclipped).item() == pytest.approx(0.5 * 4.0)
