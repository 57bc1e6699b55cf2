"""Where the shards of revisions lie: a folder of any place that fsspec reaches, the service's own by default."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

import fsspec

from mesh.errors import BackendUnavailable, DataLoss
from services.training.datasets.objects import failures
from services.training.datasets.shards import StoredShard
from services.training.revisions import Shard

_LOCAL: Final = "file"


class Files:
    """The shards of revisions, each in a folder that is named by the revision's uid. Methods block.

    ``url`` is a folder (``file:///data/datasets``, ``s3://bucket/datasets``), ``cache`` a local folder for copies of
    what is not on this machine, ``s3_endpoint`` the S3 server's URL, empty for Amazon's.
    """

    def __init__(self, url: str, cache: Path, s3_endpoint: str = "") -> None:
        """Keep the places; nothing is opened or made yet."""
        self._url = url
        self._options = {"endpoint_url": s3_endpoint} if s3_endpoint and url.startswith("s3:") else {}
        self._cache = cache
        self._place: tuple[Any, str] | None = None

    def put(self, folder: Path, uid: str, shards: Sequence[StoredShard]) -> None:
        """Move the shards of a local folder to their place; the folder is gone afterwards.

        Raises:
            BackendUnavailable: the place can't be written to.
        """
        with self._reached() as (files, root):
            if self._local(files):
                Path(root).mkdir(parents=True, exist_ok=True)
                folder.rename(Path(root) / uid)
                return
            for shard in shards:
                files.put_file(str(folder / shard.name), f"{root}/{uid}/{shard.name}")
            shutil.rmtree(folder)

    def lines(self, uid: str, shard: StoredShard) -> Iterator[bytes]:
        """Yield the rows of a shard, each a line of JSON.

        Raises:
            DataLoss: it is not there.
            BackendUnavailable: the place can't be reached.
        """
        with self._reached() as (files, root), files.open(f"{root}/{uid}/{shard.name}", "rb") as opened:
            yield from opened

    def local(self, uid: str, shards: Sequence[StoredShard]) -> tuple[Shard, ...]:
        """Return the shards as files on this machine; copies are made where they are not.

        Raises:
            DataLoss: one is not there.
            BackendUnavailable: the place can't be reached.
        """
        with self._reached() as (files, root):
            folder = Path(root) / uid if self._local(files) else self._copied(files, f"{root}/{uid}", uid, shards)
        found = tuple(Shard(folder / shard.name, shard.num_rows) for shard in shards)
        if not all(shard.path.is_file() for shard in found):
            raise DataLoss("rows of the dataset can't be read back")
        return found

    def remove(self, uid: str) -> None:
        """Delete the shards of a revision, if there are any.

        Raises:
            BackendUnavailable: the place can't be reached.
        """
        shutil.rmtree(self._cache / uid, ignore_errors=True)
        with self._reached() as (files, root), contextlib.suppress(FileNotFoundError):
            files.rm(f"{root}/{uid}", recursive=True)

    def _copied(self, files: Any, place: str, uid: str, shards: Sequence[StoredShard]) -> Path:
        folder = self._cache / uid
        folder.mkdir(parents=True, exist_ok=True)
        for shard in shards:
            target = folder / shard.name
            if not target.exists():
                partial = target.with_suffix(".part")
                files.get_file(f"{place}/{shard.name}", str(partial))
                partial.replace(target)
        return folder

    @contextmanager
    def _reached(self) -> Iterator[tuple[Any, str]]:
        """Give the file system and the folder in it, and translate what it raises."""
        away = failures() if self._url.startswith("s3:") else (OSError,)
        try:
            if self._place is None:
                files, root = fsspec.core.url_to_fs(self._url, **self._options)
                self._place = files, str(root).rstrip("/")
            yield self._place
        except FileNotFoundError as error:
            raise DataLoss("rows of the dataset can't be read back") from error
        except away as error:
            raise BackendUnavailable("the place of the rows can't be reached") from error

    @staticmethod
    def _local(files: Any) -> bool:
        return _LOCAL in (files.protocol if isinstance(files.protocol, tuple) else (files.protocol,))


def lines(files: Files, uid: str, shards: Sequence[StoredShard], offset: int) -> Iterator[bytes]:
    """Yield the rows of a revision from a position on, each a line of JSON. Blocks.

    Raises:
        DataLoss: a shard is not there.
        BackendUnavailable: the place can't be reached.
    """
    for shard in shards:
        if offset >= shard.num_rows:
            offset -= shard.num_rows
            continue
        yield from islice(files.lines(uid, shard), offset, None)
        offset = 0
