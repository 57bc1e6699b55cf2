"""The dataset and synthetic data resources of llama-stack 0.0.1a5, as published, against the gateway and training."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.installing import ROOT, python_with
from tests.conformance.serving import gateway, output_of
from tests.integration.training.serving import serving

# the first run installs the client
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    python = python_with(ROOT / "requirements" / "client-llama-stack.lock")

    async def drive() -> bytes:
        data = tmp_path_factory.mktemp("training") / "data"
        async with (
            serving(data, ALTIPLANO_TRAINING_REWARD_MODEL_ID="judge") as served,
            gateway(served.address, areas=("datasets", "synthetic_data_generation")) as url,
        ):
            return await output_of([python, Path(__file__).with_name("datasets_client.py"), url])

    return dict(json.loads(asyncio.run(drive())))


def raised(name: str, status: int, message: str) -> dict[str, Any]:
    return {"raised": name, "status": status, "message": message}


def test_a_dataset_is_created_once_and_got_as_it_was_created(answers: dict[str, Any]) -> None:
    assert [answers["create"], answers["create again"]] == [None, None]
    assert answers["get"] == {
        "TrainEvalDataset": {
            "columns": {"prompt": "text", "score": "number"},
            "content_url": "data:text/csv,prompt,score%0Ahello,0.5%0A",
            "metadata": {"who": "me", "version": 3},
        }
    }
    another = "dataset 'qa' exists already and is a different one"
    assert answers["create another"] == raised("ConflictError", 409, another)


def test_rows_that_do_not_fit_are_told(answers: dict[str, Any]) -> None:
    message = "rows[0]: column 'prompt': a JSON value is needed; expecting value at character 0"
    assert answers["create bad"] == raised("BadRequestError", 400, message)


def test_a_deleted_dataset_is_gone(answers: dict[str, Any]) -> None:
    assert answers["delete"] is None
    assert answers["get deleted"] == raised("NotFoundError", 404, "dataset 'qa' does not exist")


def generated(text: str, *scores: int) -> dict[str, Any]:
    dialog = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]
    return {"dialog": dialog, "scored_generations": [scored(text, score) for score in scores]}


def scored(text: str, number: int) -> dict[str, Any]:
    message = {"role": "assistant", "content": f"{text}/{number}", "stop_reason": "end_of_turn", "tool_calls": []}
    return {"message": message, "score": float(number)}


def test_a_flat_list_of_messages_is_split_answered_and_scored(answers: dict[str, Any]) -> None:
    given = answers["generate"]["SyntheticDataGeneration"]
    assert given["synthetic_data"] == [generated("one", 3, 2, 1, 0), generated("two", 3, 2, 1, 0)]
    assert {name: given["statistics"][name] for name in ("num_dialogs", "num_samples", "score_mean")} == {
        "num_dialogs": 2,
        "num_samples": 8,
        "score_mean": 1.5,
    }


def test_the_model_and_the_filter_are_the_callers(answers: dict[str, Any]) -> None:
    given = answers["generate by model"]["SyntheticDataGeneration"]
    assert given["synthetic_data"] == [generated("one", 7), generated("two", 7)]
    unknown = "model 'nobody' does not exist"
    assert answers["generate unknown"] == raised("NotFoundError", 404, unknown)
