"""Where the shard of a bank lies: a folder, and after each improvement of its index the next one beside it.

The first is named as the bank; a file ``<bank>.at`` names the one that counts where it is a later one. That file is
replaced whole, so that a process which dies leaves one that counts, and what does not count is cleared away later.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def current(folder: Path, bank: str) -> Path:
    """Return the folder of the shard that counts, whether it is there or not."""
    return _generation(folder, bank, _number(folder, bank))


def following(folder: Path, bank: str) -> Path:
    """Return the folder of the next one, of which nothing is there."""
    path = _generation(folder, bank, _number(folder, bank) + 1)
    shutil.rmtree(path, ignore_errors=True)
    return path


def advance(folder: Path, bank: str) -> None:
    """Have the next one count from now on."""
    place = folder / f"{bank}.at"
    written = folder / f"{bank}.at.new"
    written.write_text(str(_number(folder, bank) + 1))
    with written.open("rb") as file:
        os.fsync(file.fileno())
    written.replace(place)


def clear(folder: Path, bank: str) -> None:
    """Delete what does not count."""
    keep = {current(folder, bank), folder / f"{bank}.at"}
    for path in folder.glob(f"{bank}.*"):
        if path not in keep:
            _delete(path)
    if folder / bank not in keep:
        _delete(folder / bank)


def delete(folder: Path, bank: str) -> None:
    """Delete everything of a bank, the one that counts last."""
    clear(folder, bank)
    _delete(current(folder, bank))
    (folder / f"{bank}.at").unlink(missing_ok=True)


def _number(folder: Path, bank: str) -> int:
    try:
        return int((folder / f"{bank}.at").read_text())
    except FileNotFoundError:
        return 1


def _generation(folder: Path, bank: str, number: int) -> Path:
    return folder / (bank if number == 1 else f"{bank}.{number}")


def _delete(path: Path) -> None:
    """Delete a folder under another name, so that a half one is never found."""
    if path.suffix != ".gone" and path.is_dir():
        gone = path.with_name(f"{path.name}.gone")
        shutil.rmtree(gone, ignore_errors=True)
        path = path.rename(gone)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
