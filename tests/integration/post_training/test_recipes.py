"""Learning from preferences and from rewards as jobs on a real Ray head, with the built-in model."""

from __future__ import annotations

from pathlib import Path

import pytest

from llamastack.common.v1 import job_pb2 as common_pb
from llamastack.common.v1.content_pb2 import Url
from llamastack.datasets.v1.dataset_pb2 import TrainEvalDataset
from llamastack.post_training.v1 import checkpoint_pb2 as checkpoint_pb
from llamastack.post_training.v1 import job_pb2 as pb
from llamastack.post_training.v1 import post_training_pb2 as requests_pb
from llamastack.post_training.v1 import training_config_pb2 as config_pb
from llamastack.reward_scoring.v1.reward_pb2 import RegexReward, RewardFunction
from tests.integration.post_training.service import COLOURS, TEXT, Service, data_url, sft

pytestmark = [pytest.mark.timeout(1800), pytest.mark.long]
STEPS = 3


def pairs(words: tuple[str, ...]) -> TrainEvalDataset:
    """Return prompts, each with a better and a worse answer."""
    rows = [{"prompt": f"Say {word}. ", "chosen": f"I say {word}!", "rejected": "No."} for word in words]
    columns = dict.fromkeys(("prompt", "chosen", "rejected"), TEXT)
    return TrainEvalDataset(columns=columns, content_url=Url(uri=data_url(rows)))  # type: ignore[arg-type]  # a number


def preferences() -> requests_pb.PostTrainingRlhfRequest:
    """Return a request to learn the better answers with all weights."""
    return requests_pb.PostTrainingRlhfRequest(
        job_uuid="preferences",
        finetuned_model=Url(uri="model:builtin"),
        dataset=pairs(COLOURS),
        validation_dataset=pairs(COLOURS[:2]),
        algorithm=config_pb.RLHF_ALGORITHM_DPO,
        algorithm_config=config_pb.DpoAlignmentConfig(reward_scale=0.1, epsilon=0.1, gamma=1.0),
        optimizer_config=sft("x").optimizer_config,
        training_config=config_pb.TrainingConfig(n_iters=STEPS, batch_size=4, shuffle=True),
    )


def rewards() -> requests_pb.PostTrainingGrpoRequest:
    """Return a request to learn answers with many vowels, with adapters."""
    rows = [{"prompt": f"The {word}"} for word in COLOURS]
    return requests_pb.PostTrainingGrpoRequest(
        job_uuid="rewards",
        model="builtin",
        dataset=TrainEvalDataset(columns={"prompt": TEXT}, content_url=Url(uri=data_url(rows))),  # type: ignore[dict-item]  # a number
        algorithm_config=config_pb.GrpoAlignmentConfig(
            reward=RewardFunction(regex=RegexReward(pattern="[aeiou]")), num_generations=4, max_new_tokens=8
        ),
        optimizer_config=sft("x").optimizer_config,
        training_config=config_pb.TrainingConfig(n_iters=STEPS, batch_size=8, shuffle=True),
        lora_config=sft("x").algorithm_config,
    )


@pytest.fixture(scope="module")
def done(service: Service) -> dict[str, pb.PostTrainingJobStatusResponse]:
    """Run both jobs, side by side, to their ends."""
    service.stub.PreferenceOptimize(preferences())
    service.stub.ReinforcementFineTune(rewards())
    return {uuid: service.ended(uuid) for uuid in ("preferences", "rewards")}


def measured(service: Service, uuid: str, name: str) -> list[float]:
    """Return what a job measured under a name, step by step."""
    metrics = service.stub.GetJobMetrics(pb.GetPostTrainingJobMetricsRequest(job_uuid=uuid)).metrics
    return [point.values[name] for point in metrics if name in point.values]


def test_preferences_are_learnt_and_the_whole_model_becomes_one_of_its_own(
    done: dict[str, pb.PostTrainingJobStatusResponse], service: Service
) -> None:
    job = done["preferences"]
    assert job.state == common_pb.JOB_STATE_COMPLETED, service.log("preferences")
    assert (job.kind, job.progress.steps.done) == (pb.POST_TRAINING_JOB_KIND_PREFERENCE_OPTIMIZE, STEPS)
    margins = measured(service, "preferences", "margin")
    assert len(margins) == STEPS
    assert margins[-1] > margins[0]
    # eight rows are two steps an epoch: a look at its end and one at the end of all
    watched = measured(service, "preferences", "validation_margin")
    assert len(watched) == 2
    assert watched[-1] > 0
    request = checkpoint_pb.RegisterCheckpointRequest(job_uuid="preferences", model_id="preferred")
    answer = service.stub.RegisterCheckpoint(request)
    assert (answer.kind, answer.HasField("base_model")) == (checkpoint_pb.CHECKPOINT_KIND_FULL, False)
    asked = service.peers.models.models[-1]
    assert asked.model_id == "preferred"
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= {
        file.name for file in Path(asked.source).iterdir()
    }


def test_rewards_are_asked_of_the_scoring_service_and_learnt(
    done: dict[str, pb.PostTrainingJobStatusResponse], service: Service
) -> None:
    job = done["rewards"]
    assert job.state == common_pb.JOB_STATE_COMPLETED, service.log("rewards")
    assert job.kind == pb.POST_TRAINING_JOB_KIND_REINFORCEMENT_FINE_TUNE
    rewards = measured(service, "rewards", "reward")
    assert len(rewards) == STEPS
    assert all(0 < reward < 1 for reward in rewards)
    [last] = job.checkpoints
    assert (Path(last.path.uri.removeprefix("file://")) / "adapter_model.safetensors").is_file()
    files = service.stub.GetJobArtifacts(pb.GetPostTrainingJobArtifactsRequest(job_uuid="rewards")).files
    assert "reward.png" in {file.name for file in files}
