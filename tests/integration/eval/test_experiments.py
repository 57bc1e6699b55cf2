"""Experiments and runs: made, found, changed, whose they are."""

from __future__ import annotations

from pathlib import Path

from llamastack.observability.v1 import experiment_pb2 as pb
from mesh.auth.config import AuthConfig
from mesh.client import Client, ClientConfig
from mesh.errors import InvalidField, OutOfRange, ResourceNotFound
from mesh.identity import Identity, acting_as
from mesh.migrations import differences
from mesh.server import Attachments
from services.eval.observability.tables import METADATA
from tests.integration.eval.record import Recorded, at, recording, refused, values


async def test_an_experiment_is_what_was_said_about_it(record: Recorded) -> None:
    made = await record.experiment("Größe\0", size=3, who={"a": [1, None]})
    assert made == pb.Experiment(
        id=made.id,
        name="Größe\0",
        status=pb.EXPERIMENT_STATUS_NOT_STARTED,
        created_at=at(record.clock[0]),
        updated_at=at(record.clock[0]),
        metadata=values(size=3, who={"a": [1, None]}),
    )
    assert await record.stub.GetExperiment(pb.GetExperimentRequest(experiment_id=made.id)) == made


async def test_the_first_run_sets_an_experiment_running(record: Recorded) -> None:
    made = await record.experiment()
    run = await record.run(made.id, lr=0.1)
    assert run == pb.Run(
        id=run.id, experiment_id=made.id, status="running", started_at=at(record.clock[0]), metadata=values(lr=0.1)
    )
    known = await record.stub.GetExperiment(pb.GetExperimentRequest(experiment_id=made.id))
    assert (known.status, known.updated_at) == (pb.EXPERIMENT_STATUS_RUNNING, at(record.clock[0]))
    done = pb.UpdateExperimentRequest(experiment_id=made.id, status=pb.EXPERIMENT_STATUS_COMPLETED)
    await record.stub.UpdateExperiment(done)
    await record.run(made.id)
    known = await record.stub.GetExperiment(pb.GetExperimentRequest(experiment_id=made.id))
    assert known.status == pb.EXPERIMENT_STATUS_COMPLETED


async def test_an_update_adds_replaces_and_takes_away_metadata(record: Recorded) -> None:
    made = await record.experiment(kept=1, replaced="old", gone=True)
    changes = values(replaced="new", gone=None, added=[1])
    updated = await record.stub.UpdateExperiment(pb.UpdateExperimentRequest(experiment_id=made.id, metadata=changes))
    assert dict(updated.metadata) == values(kept=1, replaced="new", added=[1])
    run = await record.run(made.id, kept=1, gone=2)
    request = pb.UpdateRunRequest(run_id=run.id, status="completed", ended_at=at(5), metadata=values(gone=None, new=3))
    ended = await record.stub.UpdateRun(request)
    assert (ended.status, ended.ended_at, dict(ended.metadata)) == ("completed", at(5), values(kept=1, new=3))
    assert await record.stub.GetRun(pb.GetRunRequest(run_id=run.id)) == ended
    found = await record.stub.ListRuns(pb.ListRunsRequest(filters=values(gone=2)))
    assert list(found.runs) == []


async def test_too_much_metadata_is_refused_and_nothing_changes(embedded: Recorded) -> None:
    made = await embedded.experiment(**{f"m{number}": number for number in range(1000)})
    changes = values(**{f"n{number}": number for number in range(100)})
    error = await refused(
        embedded.stub.UpdateExperiment(pb.UpdateExperimentRequest(experiment_id=made.id, metadata=changes))
    )
    assert isinstance(error, InvalidField)
    assert await embedded.stub.GetExperiment(pb.GetExperimentRequest(experiment_id=made.id)) == made


