"""The state machine of jobs, arrow by arrow."""

from __future__ import annotations

from itertools import product

import pytest

from mesh.errors import WrongState
from mesh.jobs.job import State, check_transition

ARROWS = {
    ("scheduled", "running"),
    ("scheduled", "cancelled"),
    ("running", "completed"),
    ("running", "failed"),
    ("running", "cancelled"),
    ("running", "scheduled"),
    ("failed", "scheduled"),
    ("cancelled", "scheduled"),
}


@pytest.mark.parametrize(("before", "after"), list(product(State, State)), ids=lambda state: state.value)
def test_only_the_drawn_arrows_exist(before: State, after: State) -> None:
    if (before.value, after.value) in ARROWS:
        check_transition("j", before, after)
        return
    with pytest.raises(WrongState) as refusal:
        check_transition("j", before, after)
    assert refusal.value.metadata == {"state": before.value}


def test_the_final_states_are_those_that_only_a_resumption_leaves() -> None:
    assert {state for state in State if state.final} == {State.COMPLETED, State.FAILED, State.CANCELLED}
