"""``altiplano backup`` and ``altiplano restore``: what the services of this machine keep, as one archive."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

from cli.failure import USAGE, Failure
from mesh.backup import back_up
from mesh.backup import restore as bring_back
from mesh.errors import MeshError

SERVICES: Final = ("agents", "eval", "training", "memory", "inference")
"""Those first that name what others keep."""
_DATA = click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), default=Path(".altiplano"), help="Where state is kept."
)


@click.command()
@click.argument("archive", type=click.Path(path_type=Path, dir_okay=False))
@_DATA
def backup(archive: Path, data: Path) -> None:
    """Write what the services keep below --data to ARCHIVE, a tar file.

    The services may run, but for memory with the embedded vector store. What is on a PostgreSQL, a Qdrant or in a
    bucket is not in it.
    """
    folders = {name: data / name for name in SERVICES if (data / name).is_dir()}
    if not folders:
        raise Failure(f"{data} has no services in it; name the folder by --data", USAGE)
    partial = archive.with_name(f"{archive.name}.part")
    try:
        # tenants' data: for nobody else to read
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            count = back_up(folders, out)
            out.flush()
            os.fsync(out.fileno())
        partial.replace(archive)
    except MeshError as error:
        partial.unlink(missing_ok=True)
        raise Failure(error.message) from error
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise Failure(f"{archive} can't be written: {error}") from error
    click.echo(f"{count} files of {', '.join(sorted(folders))} in {archive}")


@click.command()
@click.argument("archive", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@_DATA
def restore(archive: Path, data: Path) -> None:
    """Bring ARCHIVE back into --data, which has to be empty but for logs."""
    try:
        with archive.open("rb") as opened:
            count = bring_back(opened, data)
    except MeshError as error:
        raise Failure(error.message) from error
    except OSError as error:
        raise Failure(f"{data} can't be restored: {error}") from error
    click.echo(f"{count} files back in {data}; `altiplano up --data {data}` serves them")
