#!/usr/bin/env bash
# Resolves pyproject.toml into the lock files under requirements/.
set -euo pipefail
cd "$(dirname "$0")/.."
export UV_FIND_LINKS=${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}}
[ -n "$UV_FIND_LINKS" ] || unset UV_FIND_LINKS
resolve() { # resolve LOCK EXTRA..., options of uv between
  local lock=$1 arguments=()
  shift
  for argument in "$@"; do
    case $argument in -*|*/*) arguments+=("$argument") ;; *) arguments+=(--extra "$argument") ;; esac
  done
  .venv/bin/uv pip compile pyproject.toml "${arguments[@]}" --python-version 3.11 \
    --no-emit-index-url --no-header --no-annotate -q -o "$lock"
}
compile() { resolve "$@" --override requirements/overrides.txt; }
compile requirements/dev.lock cli gateway inference memory agents training eval postgres dev bench
# what each image holds; services with state reach PostgreSQL
compile requirements/gateway.lock gateway
compile requirements/inference.lock inference
# the package index has the builds for GPUs, a folder of wheels those for processors
(
  unset UV_FIND_LINKS
  resolve requirements/inference-cuda.lock inference-cuda
  compile requirements/training-cuda.lock training postgres
)
for service in agents memory training eval; do
  compile "requirements/$service.lock" "$service" postgres
done
for client in requirements/client-*.in requirements/k8s.in requirements/build.in; do
  .venv/bin/uv pip compile "$client" --python-version 3.11 --no-emit-index-url --no-header --no-annotate -q \
    -o "${client%.in}.lock"
done
