"""Generates the Python stubs and type stubs of every contract under ``proto/`` into ``gen/``.

``gen/`` is built, never committed, so that it can't drift: the folder is written anew whenever a proto file, this
program or the compiler changed, which a digest in ``gen/.digest`` tells. ``google/api`` is not generated, because its
package comes from googleapis-common-protos; declaring it twice in one process is an error of protobuf.

Usage: ``python -m tools.protogen [--force]``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
GEN = ROOT / "gen"
DIGEST = GEN / ".digest"
DESCRIPTORS = GEN / "llamastack" / "descriptors.binpb"


def sources() -> list[Path]:
    """Return the proto files that get Python stubs, sorted, relative to ``proto/``."""
    files = (path.relative_to(PROTO) for path in PROTO.rglob("*.proto"))
    return sorted(path for path in files if path.parts[0] != "google")


def digest() -> str:
    """Return a digest over everything that the stubs are made of."""
    parts = [version("grpcio-tools"), version("mypy-protobuf"), Path(__file__).read_text()]
    parts += [f"{path}\n{(PROTO / path).read_text()}" for path in sources()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def generate(out: Path) -> None:
    """Write stubs, type stubs and the descriptor set with comments into ``out``.

    Raises:
        SystemExit: the compiler found an error; it has printed it.
    """
    from grpc_tools import protoc  # the compiler is heavy and only needed when something changed

    # protoc finds its plugins on the PATH, and they stand beside the interpreter
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    (out / "llamastack").mkdir(parents=True)
    arguments = [
        "protoc",
        f"--proto_path={PROTO}",
        f"--proto_path={files('grpc_tools') / '_proto'}",
        f"--python_out={out}",
        f"--grpc_python_out={out}",
        f"--mypy_out=quiet:{out}",
        f"--mypy_grpc_out=quiet:{out}",
        "--include_imports",
        "--include_source_info",
        f"--descriptor_set_out={out / 'llamastack' / DESCRIPTORS.name}",
        *map(str, sources()),
    ]
    if protoc.main(arguments) != 0:
        raise SystemExit("protogen: the contracts under proto/ do not compile")
    for folder in {path.parent for path in out.rglob("*_pb2.py")}:
        while folder != out:
            (folder / "__init__.py").touch()
            (folder / "py.typed").touch()
            folder = folder.parent


def main(arguments: list[str]) -> int:
    """Generate when something changed, or always with ``--force``; return the exit code."""
    wanted = digest()
    if "--force" not in arguments and DIGEST.exists() and DIGEST.read_text() == wanted:
        return 0
    fresh = GEN.with_name("gen.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    generate(fresh)
    (fresh / DIGEST.name).write_text(wanted)
    shutil.rmtree(GEN, ignore_errors=True)
    fresh.rename(GEN)
    print(f"protogen: {len(sources())} files -> {GEN.name}/")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
