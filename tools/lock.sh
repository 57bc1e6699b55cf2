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
# what each image holds; services with state reach PostgreSQL
compile requirements/gateway.lock gateway
compile requirements/inference.lock inference
compile requirements/inference-cuda.lock inference-cuda
for service in agents memory training eval; do
  compile "requirements/$service.lock" "$service" postgres
done
for client in requirements/client-*.in requirements/k8s.in requirements/build.in; do
  .venv/bin/uv pip compile "$client" --python-version 3.11 --no-emit-index-url --no-header --no-annotate -q \
    -o "${client%.in}.lock"
done
