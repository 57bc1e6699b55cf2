"""Bad data: clear errors that name row and column, bounded memory, nothing executed, nothing left behind."""

from __future__ import annotations

import base64
import gzip
import os
import pickle
import urllib.parse
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llamastack.datasets.v1 import dataset_requests_pb2 as pb
from tests.integration.training.serving import DIALOG, JSON, MEDIA, NUMBER, TEXT, Served, jsonl, told

TEN_GB = 10 * 2**30


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        ([{"q": "a"}, {"x": 1}], {"q": TEXT}, "rows[1].q: the column is missing; the row has 'x'"),
        ([{"q": "a"}, {"q": 1}], {"q": TEXT}, "rows[1].q: a string is needed, found a number"),
        ([{"n": 1}, {"n": True}], {"n": NUMBER}, "rows[1].n: a number is needed, found true or false"),
        ([{"n": None}], {"n": NUMBER}, "rows[0].n: a number is needed, found null"),
        ([{"n": 10**400}], {"n": NUMBER}, "rows[0].n: a finite number of double precision is needed"),
        ([{"d": []}], {"d": DIALOG}, "rows[0].d: a list of messages is needed, found an empty list"),
        ([{"d": "hi"}], {"d": DIALOG}, "rows[0].d: a list of messages is needed, found a string"),
        (
            [{"d": [{"role": "user", "content": "a"}, {"role": "robot", "content": "b"}]}],
            {"d": DIALOG},
            "rows[0].d[1].role: one of user, system, assistant, ipython, tool is needed",
        ),
        ([{"d": [{"role": "user"}]}], {"d": DIALOG}, "rows[0].d[0].content: a content is needed"),
        (
            [{"m": "ftp://x"}],
            {"m": MEDIA},
            "rows[0].m: a URL (data: http: https: file: s3: gs: hf:) or an object with url and mime_type is needed, "
            "found a string",
        ),
        (["a"], {"q": TEXT}, "rows[0]: an object with a member for each column is needed, found a string"),
        ([], {"q": TEXT}, "dataset.content_url: at least one row is needed, the file has none"),
    ],
)
async def test_rows_that_do_not_fit_are_named(
    served: Served, rows: list[Any], columns: dict[str, Any], message: str
) -> None:
    assert await told(served.create("bad", jsonl(rows), columns)) == ("INVALID_ARGUMENT", message)
    assert list((served.data / "staging").iterdir()) == []
    assert (await told(served.datasets.GetDataset(pb.GetDatasetRequest(dataset_uuid="bad"))))[0] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        (b'{"q": "a"}\n{"q": ', "jsonl", "rows[1]: a line of JSON is needed; expecting value at character 6"),
        (b'{"q": NaN}\n', "jsonl", "rows[0]: a line of JSON is needed; NaN is not JSON"),
        (b'{"q": "\xff"}\n', "jsonl", "dataset.content_url: text in UTF-8 is needed; line 1 is not"),
        (b'{"q": "\\ud800"}\n', "jsonl", "rows[0]: valid Unicode is needed, found half a surrogate pair"),
        (b"[" * 100000, "jsonl", "rows[0]: a line of JSON is needed; it is nested too deeply"),
        (b'{"q": 1%s}' % (b"0" * 5000), "jsonl", "rows[0]: a line of JSON is needed; a number is too long"),
        (b"q,n\na,1\nb\n", "csv", "rows[1]: 2 fields are needed as in the header, found 1"),
        (b"q,q\na,1\n", "csv", "dataset.content_url: the header of a CSV file names each column once"),
        (b"q\n\0\n", "csv", "dataset.content_url: text is needed, found a null character"),
        (b'q\n"a\n', "csv", "rows[0]: a row of CSV is needed; unexpected end of data"),
        (b"PAR1nothing", "parquet", "dataset.content_url: a readable Parquet file is needed"),
        (gzip.compress(b'{"q": "a"}'), "jsonl", "dataset.content_url: text in UTF-8 is needed; line 1 is not"),
    ],
)
async def test_files_that_are_not_of_their_format_are_told(
    served: Served, data: bytes, kind: str, message: str
) -> None:
    url = f"data:application/octet-stream;base64,{base64.b64encode(data).decode()}"
    assert await told(served.create("bad", url, {"q": TEXT}, format=kind)) == ("INVALID_ARGUMENT", message)


@pytest.mark.parametrize(
    ("name", "head", "message"),
    [
        ("line.jsonl", b'{"q": "', "dataset.content_url: line 1 is longer than 8388608 bytes"),
        ("field.csv", b'q\n"a', "dataset.content_url: line 2 is longer than 8388608 bytes"),
    ],
)
async def test_a_line_of_ten_gigabytes_is_refused_at_once(
    served: Served, tmp_path: Path, name: str, head: bytes, message: str
) -> None:
    file = tmp_path / "files" / name
    with file.open("wb") as opened:
        opened.write(head)
        # a file without blocks: it is as long, but takes no room
        opened.truncate(TEN_GB)
    before = peak_mib()
    assert await told(served.create("long", file.as_uri(), {"q": TEXT})) == ("INVALID_ARGUMENT", message)
    assert peak_mib() - before < 64
    assert list((served.data / "staging").iterdir()) == []


