"""Artifacts in S3: stored, linked, read in parts, lost, and out of reach."""

from __future__ import annotations

from pathlib import Path

import pytest

from llamastack.common.v1.content_pb2 import Url
from llamastack.observability.v1 import artifact_pb2 as pb
from mesh.errors import BackendUnavailable, DataLoss, InvalidField
from services.eval.observability.files import Files
from tests.integration.eval.object_store import object_store
from tests.integration.eval.record import MIB, Recorded, recording, refused

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Give the S3 client keys, and none of this machine's settings."""
    for name, value in {"AWS_ACCESS_KEY_ID": "ours", "AWS_SECRET_ACCESS_KEY": "secret"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


async def read(record: Recorded, artifact_id: str, offset: int = 0) -> bytes:
    """Return the bytes of an artifact."""
    return b"".join([piece.chunk for piece in await record.download(artifact_id, offset)])


async def test_files_are_kept_in_s3_and_found_there(tmp_path: Path) -> None:
    async with object_store() as store:
        files = Files("s3://ours/artifacts", ["s3://shared/models"], store.url)
        store.objects["/shared/models/tiny/config.json"] = b"{}"
        store.objects["/other/models/config.json"] = b"{}"
        async with recording(tmp_path, files=files) as record:
            made = await record.experiment()
            data = bytes(range(256)) * 4 * 1024 + b"the end"
            kept = await record.upload(made.id, "weights.bin", data)
            assert [path.rpartition("/")[2] for path in store.objects if path.startswith("/ours/artifacts/")] == [
                kept.id
            ]
            assert await read(record, kept.id) == data
            assert await read(record, kept.id, MIB) == b"the end"
            folder = await record.stub.LinkArtifact(link(made.id, "s3://shared/models/tiny"))
            file = await record.stub.LinkArtifact(link(made.id, "s3://shared/models/tiny/config.json"))
            assert (folder.size, folder.HasField("sha256"), file.size) == (2, False, 2)
            assert await read(record, file.id) == b"{}"
            for url in ("s3://other/models/config.json", "s3://shared/models/../x", "s3://shared/models/none"):
                assert isinstance(await refused(record.stub.LinkArtifact(link(made.id, url))), InvalidField)
            del store.objects["/shared/models/tiny/config.json"]
            assert isinstance(await refused(record.download(file.id)), DataLoss)


async def test_a_store_out_of_reach_is_said_to_be_so(tmp_path: Path) -> None:
    files = Files("s3://ours/artifacts", [], "http://127.0.0.1:1")
    async with recording(tmp_path, files=files) as record:
        made = await record.experiment()
        error = await refused(record.upload(made.id, "a.txt", b"x"))
        assert isinstance(error, BackendUnavailable)
        assert error.message == "the store of artifacts can't be written"


def link(experiment_id: str, url: str) -> pb.LinkArtifactRequest:
    """Return a request for a link."""
    return pb.LinkArtifactRequest(
        experiment_id=experiment_id, name="config.json", type=pb.ARTIFACT_TYPE_MODEL, url=Url(uri=url)
    )
