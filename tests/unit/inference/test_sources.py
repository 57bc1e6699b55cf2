"""Sources become local folders; a copy that was cut goes on where it ended."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from mesh.errors import BackendUnavailable, InvalidField, ResourceNotFound
from services.inference.sources import MANIFEST, Progress, Sources

FILES = {"config.json": b"{}", "deep/weights.safetensors": bytes(range(256)) * 64, "readme.md": b"no"}
TOTAL = len(FILES["config.json"]) + len(FILES["deep/weights.safetensors"])


@pytest.fixture
def remote() -> Iterator[str]:
    """A tree in fsspec's in-memory file system."""
    memory = fsspec.filesystem("memory")
    for name, data in FILES.items():
        memory.pipe(f"/models/small/{name}", data)
    yield "memory://models/small"
    memory.rm("/models", recursive=True)


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return Sources(tmp_path / "cache", schemes=frozenset({"memory"}))


async def test_a_remote_tree_is_copied_once_without_files_that_no_engine_reads(sources: Sources, remote: str) -> None:
    assert sources.folder(remote) is None
    progress = [step async for step in sources.fetch(remote)]
    folder = sources.folder(remote)
    assert folder is not None
    copied = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    copied.pop(MANIFEST)
    assert copied == {name: data for name, data in FILES.items() if name != "readme.md"}
    assert progress[-1] == Progress("deep/weights.safetensors", TOTAL, TOTAL)


async def test_a_copy_that_was_cut_goes_on_where_it_ended(
    sources: Sources, remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = type(fsspec.filesystem("memory"))
    whole = memory.open
    opened: list[tuple[str, int]] = []

    class Cut(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() >= 1000:
                raise OSError("the connection is gone")
            return super().read(1000)

    def cut_open(self: object, path: str, *arguments: object, **options: object) -> io.BytesIO:
        with whole(self, path, *arguments, **options) as file:
            return Cut(file.read()) if path.endswith("safetensors") else io.BytesIO(file.read())

    monkeypatch.setattr(memory, "open", cut_open)
    with pytest.raises(BackendUnavailable, match=r"deep/weights\.safetensors was cut after 1000 bytes"):
        [step async for step in sources.fetch(remote)]
    assert sources.folder(remote) is None

    def counted_open(self: object, path: str, *arguments: object, **options: object) -> object:
        opened.append((path.rpartition("/")[2], 0))
        return whole(self, path, *arguments, **options)

    monkeypatch.setattr(memory, "open", counted_open)
    progress = [step async for step in sources.fetch(remote)]
    folder = sources.folder(remote)
    assert folder is not None
    assert (folder / "deep/weights.safetensors").read_bytes() == FILES["deep/weights.safetensors"]
    assert opened == [("weights.safetensors", 0)]
    assert progress[-1].done == TOTAL


async def test_a_source_without_files_is_not_found(sources: Sources) -> None:
    with pytest.raises(ResourceNotFound):
        [step async for step in sources.fetch("memory://nothing/here")]


def test_local_folders_need_no_fetching(sources: Sources, tmp_path: Path) -> None:
    assert sources.folder(str(tmp_path)) == tmp_path
    assert sources.folder(f"file://{tmp_path}") == tmp_path
    with pytest.raises(ResourceNotFound):
        sources.folder(str(tmp_path / "missing"))


def test_a_scheme_that_is_not_allowed_is_refused(sources: Sources) -> None:
    with pytest.raises(InvalidField, match="source: a folder or one of memory://"):
        sources.folder("ftp://somewhere/model")
