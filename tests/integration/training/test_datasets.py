"""Datasets over the wire: made, revised, looked at, read, uploaded, copied and deleted."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from llamastack.datasets.v1 import dataset_pb2
from llamastack.datasets.v1 import dataset_requests_pb2 as pb
from mesh.migrations import differences
from services.training.datasets.tables import METADATA
from tests.integration.training.serving import (
    DIALOG,
    JSON,
    MEDIA,
    NUMBER,
    TEXT,
    Served,
    described,
    jsonl,
    loose,
    told,
)

CHAT = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]
ROWS = [
    {"chat": CHAT, "note": "é", "image": "data:image/png;base64,AA==", "score": 1.5, "more": {"a": [1, None]}},
    {"chat": CHAT[:1], "note": "", "image": "http://host/x", "score": -2, "more": 2**70},
]
COLUMNS = {"chat": DIALOG, "note": TEXT, "image": MEDIA, "score": NUMBER, "more": JSON}
TWO = {"q": TEXT, "n": NUMBER}


async def test_a_dataset_of_every_type_comes_back_as_it_was(served: Served) -> None:
    made = await served.create("all", jsonl([row | {"dropped": 1} for row in ROWS]), COLUMNS, who="me")
    assert await served.rows("all") == [loose(row) for row in ROWS]
    answer = await served.datasets.GetDataset(pb.GetDatasetRequest(dataset_uuid="all"))
    url = jsonl([row | {"dropped": 1} for row in ROWS])
    assert answer == pb.GetDatasetResponse(dataset=described(url, COLUMNS, who="me"), revision=made)
    stored = [file for file in (served.data / "datasets").rglob("*") if file.is_file()]
    content = b"".join(file.read_bytes() for file in stored)
    assert made == dataset_pb2.DatasetRevision(
        dataset_uuid="all",
        revision="1",
        content_hash=sha256(content).hexdigest(),
        num_rows=2,
        size_bytes=len(content),
        columns=COLUMNS,
        origin=dataset_pb2.DATASET_ORIGIN_URL,
        created_at=made.created_at,
        metadata=described("x:", {}, who="me").metadata,
    )


async def test_equal_rows_have_an_equal_hash_in_every_format(served: Served, tmp_path: Path) -> None:
    table = pa.table({"q": ["a", "b, c"], "n": [1.0, 2.5], "unused": [0, 0]})
    pq.write_table(table, tmp_path / "files" / "rows.parquet")
    (tmp_path / "files" / "rows.csv").write_text('n,q\n1,a\n2.5,"b, c"\n')
    (tmp_path / "files" / "rows.data").write_text('{"n": 1, "q": "a"}\n\n{"q": "b, c", "n": 2.50}\n')
    folder = (tmp_path / "files").as_uri()
    made = [
        await served.create("parquet", f"{folder}/rows.parquet", TWO),
        await served.create("csv", f"{folder}/rows.csv", TWO),
        await served.create("jsonl", f"{folder}/rows.data", TWO, format="jsonl"),
    ]
    assert len({revision.content_hash for revision in made}) == 1
    assert await served.rows("parquet") == [loose({"q": "a", "n": 1}), loose({"q": "b, c", "n": 2.5})]


async def test_the_same_request_again_changes_nothing_and_another_one_is_refused(served: Served) -> None:
    url = jsonl([{"q": "a", "n": 1}])
    made = await asyncio.gather(*(served.create("one", url, TWO) for _ in range(3)))
    assert made[0] == made[1] == made[2]
    other = served.create("one", jsonl([{"q": "b", "n": 1}]), TWO)
    assert await told(other) == ("ALREADY_EXISTS", "dataset 'one' exists already and is a different one")
    assert len(list((served.data / "datasets").iterdir())) == 1


async def test_revisions_follow_each_other_and_never_change(served: Served) -> None:
    await served.create("r", jsonl([{"q": "a", "n": 1}]), TWO)
    second = await served.revise("r", jsonl([{"q": "b", "n": 2}]), TWO)
    assert (second.revision, second.parent_revision) == ("2", "1")
    assert await served.revise("r", jsonl([{"n": 2.0, "q": "b"}]), TWO) == second
    assert await served.rows("r", "1") == [loose({"q": "a", "n": 1})]
    request = pb.ReviseDatasetRequest(
        dataset_uuid="r", dataset=described(jsonl([{"q": "c", "n": 3}]), TWO), parent_revision="1"
    )
    assert await told(served.datasets.ReviseDataset(request)) == ("ABORTED", "revision 2 of dataset 'r' came first")
    request.parent_revision = "2"
    third = (await served.datasets.ReviseDataset(request)).revision
    assert third.revision == "3"
    first_page = await served.datasets.ListDatasetRevisions(
        pb.ListDatasetRevisionsRequest(dataset_uuid="r", page_size=2)
    )
    rest = await served.datasets.ListDatasetRevisions(
        pb.ListDatasetRevisionsRequest(dataset_uuid="r", page_size=2, page_token=first_page.next_page_token)
    )
    names = [revision.revision for revision in (*first_page.revisions, *rest.revisions)]
    assert (names, rest.next_page_token) == (["3", "2", "1"], "")


async def test_lists_come_in_pages_by_id_with_the_latest_revision(served: Served) -> None:
    for name in ("b", "a", "c"):
        await served.create(name, jsonl([{"q": name, "n": 1}]), TWO)
    await served.revise("b", jsonl([{"q": "new", "n": 1}]), TWO)
    page = await served.datasets.ListDatasets(pb.ListDatasetsRequest(page_size=2))
    rest = await served.datasets.ListDatasets(pb.ListDatasetsRequest(page_size=2, page_token=page.next_page_token))
    found = [(item.dataset_uuid, item.revision) for item in (*page.datasets, *rest.datasets)]
    assert (found, rest.next_page_token) == ([("a", "1"), ("b", "2"), ("c", "1")], "")


async def test_a_preview_is_a_window_into_the_rows(served: Served) -> None:
    await served.create("many", jsonl([{"q": str(n), "n": n} for n in range(25)]), TWO)
    first = await served.datasets.PreviewDataset(pb.PreviewDatasetRequest(dataset_uuid="many"))
    assert ([row.fields["n"].integer_value for row in first.rows], first.num_rows) == (list(range(10)), 25)
    last = await served.datasets.PreviewDataset(pb.PreviewDatasetRequest(dataset_uuid="many", offset=23, limit=7))
    assert [dict(row.fields) for row in last.rows] == [loose({"q": "23", "n": 23}), loose({"q": "24", "n": 24})]
    past = served.datasets.PreviewDataset(pb.PreviewDatasetRequest(dataset_uuid="many", offset=25))
    assert await told(past) == (
        "OUT_OF_RANGE",
        "the dataset has 25 rows, counted from 0; there is no row 25",
    )


async def test_statistics_describe_the_sizes_of_each_column(served: Served) -> None:
    made = await served.create("all", jsonl([*ROWS, ROWS[0]]), COLUMNS)
    answer = await served.datasets.GetDatasetStatistics(pb.GetDatasetStatisticsRequest(dataset_uuid="all"))
    assert answer.revision == made
    score, note, chat = answer.columns["score"], answer.columns["note"], answer.columns["chat"]
    assert (score.type, score.num_empty, score.num_distinct) == (NUMBER, 0, 2)
    assert (score.min, score.max, score.median) == (-2.0, 1.5, 1.5)
    assert abs(score.mean - 1 / 3) < 1e-12
    assert abs(score.stddev - 1.6499158) < 1e-6
    assert (note.num_empty, note.num_distinct, note.max) == (1, 2, 1.0)
    assert (chat.min, chat.max) == (1.0, 2.0)


async def test_a_stored_dataset_can_be_copied_with_some_of_its_columns(served: Served) -> None:
    await served.create("source", jsonl([{"q": "a", "n": 1}]), TWO)
    await served.revise("source", jsonl([{"q": "b", "n": 2}]), TWO)
    await served.create("copy", "dataset:source@1", {"q": TEXT})
    await served.create("whole", "dataset:source", {})
    assert await served.rows("copy") == [loose({"q": "a"})]
    assert await served.rows("whole") == [loose({"q": "b", "n": 2})]
    other = served.create("other", "dataset:source", {"q": NUMBER})
    assert await told(other) == (
        "INVALID_ARGUMENT",
        "dataset.columns['q']: a column of the stored dataset is needed; it is of type text",
    )
    gone = served.create("other", "dataset:source@9", {})
    assert await told(gone) == ("NOT_FOUND", "dataset revision 'source@9' does not exist")


async def test_a_deleted_dataset_is_gone_with_its_files(served: Served) -> None:
    await served.create("d", jsonl([{"q": "a", "n": 1}]), TWO)
    await served.revise("d", jsonl([{"q": "b", "n": 1}]), TWO)
    await served.datasets.DeleteDataset(pb.DeleteDatasetRequest(dataset_uuid="d"))
    missing = ("NOT_FOUND", "dataset 'd' does not exist")
    assert await told(served.datasets.GetDataset(pb.GetDatasetRequest(dataset_uuid="d"))) == missing
    assert await told(served.datasets.DeleteDataset(pb.DeleteDatasetRequest(dataset_uuid="d"))) == missing
    assert list((served.data / "datasets").iterdir()) == []


async def test_what_a_job_holds_outlives_its_dataset(served: Served) -> None:
    await served.create("held", jsonl([{"q": "a", "n": 1}]), TWO)
    library = served.app._library
    request = described("dataset:held", {"q": TEXT})
    held = await library.hold("default", "job/1", request)
    await served.datasets.DeleteDataset(pb.DeleteDatasetRequest(dataset_uuid="held"))
    assert await library.hold("default", "job/1", described("dataset:gone", {})) == held
    assert (held.dataset_uuid, held.revision, held.num_rows, dict(held.columns)) == ("held", "1", 1, {"q": "text"})
    assert [shard.path.read_text() for shard in held.shards] == ['{"n":1,"q":"a"}\n']
    await library.release("default", "job/1")
    assert not held.shards[0].path.exists()
    await library.release("default", "job/1")


async def test_what_a_job_reads_from_a_url_is_kept_for_it_alone(served: Served) -> None:
    library = served.app._library
    held = await library.hold("default", "job/2", described(jsonl([{"q": "a", "n": 1}]), TWO))
    assert (held.dataset_uuid, held.revision) == (None, None)
    listed = await served.datasets.ListDatasets(pb.ListDatasetsRequest())
    assert list(listed.datasets) == []
    await library.release("default", "job/2")
    assert not held.shards[0].path.exists()


def pieces(header: pb.UploadDatasetHeader, *chunks: bytes) -> list[pb.UploadDatasetRequest]:
    return [pb.UploadDatasetRequest(header=header), *(pb.UploadDatasetRequest(chunk=chunk) for chunk in chunks)]


async def test_an_upload_becomes_a_dataset_and_then_a_revision(served: Served) -> None:
    data = b'{"q": "a", "n": 1}\n{"q": "b", "n": 2}'
    header = pb.UploadDatasetHeader(uuid="up", columns=TWO, format="jsonl", sha256=sha256(data).hexdigest())
    made = (await served.datasets.UploadDataset(pieces(header, data[:7], data[7:]))).revision
    assert (made.num_rows, made.origin) == (2, dataset_pb2.DATASET_ORIGIN_UPLOAD)
    again = await told(served.datasets.UploadDataset(pieces(header, data)))
    assert again == ("ALREADY_EXISTS", "dataset 'up' exists already and is a different one")
    header.revise = True
    assert (await served.datasets.UploadDataset(pieces(header, data))).revision == made
    header.ClearField("sha256")
    revised = (await served.datasets.UploadDataset(pieces(header, b'{"q": "c", "n": 3}'))).revision
    assert revised.revision == "2"
    answer = await served.datasets.GetDataset(pb.GetDatasetRequest(dataset_uuid="up"))
    assert answer.dataset.content_url.uri == "dataset:up@2"


async def test_an_upload_may_not_revise_what_is_not_there(served: Served) -> None:
    header = pb.UploadDatasetHeader(uuid="none", columns=TWO, format="jsonl", revise=True)
    answer = await told(served.datasets.UploadDataset(pieces(header, b'{"q": "a", "n": 1}')))
    assert answer == ("NOT_FOUND", "dataset 'none' does not exist")
    assert list((await served.datasets.ListDatasets(pb.ListDatasetsRequest())).datasets) == []


async def test_an_upload_that_is_not_what_was_told_leaves_nothing(served: Served) -> None:
    header = pb.UploadDatasetHeader(uuid="up", columns=TWO, format="jsonl", sha256="0" * 64)
    data = b'{"q": "a", "n": 1}\n'
    assert await told(served.datasets.UploadDataset(pieces(header, data))) == (
        "DATA_LOSS",
        "the bytes that came are not those of the sha256",
    )
    assert await told(served.datasets.UploadDataset([])) == (
        "INVALID_ARGUMENT",
        "header: the first message says what is uploaded",
    )
    twice: list[Any] = [*pieces(header), *pieces(header)]
    assert (await told(served.datasets.UploadDataset(twice)))[0] == "INVALID_ARGUMENT"
    assert list((served.data / "datasets").glob("*")) == []
    assert list((served.data / "staging").iterdir()) == []


async def test_the_tables_are_those_of_the_migrations(served: Served) -> None:
    assert await differences(served.app._storage, METADATA) == []
