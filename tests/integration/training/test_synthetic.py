"""Synthetic data over the wire: at once and as jobs, with scripted inference and reward scoring behind."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from llamastack.common.v1 import job_pb2
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import Message, SystemMessage, UserMessage
from llamastack.common.v1.sampling_pb2 import SamplingParams, SamplingStrategy
from llamastack.datasets.v1 import dataset_pb2
from llamastack.datasets.v1 import dataset_requests_pb2 as datasets_pb
from llamastack.inference.v1.inference_pb2 import MessageList
from llamastack.reward_scoring.v1 import reward_pb2, reward_scoring_pb2
from llamastack.synthetic_data_generation.v1 import job_pb2 as jobs_pb
from llamastack.synthetic_data_generation.v1 import synthetic_data_pb2 as pb
from mesh.errors import BackendUnavailable, InvalidField
from mesh.json_text import value_of
from mesh.migrations import differences
from services.training.synthetic.tables import METADATA
from tests.integration.training.peers import said
from tests.integration.training.serving import (
    DIALOG,
    NUMBER,
    TEXT,
    Served,
    jsonl,
    loose,
    serving,
    told,
    until,
)

REWARD = reward_pb2.RewardFunction(reward_model=reward_pb2.RewardModel(model="judge"))
FINAL = (job_pb2.JOB_STATE_COMPLETED, job_pb2.JOB_STATE_FAILED, job_pb2.JOB_STATE_CANCELLED)


def user(text: str) -> Message:
    return Message(user=UserMessage(content=Content(text=text)))


def system(text: str) -> Message:
    return Message(system=SystemMessage(content=Content(text=text)))


def scored(dialog: list[Message], **answers: float) -> reward_scoring_pb2.ScoredDialogGenerations:
    found = [
        reward_scoring_pb2.ScoredMessage(message=Message(completion=said(text.replace("_", "/"))), score=score)
        for text, score in answers.items()
    ]
    return reward_scoring_pb2.ScoredDialogGenerations(dialog=dialog, scored_generations=found)


def asked(*dialogs: Message, function: Any = pb.FILTERING_FUNCTION_TOP_K, **settings: Any) -> Any:
    settings = {"num_samples": 3, "reward": REWARD, **settings}
    return pb.SyntheticDataGenerationRequest(
        dialogs=dialogs, filtering_function=function, settings=pb.GenerationSettings(**settings)
    )


async def test_the_best_answers_to_each_dialog_stay(served: Served) -> None:
    request = asked(system("s"), user("a"), user("b"), filtering_params=pb.FilteringParams(k=2))
    request.dialog_batch.add().messages.extend([user("x"), Message(completion=said("y")), user("c")])
    response = await served.synthetic.Generate(request)
    seconds = response.statistics.pop("seconds")
    assert 0 <= seconds.number_value < 60
    assert list(response.synthetic_data) == [
        scored([system("s"), user("a")], a_2=2.0, a_1=1.0),
        scored([system("s"), user("b")], b_2=2.0, b_1=1.0),
        scored(list(request.dialog_batch[0].messages), c_2=2.0, c_1=1.0),
    ]
    counts = {"num_dialogs": 3, "num_dialogs_kept": 3, "num_samples": 9, "num_duplicates": 0, "num_kept": 6}
    scores = {"score_min": 0.0, "score_max": 2.0, "score_mean": 1.0, "score_median": 1.0, "kept_score_mean": 1.5}
    spread = response.statistics.pop("score_stddev").number_value
    assert abs(spread - (2 / 3) ** 0.5) < 1e-12
    expected = counts | scores | {"num_errors": 0, "completion_tokens": 27}
    assert dict(response.statistics) == {name: value_of(value) for name, value in expected.items()}
    assert [call.reward for call in served.peers.scoring.requests] == [REWARD]
    params = SamplingParams(strategy=SamplingStrategy.SAMPLING_STRATEGY_TOP_P, temperature=1.0, top_p=0.95)
    assert [call.sampling_params for call in served.peers.inference.requests] == [params]


async def test_answers_that_repeat_another_one_are_left_out_unless_they_are_wanted(served: Served) -> None:
    served.peers.inference.answer = lambda text, number: f"{text}/{number % 2}"
    function = pb.FILTERING_FUNCTION_NONE
    response = await served.synthetic.Generate(asked(user("a"), function=function))
    assert list(response.synthetic_data) == [scored([user("a")], a_1=1.0, a_0=0.0)]
    assert response.statistics["num_duplicates"] == value_of(1)
    assert abs(response.statistics["score_mean"].number_value - 1 / 3) < 1e-12
    response = await served.synthetic.Generate(asked(user("b"), function=function, deduplicate=False))
    texts = [item.message.completion.content.text for item in response.synthetic_data[0].scored_generations]
    assert texts == ["b/1", "b/0", "b/0"]


async def test_samples_that_fail_are_counted_and_left_out(served: Served) -> None:
    served.peers.inference.failing = frozenset({"bad"})
    response = await served.synthetic.Generate(asked(user("bad"), user("good")))
    assert list(response.synthetic_data) == [scored([user("good")], good_2=2.0)]
    found = {name: response.statistics[name].integer_value for name in ("num_dialogs", "num_errors", "num_samples")}
    assert found == {"num_dialogs": 2, "num_errors": 3, "num_samples": 3}


async def test_a_seed_gives_each_sample_of_a_dialog_a_seed_of_its_own(served: Served) -> None:
    await served.synthetic.Generate(asked(user("a"), user("b"), seed=7, function=pb.FILTERING_FUNCTION_RANDOM))
    calls = served.peers.inference.requests
    seeds = sorted((call.sampling_params.seed, len(call.messages_batch)) for call in calls)
    assert seeds == [(7, 2), (8, 2), (9, 2)]


async def test_without_a_reward_scores_are_zero_and_no_filter_may_look_at_them(served: Served) -> None:
    request = asked(user("a"), function=pb.FILTERING_FUNCTION_NONE, reward=None)
    response = await served.synthetic.Generate(request)
    assert list(response.synthetic_data) == [scored([user("a")], a_0=0.0, a_1=0.0, a_2=0.0)]
    assert served.peers.scoring.requests == []
    for function in ("TOP_K", "TOP_P", "TOP_K_TOP_P", "SIGMOID"):
        request.filtering_function = pb.FilteringFunction.Value(f"FILTERING_FUNCTION_{function}")
        assert await told(served.synthetic.Generate(request)) == (
            "FAILED_PRECONDITION",
            "the filtering function looks at scores; settings.reward is needed to have some",
        )


async def test_the_server_has_a_reward_model_of_its_own(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", ALTIPLANO_TRAINING_REWARD_MODEL_ID="mine") as served:
        await served.synthetic.Generate(asked(user("a"), reward=None))
        assert [call.model for call in served.peers.scoring.requests] == ["mine"]


async def test_requests_that_can_not_be_answered_are_told(served: Served) -> None:
    generate = served.synthetic.Generate
    assert await told(generate(asked(user("a"), Message(completion=said("b"))))) == (
        "INVALID_ARGUMENT",
        "dialogs: a list that ends with a user message is needed",
    )
    many = asked(*(user(str(number)) for number in range(100)), num_samples=50)
    assert await told(generate(many)) == (
        "RESOURCE_EXHAUSTED",
        "5000 samples are more than the 4096 of one answer; start a job",
    )
    unknown = asked(user("a"))
    unknown.model = "nobody"
    assert await told(generate(unknown)) == ("NOT_FOUND", "model 'nobody' does not exist")
    served.peers.scoring.failures.append(InvalidField("reference", "a reference is needed"))
    assert await told(generate(asked(user("a")))) == ("INVALID_ARGUMENT", "reference: a reference is needed")
    served.peers.inference.failures += [BackendUnavailable("gone")] * 2
    assert await told(generate(asked(user("a")))) == ("UNAVAILABLE", "gone")


async def test_only_so_many_calls_run_at_once(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", ALTIPLANO_TRAINING_GENERATIONS_AT_ONCE="1") as served:
        gate = served.peers.inference.gate = asyncio.Event()
        first = asyncio.ensure_future(served.synthetic.Generate(asked(user("a"))))

        async def arrived() -> bool:
            return bool(served.peers.inference.requests)

        await until(arrived)
        busy = ("RESOURCE_EXHAUSTED", "as many generations run as the service takes")
        assert await told(served.synthetic.Generate(asked(user("b")), timeout=5)) == busy
        gate.set()
        assert len((await first).synthetic_data) == 1
        await served.synthetic.Generate(asked(user("b")))


def job(uuid: str, **others: Any) -> jobs_pb.CreateSyntheticDataJobRequest:
    """Return a request for a job over the dataset ``prompts``."""
    values: dict[str, Any] = {
        "job_uuid": uuid,
        "filtering_function": pb.FILTERING_FUNCTION_TOP_K,
        "settings": pb.GenerationSettings(num_samples=2, reward=REWARD),
        "output_dataset_uuid": "out",
    } | others
    request = jobs_pb.CreateSyntheticDataJobRequest(**values)
    if not request.HasField("dataset"):
        request.dataset.content_url.uri = "dataset:prompts"
    return request


async def prompts(served: Served, number: int) -> None:
    await served.create("prompts", jsonl([{"prompt": f"p{n}"} for n in range(number)]), {"prompt": TEXT})


async def ended(served: Served, uuid: str) -> jobs_pb.SyntheticDataJob:
    """Wait for the end of a job."""

    async def look() -> jobs_pb.SyntheticDataJob | None:
        found = await served.synthetic.GetJobStatus(jobs_pb.GetSyntheticDataJobRequest(job_uuid=uuid))
        return found if found.state in FINAL else None

    found = await until(look)
    assert isinstance(found, jobs_pb.SyntheticDataJob)
    return found


def dialog(text: str, answer: str) -> list[dict[str, Any]]:
    last = {"role": "assistant", "content": answer, "stop_reason": "end_of_turn", "tool_calls": []}
    return [{"role": "user", "content": text}, last]


async def test_a_job_writes_the_answers_that_stay_as_a_dataset(served: Served) -> None:
    await prompts(served, 300)
    accepted = await served.synthetic.CreateJob(job("j", max_prompts=299))
    assert (accepted.job_uuid, accepted.state) == ("j", job_pb2.JOB_STATE_SCHEDULED)
    done = await ended(served, "j")
    assert (done.state, done.failure) == (job_pb2.JOB_STATE_COMPLETED, "")
    assert (done.prompts.done, done.prompts.total, done.prompts.HasField("eta_seconds")) == (299, 299, False)
    assert done.scheduled_at.ToNanoseconds() <= done.started_at.ToNanoseconds() <= done.completed_at.ToNanoseconds()
    assert (done.output.origin, done.output.num_rows) == (dataset_pb2.DATASET_ORIGIN_JOB, 299)
    assert done.output.columns == {"dialog": DIALOG, "score": NUMBER}
    assert dict(done.output.metadata) == {"job_uuid": value_of("j"), "model": value_of("llama")}
    rows = await served.rows("out")
    assert rows == [loose({"dialog": dialog(f"p{n}", f"p{n}/1"), "score": 1}) for n in range(299)]
    found = {name: done.statistics[name].integer_value for name in ("num_dialogs", "num_samples", "num_kept")}
    assert found == {"num_dialogs": 299, "num_samples": 598, "num_kept": 299}
    assert await served.synthetic.CreateJob(job("j", max_prompts=299)) == done
    assert (await told(served.synthetic.CreateJob(job("j"))))[0] == "ALREADY_EXISTS"
    assert sum(served.peers.inference.asked.values()) == 598


async def test_jobs_report_to_runs_of_one_experiment(served: Served) -> None:
    await prompts(served, 2)
    await served.synthetic.CreateJob(job("a", output_dataset_uuid="a"))
    assert (await ended(served, "a")).run_id == "r0"
    served.peers.scoring.failures.append(InvalidField("reference", "a reference is needed"))
    await served.synthetic.CreateJob(job("b", output_dataset_uuid="b"))
    assert (await ended(served, "b")).run_id == "r1"
    await served.app._submission.tidy()
    seen = served.peers.observability
    assert [item.name for item in seen.experiments] == ["synthetic data"]
    assert [run.status for run in seen.runs.values()] == ["completed", "failed"]
    values = {"job_uuid": "a", "model": "llama", "output_dataset_uuid": "a"}
    assert dict(seen.runs["r0"].metadata) == {name: value_of(value) for name, value in values.items()}
    assert {(metric.name, metric.run_id, metric.step) for metric in seen.metrics} == {
        (name, "r0", 2)
        for name in ("num_samples", "num_kept", "num_errors", "score_mean", "kept_score_mean", "completion_tokens")
    }


async def test_preferences_are_the_best_and_the_worst_with_references_out_of_dialogs(served: Served) -> None:
    rows = [{"d": dialog("a", "a/0")}, {"d": dialog("b", "?")}, {"d": dialog("one", "x")[:1]}]
    await served.create("prompts", jsonl(rows), {"d": DIALOG})
    settings = pb.GenerationSettings(num_samples=3, reward=REWARD)
    layout = jobs_pb.OUTPUT_LAYOUT_PREFERENCES
    await served.synthetic.CreateJob(job("j", output_layout=layout, settings=settings))
    assert (await ended(served, "j")).state == job_pb2.JOB_STATE_COMPLETED
    assert await served.rows("out") == [
        loose(
            {
                "chosen": dialog(text, f"{text}/{best}"),
                "chosen_score": high,
                "rejected": dialog(text, f"{text}/{worst}"),
                "rejected_score": low,
            }
        )
        for text, best, high, worst, low in (("a", 0, 100, 1, 1), ("b", 2, 2, 0, 0), ("one", 2, 2, 0, 0))
    ]


async def test_jobs_that_can_not_work_are_refused_when_they_are_submitted(served: Served) -> None:
    await served.create("prompts", jsonl([{"n": 1}]), {"n": NUMBER})
    create = served.synthetic.CreateJob
    assert await told(create(job("j"))) == (
        "INVALID_ARGUMENT",
        "dataset.columns: a column of type dialog or a column `prompt` of type text is needed",
    )
    unscored = job("j", settings=pb.GenerationSettings())
    assert (await told(create(unscored)))[0] == "FAILED_PRECONDITION"
    assert await told(create(job("j", model="nobody"))) == ("NOT_FOUND", "model 'nobody' does not exist")
    gone = job("j")
    gone.dataset.content_url.uri = "dataset:nobody"
    assert await told(create(gone)) == ("NOT_FOUND", "dataset 'nobody' does not exist")
    missing = ("NOT_FOUND", "job 'j' does not exist")
    assert await told(served.synthetic.GetJobStatus(jobs_pb.GetSyntheticDataJobRequest(job_uuid="j"))) == missing
    assert await told(served.synthetic.CancelJob(jobs_pb.CancelSyntheticDataJobRequest(job_uuid="j"))) == missing
    assert await told(served.synthetic.GetJobLogs(jobs_pb.GetSyntheticDataJobLogsRequest(job_uuid="j"))) == missing


async def test_a_job_fails_with_its_reason_and_waits_for_services_that_are_away(served: Served) -> None:
    await prompts(served, 2)
    served.peers.scoring.failures.append(InvalidField("reference", "a reference is needed"))
    await served.synthetic.CreateJob(job("bad"))
    failed = await ended(served, "bad")
    reason = "INVALID_FIELD: reference: a reference is needed"
    assert (failed.state, failed.failure) == (job_pb2.JOB_STATE_FAILED, reason)
    served.peers.inference.failures.append(BackendUnavailable("gone", retry_after_s=0.1))
    await served.synthetic.CreateJob(job("good"))
    assert (await ended(served, "good")).state == job_pb2.JOB_STATE_COMPLETED
    log = await served.synthetic.GetJobLogs(jobs_pb.GetSyntheticDataJobLogsRequest(job_uuid="good"))
    lines = [line.partition(" ")[2] for line in log.log_lines]
    assert lines == [
        "INFO attempt 1 begins",
        "WARNING gone; again in 1 s",
        "INFO 2 of 2 prompts are done",
        "INFO wrote revision 1",
    ]
    assert log.last_sequence == 4
    empty = job("none", filtering_function=pb.FILTERING_FUNCTION_SIGMOID)
    empty.settings.filtering_params.threshold = 1e6
    await served.synthetic.CreateJob(empty)
    assert (await ended(served, "none")).failure == "WRONG_STATE: no answer stayed, so that there is no row to write"


async def test_a_cancelled_job_ends_soon_writes_nothing_and_tells_who_did_it(served: Served) -> None:
    await prompts(served, 5)
    gate = served.peers.inference.gate = asyncio.Event()
    await served.synthetic.CreateJob(job("j"))

    async def arrived() -> bool:
        return bool(served.peers.inference.requests)

    await until(arrived)
    request = jobs_pb.GetSyntheticDataJobLogsRequest(job_uuid="j", after_sequence=1)

    async def followed() -> list[str]:
        return [
            line.partition(" ")[2] async for part in served.synthetic.FollowJobLogs(request) for line in part.log_lines
        ]

    following = asyncio.ensure_future(followed())
    await served.synthetic.CancelJob(jobs_pb.CancelSyntheticDataJobRequest(job_uuid="j"))
    done = await ended(served, "j")
    assert (done.state, done.failure) == (job_pb2.JOB_STATE_CANCELLED, "cancelled by local")
    assert await following == ["WARNING cancelled by local"]
    gate.set()
    await served.synthetic.CancelJob(jobs_pb.CancelSyntheticDataJobRequest(job_uuid="j"))
    gone = served.datasets.GetDataset(datasets_pb.GetDatasetRequest(dataset_uuid="out"))
    assert (await told(gone))[0] == "NOT_FOUND"
    await served.app._submission.tidy()
    await served.datasets.DeleteDataset(datasets_pb.DeleteDatasetRequest(dataset_uuid="prompts"))
    assert list((served.data / "datasets").iterdir()) == []


async def test_jobs_are_listed_newest_first_in_pages_and_by_state(served: Served) -> None:
    await prompts(served, 1)
    for name in ("a", "b", "c"):
        await served.synthetic.CreateJob(job(name, output_dataset_uuid=name))
        await ended(served, name)
    page = await served.synthetic.ListJobs(jobs_pb.ListSyntheticDataJobsRequest(page_size=2))
    rest = await served.synthetic.ListJobs(
        jobs_pb.ListSyntheticDataJobsRequest(page_size=2, page_token=page.next_page_token)
    )
    assert [item.job_uuid for item in (*page.jobs, *rest.jobs)] == ["c", "b", "a"]
    assert rest.next_page_token == ""
    request = jobs_pb.ListSyntheticDataJobsRequest(state=job_pb2.JOB_STATE_FAILED)
    assert list((await served.synthetic.ListJobs(request)).jobs) == []


async def test_dialogs_may_come_as_lists_alone(served: Served) -> None:
    request = pb.SyntheticDataGenerationRequest(
        filtering_function=pb.FILTERING_FUNCTION_NONE,
        dialog_batch=[MessageList(messages=[user("a")])],
        settings=pb.GenerationSettings(num_samples=1),
    )
    assert list((await served.synthetic.Generate(request)).synthetic_data) == [scored([user("a")], a_0=0.0)]


async def test_the_tables_are_those_of_the_migrations(served: Served) -> None:
    assert await differences(served.app._storage, METADATA) == []
