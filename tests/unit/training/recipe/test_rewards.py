"""What a training asks of the reward scoring service, whose end it may have to wait for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format

from llamastack.reward_scoring.v1 import reward_scoring_pb2 as pb
from llamastack.reward_scoring.v1 import reward_scoring_service_pb2_grpc as scoring_grpc
from llamastack.reward_scoring.v1.reward_pb2 import ExactMatchReward, RewardFunction
from services.training.recipe import rewards as subject
from services.training.recipe.spec import Caller, Kind, Reinforcement, Spec
from tests.ports import free_port
from tests.unit.training.recipe import small

pytestmark = pytest.mark.filterwarnings("ignore")
DIALOG = '[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2 + 2"}]'


@dataclass
class Scoring(scoring_grpc.RewardScoringServiceServicer):
    """Scores an answer 1 if it is the reference; keeps what it is asked, and refuses if it is told to."""

    asked: list[pb.RewardScoringRequest] = field(default_factory=list)
    refusal: grpc.StatusCode | None = None

    def Score(self, request: pb.RewardScoringRequest, context: Any) -> pb.RewardScoringResponse:
        self.asked.append(request)
        if self.refusal is not None:
            context.abort(self.refusal, "model 'judge' does not exist")
        entries = [
            pb.ScoredDialogGenerations(
                scored_generations=[
                    pb.ScoredMessage(message=answer, score=float(answer.completion.content.text == each.reference))
                    for answer in each.sampled_generations
                ]
            )
            for each in request.dialog_generations
        ]
        return pb.RewardScoringResponse(scored_generations=entries)


@contextmanager
def serving(scoring: Scoring, port: int) -> Iterator[None]:
    """Serve the scores on loopback."""
    server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
    scoring_grpc.add_RewardScoringServiceServicer_to_server(scoring, server)
    assert server.add_insecure_port(f"127.0.0.1:{port}") == port
    server.start()
    try:
        yield
    finally:
        server.stop(None).wait()


def learning(folder: Path, **parts: str) -> Spec:
    """Return a training on rewards for right answers."""
    reward = json_format.MessageToJson(RewardFunction(exact_match=ExactMatchReward()))
    rows = small.write(folder / "rows.jsonl", [{"p": "2 + 2", "r": "4"}], prompt="p", **parts)
    made = small.examples(folder, kind=Kind.GRPO, rows=rows, caller=Caller("ann", "acme", ("train",)))
    return replace(made, reinforcement=Reinforcement(reward, 2, 8, 1.0, 0.0, 0.2))


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    """Return the port at which the environment says that the service is."""
    found = free_port()
    monkeypatch.setenv("ALTIPLANO_EVAL_ADDRESS", f"127.0.0.1:{found}")
    monkeypatch.setattr(subject, "_PAUSE_S", 0.05)
    return found


def test_answers_are_scored_with_their_dialogs_and_references(tmp_path: Path, port: int) -> None:
    scoring = Scoring()
    with serving(scoring, port):
        score = subject.reward(learning(tmp_path, reference="r"))
        assert score(["", ""], ["4", "5"], dialog=[DIALOG, DIALOG], reference=["4", ""]) == [1.0, 0.0]
        [request] = scoring.asked
        first, second = request.dialog_generations
        assert [message.WhichOneof("message") for message in first.dialog] == ["system", "user"]
        assert (first.reference, second.HasField("reference")) == ("4", True)
        subject.reward(learning(tmp_path))(["x"], ["4"], dialog=[DIALOG], reference=[""])
        assert not scoring.asked[-1].dialog_generations[0].HasField("reference")


def test_a_service_that_is_away_is_waited_for(tmp_path: Path, port: int) -> None:
    score = subject.reward(learning(tmp_path, reference="r"))
    answers: list[Any] = []
    asking = threading.Thread(
        target=lambda: answers.append(score(["x"], ["4"], dialog=[DIALOG], reference=["4"])), daemon=True
    )
    asking.start()
    asking.join(timeout=0.5)
    assert asking.is_alive()
    with serving(Scoring(), port):
        asking.join(timeout=60)
    assert answers == [[1.0]]


def test_a_refusal_ends_the_training_with_the_services_words(tmp_path: Path, port: int) -> None:
    with serving(Scoring(refusal=grpc.StatusCode.NOT_FOUND), port):
        score = subject.reward(learning(tmp_path, reference="r"))
        with pytest.raises(subject.RewardFailed) as failed:
            score(["x"], ["4"], dialog=[DIALOG], reference=["4"])
    assert (failed.value.field, str(failed.value)) == (
        "algorithm_config.reward",
        "the reward can't be scored: model 'judge' does not exist",
    )
