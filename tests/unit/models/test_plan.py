"""The plan of a training runs its learning rate down once per cycle and is one list of stages from nothing."""

import itertools

import pytest

pytest.importorskip("torch")

from models.builtin.train import Plan, Stage, rate, stages


def test_a_plan_is_the_base_and_one_stage_per_cycle_with_data_of_its_own() -> None:
    plan = Plan(seed=3, base_steps=10, cycles=(100, 160), decay=0.5, later_peak=0.7)
    assert stages(plan) == [
        Stage("base", 0, 10, 3, None),
        Stage("dialogs", 0, 100, 3, 0.5),
        Stage("dialogs", 100, 160, 4, 0.5, 0.7),
    ]


def test_the_rate_warms_up_stays_and_decays_to_almost_nothing() -> None:
    shares = [rate(step, 1000, 0.5) for step in range(1000)]
    assert shares[0] == pytest.approx(1 / 40)
    assert shares[40:500] == [1.0] * 460
    assert shares[750] == pytest.approx(0.5)
    assert shares[-1] == 0.02
    assert all(later <= earlier for earlier, later in itertools.pairwise(shares[40:]))
