"""Datasets from http, S3 and a hub, each a server on loopback; and rows that are kept in S3's stead elsewhere."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llamastack.datasets.v1 import dataset_requests_pb2 as pb
from tests.integration.training.serving import NUMBER, TEXT, loose, serving, told
from tests.integration.training.sites import Site, hub_site, s3_site, web_site

TWO = {"q": TEXT, "n": NUMBER}
ROWS = [{"q": "a", "n": 1}, {"q": "b", "n": 2.5}]
LINES = b'{"q": "a", "n": 1}\n{"q": "b", "n": 2.5}\n'


def parquet() -> bytes:
    """Return the rows as a Parquet file."""
    file = io.BytesIO()
    pq.write_table(pa.table({"q": ["a", "b"], "n": [1.0, 2.5]}), file)
    return file.getvalue()


async def test_files_of_the_web_are_read_from_hosts_that_are_allowed(tmp_path: Path) -> None:
    site = Site({"/rows.jsonl": LINES, "/rows.parquet": parquet()})
    async with (
        web_site(site),
        serving(tmp_path / "data", ALTIPLANO_TRAINING_PRIVATE_HOSTS="127.0.0.1") as served,
    ):
        made = await served.create("a", f"{site.url}/rows.jsonl?signature=secret", TWO)
        other = await served.create("b", f"{site.url}/to/{site.url}/rows.parquet", TWO)
        assert made.content_hash == other.content_hash
        assert await served.rows("b") == [loose(row) for row in ROWS]
        shown = await served.datasets.GetDataset(pb.GetDatasetRequest(dataset_uuid="a"))
        assert shown.dataset.content_url.uri == f"{site.url}/rows.jsonl"
        assert await told(served.create("c", f"{site.url}/none.csv", TWO)) == (
            "INVALID_ARGUMENT",
            "dataset.content_url: a file is needed; the host answered 404",
        )
        assert await told(served.create("c", f"{site.url}/to/http://localhost:1/rows.csv", TWO)) == (
            "INVALID_ARGUMENT",
            "dataset.content_url: a host with public addresses alone is needed",
        )
        assert (await told(served.create("c", "http://127.0.0.1:1/rows.csv", TWO)))[0] == "UNAVAILABLE"


async def test_a_line_without_an_end_stops_the_transfer(tmp_path: Path) -> None:
    async with (
        web_site(Site()) as site,
        serving(tmp_path / "data", ALTIPLANO_TRAINING_PRIVATE_HOSTS="127.0.0.1") as served,
    ):
        assert await told(served.create("a", f"{site.url}/endless.jsonl", TWO)) == (
            "INVALID_ARGUMENT",
            "dataset.content_url: line 1 is longer than 8388608 bytes",
        )


async def test_objects_are_read_and_private_ones_below_the_own_prefixes_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "hidden", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    site = Site({"/public/rows.jsonl": LINES, "/private/own/rows.parquet": parquet(), "/private/rows.csv": b"q,n\n"})
    settings = {"ALTIPLANO_TRAINING_OWN_PREFIXES": "s3://private/own"}
    async with s3_site(site), serving(tmp_path / "data", **settings, ALTIPLANO_TRAINING_S3_ENDPOINT=site.url) as served:
        await served.create("a", "s3://public/rows.jsonl", TWO)
        assert not any("authorization" in headers for _, headers in site.seen)
        await served.create("b", "s3://private/own/rows.parquet", TWO)
        assert await served.rows("a") == await served.rows("b") == [loose(row) for row in ROWS]
        missing = "dataset.content_url: an object that is there and may be read is needed"
        for url in ("s3://private/rows.csv", "s3://public/none.csv", "s3://private/own/../rows.csv"):
            assert await told(served.create("c", url, TWO)) == ("INVALID_ARGUMENT", missing)
    async with serving(tmp_path / "away", ALTIPLANO_TRAINING_S3_ENDPOINT="http://127.0.0.1:1") as served:
        assert (await told(served.create("a", "s3://public/rows.jsonl", TWO)))[0] == "UNAVAILABLE"


async def test_files_and_whole_datasets_of_a_hub_are_read(tmp_path: Path) -> None:
    site = Site({"/data/train.jsonl": LINES, "/rows.parquet": parquet()})
    async with hub_site(site), serving(tmp_path / "data", ALTIPLANO_TRAINING_HUB_ENDPOINT=site.url) as served:
        await served.create("file", "hf://datasets/owner/name/rows.parquet", TWO)
        await served.create("whole", "hf://datasets/owner/name?split=train", TWO)
        assert await served.rows("file") == await served.rows("whole") == [loose(row) for row in ROWS]
        assert await told(served.create("c", "hf://datasets/owner/name/none.csv", TWO)) == (
            "INVALID_ARGUMENT",
            "dataset.content_url: a file or dataset of the hub that everybody may read is needed",
        )


async def test_a_hub_that_is_away_is_told(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", ALTIPLANO_TRAINING_HUB_ENDPOINT="http://127.0.0.1:1") as served:
        answer = await told(served.create("a", "hf://datasets/owner/name/rows.csv", TWO))
        assert answer == ("UNAVAILABLE", "the hub can't be reached")


async def test_a_store_that_is_away_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "hidden", "MAX_ATTEMPTS": "1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    settings = {"DATASET_STORE_URL": "s3://rows", "S3_ENDPOINT": "http://127.0.0.1:1"}
    async with serving(
        tmp_path / "data", **{f"ALTIPLANO_TRAINING_{name}": value for name, value in settings.items()}
    ) as served:
        away = ("UNAVAILABLE", "the place of the rows can't be reached")
        assert await told(served.create("a", "data:text/csv,q,n%0Aa,1", TWO)) == away


async def test_rows_can_be_kept_in_a_bucket_and_are_copied_for_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "hidden", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    site = Site()
    async with s3_site(site):
        settings = {"DATASET_STORE_URL": "s3://private/rows", "S3_ENDPOINT": site.url}
        async with serving(
            tmp_path / "data", **{f"ALTIPLANO_TRAINING_{name}": value for name, value in settings.items()}
        ) as served:
            await served.create("a", "data:text/csv,q,n%0Aa,1%0Ab,2.5", TWO)
            assert list(site.files.values()) == [b'{"n":1,"q":"a"}\n{"n":2.5,"q":"b"}\n']
            assert await served.rows("a") == [loose(row) for row in ROWS]
            library = served.app._library
            request = pb.CreateDatasetRequest()
            request.dataset.content_url.uri = "dataset:a"
            held = await library.hold("default", "job", request.dataset)
            assert [shard.path.read_bytes() for shard in held.shards] == list(site.files.values())
            await library.release("default", "job")
            await served.datasets.DeleteDataset(pb.DeleteDatasetRequest(dataset_uuid="a"))
            assert site.files == {}
            assert not held.shards[0].path.exists()


async def test_rows_can_be_kept_elsewhere(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", ALTIPLANO_TRAINING_DATASET_STORE_URL="memory://rows") as served:
        await served.create("a", "data:text/csv,q,n%0Aa,1%0Ab,2.5", TWO)
        assert await served.rows("a") == [loose(row) for row in ROWS]
        assert not (tmp_path / "data" / "datasets").exists()
        library = served.app._library
        request = pb.CreateDatasetRequest()
        request.dataset.content_url.uri = "dataset:a"
        held = await library.hold("default", "job", request.dataset)
        assert [shard.path.read_bytes() for shard in held.shards] == [b'{"n":1,"q":"a"}\n{"n":2.5,"q":"b"}\n']
        await served.datasets.DeleteDataset(pb.DeleteDatasetRequest(dataset_uuid="a"))
        await library.release("default", "job")
        assert not held.shards[0].path.exists()
