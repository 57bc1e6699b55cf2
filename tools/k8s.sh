#!/usr/bin/env bash
# Runs `python -m tools.k8s ARGUMENTS` in .venv-k8s, which it makes from requirements/k8s.lock when it is not there.
set -euo pipefail
cd "$(dirname "$0")/.."
lock=requirements/k8s.lock stamp=.venv-k8s/.installed
wanted=$(sha256sum <"$lock")
if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
  echo "k8s: installing $(grep -c == "$lock") packages into .venv-k8s"
  .venv/bin/uv venv -q --clear --python .venv/bin/python .venv-k8s
  UV_LINK_MODE=${UV_LINK_MODE:-copy} .venv/bin/uv pip install -q --no-deps --python .venv-k8s/bin/python -r "$lock"
  echo "$wanted" >"$stamp"
fi
exec .venv-k8s/bin/python -m tools.k8s "$@"
