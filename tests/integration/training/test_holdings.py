"""The rows of training jobs: held while they are needed, let go of afterwards, taken again when a job goes on."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from llamastack.datasets.v1 import dataset_requests_pb2 as requests
from llamastack.datasets.v1.dataset_pb2 import TrainEvalDataset
from llamastack.post_training.v1.post_training_pb2 import PostTrainingSftRequest
from mesh.errors import WrongState
from mesh.identity import Identity
from mesh.jobs.job import Job, Request
from mesh.jobs.store import JobStore
from services.training.post_training.holdings import Holdings, files, holders
from services.training.post_training.lineage import Origin, source
from services.training.post_training.places import Places
from services.training.recipe import spec as recipe
from services.training.recipe.folder import JobFolder, Superseded
from services.training.recipe.spec import Base, Kind, Loop, Optimizer, Rows, Spec
from tests.integration.training.serving import TEXT, Served, described, jsonl

CALLER = Identity("ann", "acme", frozenset())
ONE = jsonl([{"q": "a"}])


class Desk:
    """Jobs with their rows, without a cluster; the library is that of a running service."""

    def __init__(self, served: Served) -> None:
        self.library = served.app._library
        self.store = JobStore(served.app._storage, "post_training")
        self.places = Places(served.data / "jobs")
        self.holdings = Holdings(self.store, self.library, self.places)

    async def job(self, uuid: str, dataset: TrainEvalDataset) -> Job:
        """Take a job in as the service does: its rows held, its folder written, itself stored."""
        asked = PostTrainingSftRequest(job_uuid=uuid, dataset=dataset)
        body = asked.SerializeToString(deterministic=True)
        held = await self.library.hold("acme", holders(uuid, body)[0], dataset)
        folder = self.places.folder("acme", uuid, body)
        folder.write_spec(recipe.write(spec(files(held))))
        known = source(held, dataset.content_url.uri)
        Origin("base", "base", False, None, known, None, "altiplano", "0" * 64, 1, None).write(folder.path)
        return await self.store.submit(Request("post_training.sft", body, CALLER, uuid))

    def rows(self, job: Job) -> list[bytes]:
        """Return what the job would read."""
        return [Path(name).read_bytes() for name in recipe.read(self.places.of(job).spec()).rows.files]

    async def held(self) -> list[str]:
        """Return the uuids of the jobs that hold rows."""
        return sorted(holder.split("/")[1] for _, holder in await self.library.held_by("post_training/"))


def spec(rows: tuple[str, ...]) -> Spec:
    """Return a training on rows in files."""
    return Spec(
        job="j",
        kind=Kind.SFT,
        base=Base("base"),
        rows=Rows(rows, 1, {"text": "q"}),
        optimizer=Optimizer("adamw", 1e-3, 0.0, 0.0),
        loop=Loop(epochs=1, iterations=0, batch_size=1),
    )


async def test_rows_are_gone_with_the_dataset_once_the_job_is_over_and_the_job_can_not_go_on(served: Served) -> None:
    desk = Desk(served)
    await desk.library.create("acme", requests.CreateDatasetRequest(uuid="d", dataset=described(ONE, {"q": TEXT})))
    job = await desk.job("j", described("dataset:d", {"q": TEXT}))
    await desk.library.delete("acme", "d")
    # a job that waits keeps what it needs
    await desk.holdings.take(job)
    assert desk.rows(job) == [b'{"q":"a"}\n']
    await desk.holdings.release(job)
    assert list((served.data / "datasets").glob("*")) == []
    with pytest.raises(WrongState) as refusal:
        await desk.holdings.take(job)
    assert refusal.value.message == "dataset: the rows that the job began with are gone; dataset 'd' does not exist"


async def test_a_job_goes_on_with_the_revision_that_it_began_with(served: Served) -> None:
    desk = Desk(served)
    await desk.library.create("acme", requests.CreateDatasetRequest(uuid="d", dataset=described(ONE, {"q": TEXT})))
    job = await desk.job("j", described("dataset:d", {"q": TEXT}))
    await desk.holdings.release(job)
    newer = described(jsonl([{"q": "b"}]), {"q": TEXT})
    await desk.library.revise("acme", requests.ReviseDatasetRequest(dataset_uuid="d", dataset=newer))
    await desk.holdings.take(job)
    assert desk.rows(job) == [b'{"q":"a"}\n']


async def test_rows_of_a_url_are_read_again_and_have_to_be_the_same(served: Served, tmp_path: Path) -> None:
    desk = Desk(served)
    file = tmp_path / "files" / "rows.jsonl"
    file.write_text('{"q": "a"}\n')
    job = await desk.job("j", described(file.as_uri(), {"q": TEXT}))
    before = recipe.read(desk.places.of(job).spec())
    await desk.holdings.release(job)
    await desk.holdings.take(job)
    assert desk.rows(job) == [b'{"q":"a"}\n']
    after = recipe.read(desk.places.of(job).spec())
    assert after != before
    assert replace(after, rows=before.rows) == before
    await desk.holdings.release(job)
    file.write_text('{"q": "b"}\n')
    with pytest.raises(WrongState) as refusal:
        await desk.holdings.take(job)
    assert refusal.value.message == "dataset: there are other rows now than those that the job began with"
    assert await desk.held() == []


async def test_what_jobs_that_are_over_still_hold_is_swept_up(served: Served) -> None:
    desk = Desk(served)
    over, waits = [await desk.job(uuid, described(ONE, {"q": TEXT})) for uuid in ("over", "waits")]
    attempts = [JobFolder(desk.places.of(job).path, 1) for job in (over, waits)]
    for attempt in attempts:
        attempt.fence(1)
    await desk.store.cancel("acme", "over")
    unstored = f"post_training/lost/{sha256(b'').hexdigest()[:16]}/dataset"
    await desk.library.hold("acme", unstored, described(ONE, {"q": TEXT}))
    assert await desk.held() == ["lost", "over", "waits"]
    await desk.holdings.sweep(alone=False)
    assert await desk.held() == ["lost", "waits"]
    # what may still run of a job that is over writes no more
    with pytest.raises(Superseded):
        attempts[0].check()
    attempts[1].check()
    await desk.holdings.sweep(alone=True)
    assert await desk.held() == ["waits"]
