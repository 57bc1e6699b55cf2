#!/usr/bin/env bash
# Generates the stubs of the contracts into gen/ with what that takes alone: the compiler and its plugins, at the
# versions of the lock. They are taken from .venv where it has them, else installed into build/proto.
set -euo pipefail
cd "$(dirname "$0")/.."
needed='^(grpcio|grpcio-tools|mypy-protobuf|protobuf|setuptools|types-protobuf|typing-extensions)=='

has_compiler() { "$1" -c 'import grpc_tools.protoc, mypy_protobuf' 2>/dev/null; }

python=.venv/bin/python
if ! has_compiler "$python"; then
  python=build/proto/bin/python
  if ! has_compiler "$python"; then
    found=${PYTHON:-python3.11}
    "$found" -m venv --clear build/proto || { echo "proto: Python 3.11 with its venv module is needed" >&2; exit 1; }
    grep -E "$needed" requirements/dev.lock > build/proto/requirements.txt
    "$python" -m pip install -q --no-deps -r build/proto/requirements.txt
  fi
fi
"$python" -m tools.protogen --force
