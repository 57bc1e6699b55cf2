#!/usr/bin/env bash
# Resolves pyproject.toml into the lock files under requirements/.
set -euo pipefail
cd "$(dirname "$0")/.."
export UV_FIND_LINKS=${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}}
[ -n "$UV_FIND_LINKS" ] || unset UV_FIND_LINKS
compile() { # compile LOCK EXTRA...
  local lock=$1 extras=()
  shift
  for extra in "$@"; do extras+=(--extra "$extra"); done
  .venv/bin/uv pip compile pyproject.toml "${extras[@]}" --override requirements/overrides.txt --python-version 3.11 \
    --no-emit-index-url --no-header --no-annotate -q -o "$lock"
}
compile requirements/dev.lock cli gateway inference memory agents training eval postgres dev bench
compile requirements/gateway.lock gateway
for client in requirements/client-*.in; do
  .venv/bin/uv pip compile "$client" --python-version 3.11 --no-emit-index-url --no-header --no-annotate -q \
    -o "${client%.in}.lock"
done
