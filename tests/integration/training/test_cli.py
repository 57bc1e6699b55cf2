"""``altiplano dataset`` and ``altiplano generate`` against a running service."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from mesh.json_text import value_of
from tests.integration.training.serving import Served, environment
from tests.integration.training.test_collection import call, filled, span

ROWS = '{"prompt": "a", "n": 1}\n{"prompt": "b", "n": 2}\n'


async def altiplano(served: Served, command: str, *arguments: str, folder: Path) -> tuple[int, str, str]:
    """Run the command in a folder and return its exit code and what it wrote."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", command, "--address", served.address, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env=environment({"COLUMNS": "200"}),
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_a_file_goes_up_is_looked_at_and_goes_away(served: Served, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(ROWS)
    columns = ("--column", "prompt=text", "--column", "n=number")
    code, out, err = await altiplano(served, "dataset", "upload", "qa", "rows.jsonl", *columns, folder=tmp_path)
    assert (code, out.split("  ")[:2]) == (0, ["qa@1", "2 rows"])
    assert "qa" in err
    assert "100%" in err
    shown = await altiplano(served, "dataset", "preview", "qa@1", "--limit", "1", folder=tmp_path)
    assert shown[:2] == (0, '{"n": 1, "prompt": "a"}\n')
    code, out, _ = await altiplano(served, "dataset", "stats", "qa", folder=tmp_path)
    table = [line.split() for line in out.splitlines()]
    assert table == [
        ["column", "type", "empty", "distinct", "min", "median", "mean", "max", "stddev"],
        ["n", "number", "0", "2", "1", "1.5", "1.5", "2", "0.5"],
        ["prompt", "text", "0", "2", "1", "1", "1", "1", "0"],
    ]
    copied = await altiplano(served, "dataset", "create", "copy", "dataset:qa", folder=tmp_path)
    assert copied[:2] == (0, copied[1])
    code, out, _ = await altiplano(served, "dataset", "--json", "list", folder=tmp_path)
    listed = [json.loads(line) for line in out.splitlines()]
    assert [(item["dataset_uuid"], item["num_rows"]) for item in listed] == [("copy", 2), ("qa", 2)]
    code, out, _ = await altiplano(served, "dataset", "show", "copy", folder=tmp_path)
    assert [line.split()[:2] for line in out.splitlines()[1:3]] == [
        ["from", "dataset:qa"],
        ["hash", listed[0]["content_hash"]],
    ]
    assert await altiplano(served, "dataset", "drop", "copy", "--yes", folder=tmp_path) == (0, "copy\n", "")
    gone = await altiplano(served, "dataset", "show", "copy", folder=tmp_path)
    assert gone == (1, "", "altiplano: NOT_FOUND: dataset 'copy' does not exist\n")


async def test_what_can_not_be_is_told_in_a_line(served: Served, tmp_path: Path) -> None:
    (tmp_path / "rows.data").write_text(ROWS)
    code, _, err = await altiplano(
        served, "dataset", "upload", "qa", "rows.data", "--column", "prompt=text", folder=tmp_path
    )
    assert (code, err) == (2, "altiplano: --format: the ending of rows.data does not tell what it is\n")
    code, _, err = await altiplano(
        served, "dataset", "upload", "qa", "rows.data", "--column", "prompt=word", folder=tmp_path
    )
    assert (code, "is not NAME=TYPE; types are dialog, text, media, number, json" in err) == (2, True)
    code, _, err = await altiplano(
        *(served, "dataset", "upload", "qa", "rows.data", "--format", "jsonl", "--column", "n=text"), folder=tmp_path
    )
    told = "altiplano: INVALID_ARGUMENT: rows[0].n: a string is needed, found a number\n"
    assert (code, err.endswith(told)) == (1, True)


async def test_usage_becomes_a_dataset_under_conditions(served: Served, tmp_path: Path) -> None:
    filled(served)
    code, out, _ = await altiplano(served, "dataset", "collect", "sessions", "used", folder=tmp_path)
    assert (code, out.split("  ")[:2]) == (0, ["used@1", "2 rows"])
    conditions = ("--agent", "a", "--per-turn", "--violations", "--after", "1970-01-01T00:00:02", "--max-rows", "5")
    code, out, _ = await altiplano(served, "dataset", "collect", "sessions", "used", *conditions, folder=tmp_path)
    assert (code, out.split("  ")[:2]) == (0, ["used@2", "2 rows"])
    rows = (await altiplano(served, "dataset", "preview", "used", folder=tmp_path))[1].splitlines()
    assert [json.loads(row)["turn_id"] for row in rows] == ["t4", "t2"]
    served.peers.observability.spans = [span(1, **call("one", "first")), span(2, **call("two", "second"))]
    conditions = ("--run", "r", "--model", "llama", "--attribute", "user=ann", "--before", "2030-01-01")
    code, out, _ = await altiplano(served, "dataset", "collect", "traces", "calls", *conditions, folder=tmp_path)
    assert (code, out.split("  ")[:2]) == (0, ["calls@1", "2 rows"])
    asked = served.peers.observability.requests[-1]
    assert (asked.run_id, dict(asked.filters)) == ("r", {"user": value_of("ann")})
    code, _, err = await altiplano(
        served, "dataset", "collect", "sessions", "used", "--session", "nobody", folder=tmp_path
    )
    told = "altiplano: INVALID_ARGUMENT: sessions: nothing was found that fits the conditions\n"
    assert (code, err.endswith(told)) == (1, True)
    code, _, err = await altiplano(served, "dataset", "collect", "traces", "x", "--agent", "a", folder=tmp_path)
    assert (code, err) == (2, "altiplano: --agent does not belong to traces\n")


async def test_answers_are_printed_or_written_into_a_dataset(served: Served, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(ROWS)
    await altiplano(served, "dataset", "upload", "qa", "rows.jsonl", "--column", "prompt=text", folder=tmp_path)
    best = ("--filter", "top_k", "--samples", "3", "--reward-model", "judge")
    code, out, err = await altiplano(served, "generate", "--prompt", "hello", *best, folder=tmp_path)
    assert (code, out.splitlines()[:2]) == (0, ["hello", "         2  hello/2"])
    assert "num_kept           1" in out.splitlines()
    code, out, err = await altiplano(served, "generate", "qa", "made", *best, "--job", "j", folder=tmp_path)
    assert (code, out.splitlines()[0]) == (0, "made@1  2 rows")
    assert "job j\n" in err
    assert "2/2" in err
    again = await altiplano(served, "generate", "qa", "made", *best, "--job", "j", folder=tmp_path)
    assert again[:2] == (code, out)
    code, _, err = await altiplano(served, "generate", "qa", "made", "--job", "j", folder=tmp_path)
    assert (code, err) == (1, "altiplano: ALREADY_EXISTS: job 'j' exists already and is a different one\n")
    code, _, err = await altiplano(served, "generate", "--prompt", "x", "--reward", '{"x": 1}', folder=tmp_path)
    assert (code, err.startswith("altiplano: --reward: ")) == (2, True)
    code, _, err = await altiplano(served, "generate", "qa", folder=tmp_path)
    assert (code, err) == (2, "altiplano: a dataset of prompts and a dataset to write are needed, or --prompt\n")
