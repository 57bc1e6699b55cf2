#!/usr/bin/env bash
# Installs what each image holds into an environment of its own and starts its service there: tools/installs.sh [SERVICE ...].
# Shows, where no image can be built, that the locks install, are complete, and that nothing else is needed to import every
# module and to serve. Needs the package index; takes minutes and some gigabytes under build/, which are given back.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
folder=$root/build/installs
export UV_FIND_LINKS=${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}}
[ -n "$UV_FIND_LINKS" ] || unset UV_FIND_LINKS
uv() { "$root/.venv/bin/uv" "$@"; }
trap 'rm -rf "$folder"' EXIT
services=("$@")
[ $# -gt 0 ] || services=(gateway inference agents memory training eval)
for service in "${services[@]}"; do
  rm -rf "$folder"
  mkdir -p "$folder/code"
  uv venv -q --python .venv/bin/python "$folder/venv"
  python=$folder/venv/bin/python
  uv pip install -q --no-deps --python "$python" -r "requirements/$service.lock" 2>/dev/null \
    || uv pip install -q --no-deps --torch-backend cpu --python "$python" -r "requirements/$service.lock"
  # what the Dockerfile copies
  cp -r pyproject.toml README.md LICENSE proto tools mesh models gateway services cli gen "$folder/code"
  uv pip install -q --no-deps --python "$python" "$folder/code"
  (cd "$folder" && "$python" -P "$root/tools/started.py" "$service")
  echo "installs: $service serves with the $(grep -c == "requirements/$service.lock") packages of its image alone"
done
