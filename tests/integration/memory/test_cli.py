"""``altiplano memory`` against a running service."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from tests.integration.memory.serving import Served, document

ROOT = Path(__file__).resolve().parents[3]


async def altiplano(served: Served, *arguments: str, folder: Path) -> tuple[int, str, str]:
    """Run the command in a folder and return its exit code and what it wrote."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", "memory", "--address", served.mesh.address, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}", "NO_COLOR": "1"},
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize(
    "command", [("--json", "add", "notes", "docs"), ("add", "notes", "docs", "--json")], ids=["before", "behind"]
)
async def test_an_interrupted_command_goes_on_and_large_files_are_told_by_name(
    edge: Served, tmp_path: Path, command: tuple[str, ...]
) -> None:
    folder = tmp_path / "work"
    (folder / "docs").mkdir(parents=True)
    for number in range(3):
        (folder / "docs" / f"{number}.txt").write_text(f"Number {number}.\n")
    with (folder / "docs" / "film.txt").open("wb") as film:
        film.truncate(1024**3)
    await edge.create("notes")
    await edge.insert("notes", document("docs/1.txt", "Number 1.\n"))
    before = len(edge.embedder.texts)
    code, out, err = await altiplano(edge, *command, folder=folder)
    outcomes = [(json.loads(line)["document_id"], json.loads(line)["outcome"]) for line in out.splitlines()]
    assert (code, sorted(outcomes)) == (
        1,
        [
            ("docs/0.txt", "DOCUMENT_OUTCOME_INSERTED"),
            ("docs/1.txt", "DOCUMENT_OUTCOME_UNCHANGED"),
            ("docs/2.txt", "DOCUMENT_OUTCOME_INSERTED"),
        ],
    )
    assert "docs/film.txt: at most 48 MiB are taken\n" in err
    assert err.endswith("altiplano: 1 of 4 files did not go in\n")
    assert len(edge.embedder.texts) == before + 2


async def test_files_whose_names_can_not_be_ids_are_told_and_the_others_go_in(edge: Served, tmp_path: Path) -> None:
    deep = tmp_path / "docs" / ("d" * 200) / ("e" * 60)
    deep.mkdir(parents=True)
    (deep / "far.txt").write_text("far\n")
    (tmp_path / "docs" / "near [1].txt").write_text("near\n")
    (tmp_path / "docs" / os.fsdecode(b"caf\xe9.txt")).write_text("odd\n")
    await edge.create("notes", "keyword")
    code, _, err = await altiplano(edge, "add", "notes", "docs", folder=tmp_path)
    assert code == 1
    assert "docs/caf\ufffd.txt: its name is not text in UTF-8\n" in err
    assert "far.txt: a path of at most 256 characters is needed\n" in err
    assert err.endswith("altiplano: 2 of 3 files did not go in\n")
    assert await edge.found("notes", "near far odd") == ["docs/near [1].txt"]


@pytest.mark.parametrize("pattern", ["", "/etc/*", "a**"], ids=["empty", "absolute", "malformed"])
async def test_a_pattern_that_names_nothing_below_a_folder_is_told(edge: Served, tmp_path: Path, pattern: str) -> None:
    code, out, err = await altiplano(edge, "add", "notes", ".", "--glob", pattern, folder=tmp_path)
    why = f"--glob: a pattern below the folder is needed, such as **/*.md; {pattern!r} is none"
    assert (code, out, err) == (2, "", f"altiplano: {why}\n")


async def test_a_graph_bank_prints_entities_relations_and_what_tells_of_them(edge: Served, tmp_path: Path) -> None:
    (tmp_path / "ann.txt").write_text("Ann leads Acme.")
    made = await altiplano(edge, "create", "g", "--kind", "graph", "--extraction-model", "small", folder=tmp_path)
    assert made == (0, "g\n", "")
    assert (await altiplano(edge, "add", "g", "ann.txt", folder=tmp_path))[0] == 0
    code, out, _ = await altiplano(edge, "query", "g", "who is ann", folder=tmp_path)
    expected = [
        "Ann (thing)",
        "Acme (thing)",
        "Ann leads Acme  (ann.txt)",
        "1.0000  ann.txt, characters 0 to 15",
        "Ann leads Acme.",
        "",
    ]
    assert (code, out.splitlines()) == (0, expected)


async def test_a_folder_goes_in_is_found_and_goes_out(edge: Served, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    (folder / "docs" / "deep").mkdir(parents=True)
    (folder / "docs" / "roofs.md").write_text("# Roofs\n\nThe roof is red.\n")
    (folder / "docs" / "deep" / "sea.txt").write_text("The sea is blue.\n")
    (folder / "docs" / "noise.bin").write_bytes(b"\0\1\2")
    assert await altiplano(edge, "create", "notes", "--kind", "keyword", folder=folder) == (0, "notes\n", "")
    code, out, err = await altiplano(edge, "add", "notes", "docs", folder=folder)
    assert (code, out) == (1, "")
    assert "100%" in err
    assert "docs/noise.bin: mime_type: application/octet-stream can't be read" in err
    assert err.endswith("altiplano: 1 of 3 files did not go in\n")
    assert (await altiplano(edge, "add", "notes", "docs", "--glob", "**/*.md", folder=folder))[0] == 0
    listed = await altiplano(edge, "list", folder=folder)
    assert listed == (0, "notes  keyword  2 documents  2 chunks\n", "")
    code, out, _ = await altiplano(edge, "query", "notes", "blue sea", folder=folder)
    assert (code, out.splitlines()[1:]) == (0, ["The sea is blue.", ""])
    assert await altiplano(edge, "drop", "notes", "--yes", folder=folder) == (0, "notes\n", "")
    code, out, err = await altiplano(edge, "query", "notes", "sea", folder=folder)
    assert (code, out, err) == (1, "", "altiplano: NOT_FOUND: memory bank 'notes' does not exist\n")
