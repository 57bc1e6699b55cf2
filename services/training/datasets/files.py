"""Where the shards of revisions lie: a folder of any place that fsspec reaches, the service's own by default."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import fsspec

from mesh.errors import BackendUnavailable, DataLoss
from services.training.datasets.shards import StoredShard
from services.training.revisions import Shard

_LOCAL: Final = "file"


class Files:
    """The shards of revisions, each in a folder that is named by the revision's uid. Methods block.

    ``url`` is a folder (``file:///data/datasets``, ``s3://bucket/datasets``), ``cache`` a local folder for copies of
    what is not on this machine.
    """

    def __init__(self, url: str, cache: Path) -> None:
        """Keep the places; nothing is opened or made yet."""
        self._url = url
        self._cache = cache
        self._reached: tuple[Any, str] | None = None

    def put(self, folder: Path, uid: str, shards: Sequence[StoredShard]) -> None:
        """Move the shards of a local folder to their place; the folder is gone afterwards.

        Raises:
            BackendUnavailable: the place can't be written to.
        """
        files, root = self._place()
        try:
            if self._local(files):
                Path(root).mkdir(parents=True, exist_ok=True)
                folder.rename(Path(root) / uid)
                return
            for shard in shards:
                files.put_file(str(folder / shard.name), f"{root}/{uid}/{shard.name}")
            shutil.rmtree(folder)
        except OSError as error:
            raise BackendUnavailable("the rows can't be stored now") from error

    def open(self, uid: str, shard: StoredShard) -> BinaryIO:
        """Return a shard for reading.

        Raises:
            DataLoss: it is not there.
        """
        files, root = self._place()
        try:
            opened: BinaryIO = files.open(f"{root}/{uid}/{shard.name}", "rb")
        except OSError as error:
            raise DataLoss("rows of the dataset can't be read back") from error
        return opened

    def local(self, uid: str, shards: Sequence[StoredShard]) -> tuple[Shard, ...]:
        """Return the shards as files on this machine; copies are made where they are not.

        Raises:
            DataLoss: one is not there.
        """
        files, root = self._place()
        folder = Path(root) / uid if self._local(files) else self._copied(uid, shards)
        found = tuple(Shard(folder / shard.name, shard.num_rows) for shard in shards)
        if not all(shard.path.is_file() for shard in found):
            raise DataLoss("rows of the dataset can't be read back")
        return found

    def remove(self, uid: str) -> None:
        """Delete the shards of a revision, if there are any.

        Raises:
            BackendUnavailable: the place can't be reached.
        """
        files, root = self._place()
        shutil.rmtree(self._cache / uid, ignore_errors=True)
        try:
            files.rm(f"{root}/{uid}", recursive=True)
        except FileNotFoundError:
            return
        except OSError as error:
            raise BackendUnavailable("the place of the rows can't be reached") from error

    def _copied(self, uid: str, shards: Sequence[StoredShard]) -> Path:
        files, root = self._place()
        folder = self._cache / uid
        folder.mkdir(parents=True, exist_ok=True)
        try:
            for shard in shards:
                target = folder / shard.name
                if not target.exists():
                    partial = target.with_suffix(".part")
                    files.get_file(f"{root}/{uid}/{shard.name}", str(partial))
                    partial.replace(target)
        except OSError as error:
            raise DataLoss("rows of the dataset can't be read back") from error
        return folder

    def _place(self) -> tuple[Any, str]:
        if self._reached is None:
            files, root = fsspec.core.url_to_fs(self._url)
            self._reached = files, str(root).rstrip("/")
        return self._reached

    @staticmethod
    def _local(files: Any) -> bool:
        return _LOCAL in (files.protocol if isinstance(files.protocol, tuple) else (files.protocol,))


def lines(files: Files, uid: str, shards: Sequence[StoredShard], offset: int) -> Iterator[bytes]:
    """Yield the rows of a revision from a position on, each a line of JSON. Blocks.

    Raises:
        DataLoss: a shard is not there.
    """
    for shard in shards:
        if offset >= shard.num_rows:
            offset -= shard.num_rows
            continue
        with files.open(uid, shard) as opened:
            for number, line in enumerate(opened):
                if number >= offset:
                    yield line
        offset = 0