async def test_experiments_are_found_by_name_status_and_metadata(record: Recorded) -> None:
    summer = await record.experiment("SOMMER 100%", year=2024)
    winter = await record.experiment("Winter", year=2024.0, big=10**30)
    await record.run(winter.id)

    async def found(**conditions: object) -> list[str]:
        answer = await record.stub.ListExperiments(pb.ListExperimentsRequest(**conditions))  # type: ignore[arg-type]
        return [item.id for item in answer.experiments]

    assert await found() == [winter.id, summer.id]
    assert await found(query="sommer") == [summer.id]
    assert await found(query="0%") == [summer.id]
    assert await found(query="%w%") == []
    assert await found(status=pb.EXPERIMENT_STATUS_RUNNING) == [winter.id]
    assert await found(filters=values(year=2024)) == [winter.id, summer.id]
    assert await found(filters=values(year=2024, big=10**30)) == [winter.id]
    assert await found(filters=values(year="2024")) == []


async def test_lists_come_in_pages_that_neither_repeat_nor_lose(record: Recorded) -> None:
    made = [await record.experiment(str(number)) for number in range(5)]
    runs = [await record.run(made[0].id, number=number) for number in range(5)]
    seen: list[str] = []
    request = pb.ListExperimentsRequest(page_size=2)
    while True:
        page = await record.stub.ListExperiments(request)
        seen += [item.name for item in page.experiments]
        if not page.next_page_token:
            break
        await record.experiment("later")
        request.page_token = page.next_page_token
    assert seen == ["4", "3", "2", "1", "0"]
    first = await record.stub.ListRuns(pb.ListRunsRequest(experiment_id=made[0].id, page_size=3))
    rest = pb.ListRunsRequest(experiment_id=made[0].id, page_size=3, page_token=first.next_page_token)
    assert [*first.runs, *(await record.stub.ListRuns(rest)).runs] == runs[::-1]
    error = await refused(record.stub.ListExperiments(pb.ListExperimentsRequest(page_token=first.next_page_token)))
    assert isinstance(error, OutOfRange)


async def test_runs_are_found_by_experiment_status_and_metadata(record: Recorded) -> None:
    one, two = await record.experiment(), await record.experiment()
    first, second = await record.run(one.id, job="a"), await record.run(two.id, job="b")
    await record.stub.UpdateRun(pb.UpdateRunRequest(run_id=second.id, status="failed"))

    async def found(**conditions: object) -> list[str]:
        answer = await record.stub.ListRuns(pb.ListRunsRequest(**conditions))  # type: ignore[arg-type]
        return [item.id for item in answer.runs]

    assert await found(experiment_id=one.id) == [first.id]
    assert await found(status="failed") == [second.id]
    assert await found(filters=values(job="a")) == [first.id]
    error = await refused(record.stub.ListRuns(pb.ListRunsRequest(experiment_id="none")))
    assert isinstance(error, ResourceNotFound)


async def test_what_is_another_tenants_is_not_there(tmp_path: Path) -> None:
    auth = AuthConfig(mesh_secrets=("s" * 32,))
    companion = auth.companion("test")
    assert companion is not None
    ann = Identity("user:ann", "acme", frozenset({"*:*"}))
    bob = Identity("user:bob", "bolt", frozenset({"*:*"}))
    attachments = Attachments(authenticator=auth.services())
    client = Client(ClientConfig(), [companion])
    async with recording(tmp_path, attachments=attachments, client=client) as record:
        with acting_as(ann):
            made = await record.experiment()
            run = await record.run(made.id)
            artifact = await record.upload(made.id, "a.txt", b"secret")
        with acting_as(bob):
            stub = record.stub
            assert list((await stub.ListExperiments(pb.ListExperimentsRequest())).experiments) == []
            assert list((await stub.ListRuns(pb.ListRunsRequest())).runs) == []
            calls = [
                stub.GetExperiment(pb.GetExperimentRequest(experiment_id=made.id)),
                stub.UpdateExperiment(pb.UpdateExperimentRequest(experiment_id=made.id)),
                stub.CreateRun(pb.CreateRunRequest(experiment_id=made.id)),
                stub.GetRun(pb.GetRunRequest(run_id=run.id)),
                stub.UpdateRun(pb.UpdateRunRequest(run_id=run.id)),
                stub.ExportRun(pb.ExportRunRequest(run_id=run.id)),
            ]
            for call in [*calls, record.download(artifact.id)]:
                assert isinstance(await refused(call), ResourceNotFound)


async def test_the_migrations_make_the_tables_of_the_code(record: Recorded) -> None:
    assert await differences(record.storage, METADATA) == []