def peak_mib() -> float:
    """Return the most memory that this process had, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


async def test_a_csv_row_of_many_lines_is_bounded_too(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "files" / "rows.csv"
    with file.open("wb") as opened:
        opened.write(b'q\n"')
        for _ in range(9):
            opened.write((b"x" * 1023 + b"\n") * 1024)
    assert (await told(served.create("long", file.as_uri(), {"q": TEXT})))[0] == "INVALID_ARGUMENT"


async def test_a_parquet_file_that_grows_too_large_is_refused(served: Served, tmp_path: Path) -> None:
    # 8 GB of text in one value per row group, compressed to next to nothing
    schema = pa.schema([("q", pa.large_string())])
    big = pa.array(["x" * (400 * 2**20)] * 1, pa.large_string())
    with pq.ParquetWriter(tmp_path / "files" / "bomb.parquet", schema, compression="zstd") as writer:
        writer.write_table(pa.table({"q": pa.chunked_array([big] * 6)}), row_group_size=6)
    code, message = await told(served.create("bomb", (tmp_path / "files" / "bomb.parquet").as_uri(), {"q": TEXT}))
    assert code == "INVALID_ARGUMENT"
    assert "memory" in message


class Poison:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
async def test_a_pickle_is_never_opened(served: Served, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "files" / "rows.pkl"
    file.write_bytes(pickle.dumps(Poison(tmp_path / "executed")))
    code, _ = await told(served.create("p", file.as_uri(), {"q": TEXT}, format=kind))
    assert (code, (tmp_path / "executed").exists()) == ("INVALID_ARGUMENT", False)


async def test_a_pickle_inside_a_parquet_file_is_never_opened(served: Served, tmp_path: Path) -> None:
    poison = pickle.dumps(Poison(tmp_path / "executed"))
    extension = {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": poison}
    schema = pa.schema([pa.field("q", pa.string(), metadata=extension), pa.field("b", pa.binary())])
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array([poison])], schema=schema)
    pq.write_table(table, tmp_path / "files" / "rows.parquet")
    url = (tmp_path / "files" / "rows.parquet").as_uri()
    made = await served.create("q", url, {"q": TEXT})
    assert (made.num_rows, (tmp_path / "executed").exists()) == (1, False)
    assert await told(served.create("b", url, {"b": JSON})) == (
        "INVALID_ARGUMENT",
        "rows[0].b: a JSON value is needed, found bytes",
    )
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "ftp://host/rows.jsonl",
            "dataset.content_url: a URL of one of data:, dataset:, file:, http:, https:, s3:, gs:, hf: is needed",
        ),
        ("file:///etc/passwd", "dataset.content_url: a file within the configured folders is needed"),
        ("file:///nowhere", "dataset.content_url: a file within the configured folders is needed"),
        ("file://host/rows", "dataset.content_url: a file: URL names no host"),
        ("http://127.0.0.1/rows.csv", "dataset.content_url: a host with public addresses alone is needed"),
        ("http://[::1]/rows.csv", "dataset.content_url: a host with public addresses alone is needed"),
        ("http://169.254.169.254/x.csv", "dataset.content_url: a host with public addresses alone is needed"),
        ("http://host:x/rows", "dataset.content_url: a valid URL is needed"),
        ("data:text/csv", "dataset.content_url: a data: URL has a comma before its data"),
        ("data:text/csv;base64,?", "dataset.content_url: the data of the data: URL is not base64"),
        (
            "data:,x",
            "dataset.content_url: neither media type nor ending says what the data is; "
            "metadata.format can (jsonl, csv, parquet)",
        ),
        (
            "hf://models/x",
            "dataset.content_url: hf://datasets/OWNER/NAME/FILE or hf://datasets/OWNER/NAME?split=SPLIT is needed",
        ),
        (
            "gs://bucket/rows.csv",
            "dataset.content_url: gs: URLs can't be read; this deployment lacks the package gcsfs",
        ),
        ("dataset:nobody", "dataset 'nobody' does not exist"),
    ],
)
async def test_urls_that_lead_nowhere_are_told(served: Served, url: str, message: str) -> None:
    assert (await told(served.create("bad", url, {"q": TEXT})))[1] == message


async def test_a_link_out_of_the_folder_is_not_followed(served: Served, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("q\nsecret\n")
    (tmp_path / "files" / "link.csv").symlink_to(tmp_path / "secret.csv")
    for name in ("link.csv", "../secret.csv"):
        url = f"{(tmp_path / 'files').as_uri()}/{urllib.parse.quote(name)}"
        assert (await told(served.create("bad", url, {"q": TEXT})))[0] == "INVALID_ARGUMENT"
