"""The training service as a whole: its tenants and its databases."""

from __future__ import annotations

import asyncio
from pathlib import Path

from llamastack.common.v1 import job_pb2
from llamastack.datasets.v1 import dataset_requests_pb2 as pb
from llamastack.synthetic_data_generation.v1 import job_pb2 as jobs_pb
from mesh.auth.config import AuthConfig
from mesh.client import Client, ClientConfig
from mesh.identity import Identity, acting_as
from mesh.migrations import differences
from services.training.datasets.tables import METADATA as DATASETS
from services.training.synthetic.tables import METADATA as SYNTHETIC
from tests.integration.training.serving import NUMBER, TEXT, jsonl, loose, serving, told
from tests.integration.training.test_synthetic import ended, job, prompts

TWO = {"q": TEXT, "n": NUMBER}


async def test_tenants_see_their_own_datasets_and_jobs_alone(tmp_path: Path) -> None:
    secret = "s" * 32
    companion = AuthConfig(mesh_secrets=(secret,)).companion("test")
    assert companion is not None
    ann = Identity("user:ann", "acme", frozenset({"*:*"}))
    bob = Identity("user:bob", "bolt", frozenset({"*:*"}))
    client = Client(ClientConfig(), [companion])
    async with serving(tmp_path / "data", client, ALTIPLANO_MESH_SECRET=secret) as served:
        for tenant in (ann, bob):
            with acting_as(tenant):
                await served.create("mine", jsonl([{"q": tenant.tenant, "n": 1}]), TWO)
        with acting_as(ann):
            await served.create("anns", jsonl([{"q": "a", "n": 1}]), TWO)
            await prompts(served, 1)
            await served.synthetic.CreateJob(job("j"))
            assert (await ended(served, "j")).output.num_rows == 1
        with acting_as(bob):
            missing = ("NOT_FOUND", "dataset 'anns' does not exist")
            assert await told(served.datasets.GetDataset(pb.GetDatasetRequest(dataset_uuid="anns"))) == missing
            assert await told(served.datasets.DeleteDataset(pb.DeleteDatasetRequest(dataset_uuid="anns"))) == missing
            assert await told(served.create("copy", "dataset:anns", {})) == missing
            assert await served.rows("mine") == [loose({"q": "bolt", "n": 1})]
            listed = await served.datasets.ListDatasets(pb.ListDatasetsRequest())
            assert [item.dataset_uuid for item in listed.datasets] == ["mine"]
            status = served.synthetic.GetJobStatus(jobs_pb.GetSyntheticDataJobRequest(job_uuid="j"))
            assert await told(status) == ("NOT_FOUND", "job 'j' does not exist")
            assert list((await served.synthetic.ListJobs(jobs_pb.ListSyntheticDataJobsRequest())).jobs) == []


async def test_postgresql_keeps_the_same_state(postgres_url: str, tmp_path: Path) -> None:
    async with serving(tmp_path / "data", ALTIPLANO_TRAINING_DATABASE_URL=postgres_url) as served:
        for metadata in (DATASETS, SYNTHETIC):
            assert await differences(served.app._storage, metadata) == []
        url = jsonl([{"q": "a", "n": 1}])
        made = await asyncio.gather(*(served.create("one", url, TWO) for _ in range(3)))
        assert made[0] == made[1] == made[2]
        several = (served.revise("one", jsonl([{"q": "a", "n": n}]), TWO) for n in range(2, 5))
        assert sorted(revision.revision for revision in await asyncio.gather(*several)) == ["2", "3", "4"]
        await prompts(served, 3)
        await served.synthetic.CreateJob(job("j"))
        done = await ended(served, "j")
        assert (done.state, done.output.num_rows) == (job_pb2.JOB_STATE_COMPLETED, 3)
        await served.app._submission.tidy()
        for name in ("one", "prompts", "out"):
            await served.datasets.DeleteDataset(pb.DeleteDatasetRequest(dataset_uuid=name))
        assert list((served.data / "datasets").iterdir()) == []


async def test_what_was_begun_when_the_process_died_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "data" / "staging" / "half").mkdir(parents=True)
    async with serving(tmp_path / "data") as served:
        catalog = served.app._library._catalog
        await catalog.expect("gone")
        (tmp_path / "data" / "datasets" / "gone").mkdir(parents=True)
        await served.create("one", jsonl([{"q": "a", "n": 1}]), TWO)
    async with serving(tmp_path / "data") as served:
        assert len(list((tmp_path / "data" / "datasets").iterdir())) == 1
        assert await served.rows("one") == [loose({"q": "a", "n": 1})]
        assert not (tmp_path / "data" / "staging" / "half").exists()
        assert await served.app._library._catalog.leftovers(1e12) == []
