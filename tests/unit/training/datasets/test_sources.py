"""What URLs tell of their data, and what is shown of them."""

from __future__ import annotations

import pytest

from mesh.errors import InvalidField
from services.training.datasets.sources import Opened, format_of, pieces, shown


@pytest.mark.parametrize(
    ("told", "media_type", "name", "expected"),
    [
        ("csv", "application/jsonl", "x.parquet", "csv"),
        ("", "text/csv; charset=utf-8", "x.jsonl", "csv"),
        ("", "application/octet-stream", "/a/X.PARQUET", "parquet"),
        ("", "", "s3://bucket/a.ndjson", "jsonl"),
    ],
)
def test_the_caller_then_the_type_then_the_ending_says_the_format(
    told: str, media_type: str, name: str, expected: str
) -> None:
    assert format_of(told, Opened(pieces(b""), media_type, name), "content_url") == expected


@pytest.mark.parametrize(("told", "path"), [("", "content_url"), ("xls", "dataset.metadata.format")])
def test_an_unknown_format_is_refused(told: str, path: str) -> None:
    with pytest.raises(InvalidField) as caught:
        format_of(told, Opened(pieces(b""), "text/plain", "x.txt"), "content_url")
    assert caught.value.details.violations[0].path == path


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://user:word@host:1/a.csv?X-Amz-Signature=s#f", "https://host:1/a.csv"),
        ("s3://bucket/a.csv", "s3://bucket/a.csv"),
        ("hf://datasets/o/n?split=train", "hf://datasets/o/n?split=train"),
        ("data:text/csv,a", "data:text/csv,a"),
        ("data:text/csv," + "a" * 70000, None),
    ],
)
def test_nothing_that_may_be_a_secret_is_shown(url: str, expected: str | None) -> None:
    assert shown(url) == expected
