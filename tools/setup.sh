#!/usr/bin/env bash
# Makes .venv with the locked packages and the generated contracts. Needs Python 3.11 and the package index, no root.
set -euo pipefail
cd "$(dirname "$0")/.."
lock=requirements/dev.lock
python=${PYTHON:-}

die() { echo "setup: $*" >&2; exit 1; }

for candidate in ${python:-python3.11 python3 python}; do
  if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
    found=$candidate
    break
  fi
done
[ -n "${found:-}" ] || die "Python 3.11 is needed and none of '${python:-python3.11 python3 python}' is one; install it or set PYTHON=/path/to/python3.11"
"$found" -c 'import venv, ensurepip' 2>/dev/null || die "this Python has no venv module; install it (on Debian: python3.11-venv)"

stamp=.venv/.installed
wanted=$(cat "$lock" pyproject.toml tools/setup.sh | sha256sum | cut -d' ' -f1)
if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
  # one of another version, or whose Python is gone, is of no use
  .venv/bin/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null \
    || "$found" -m venv --clear .venv || die "$found can't make .venv"
  .venv/bin/python -m pip install -q 'uv>=0.9' || die "uv could not be installed from the package index"
  # uv does not read pip's own setting for a local folder of wheels
  export UV_FIND_LINKS=${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}} UV_LINK_MODE=${UV_LINK_MODE:-copy}
  [ -n "$UV_FIND_LINKS" ] || unset UV_FIND_LINKS
  echo "setup: installing $(grep -c '==' "$lock") packages into .venv"
  problems=$(mktemp)
  trap 'rm -f "$problems"' EXIT
  uv() { .venv/bin/uv pip install -q --python .venv/bin/python "$@"; }
  # the locks are complete, and following dependencies would bring in CUDA builds; the second try finds the CPU build of
  # torch where the package index has none, the third serves machines whose index only pip is set up for
  uv --no-deps -r "$lock" 2>"$problems" \
    || uv --no-deps --torch-backend cpu -r "$lock" 2>>"$problems" \
    || .venv/bin/python -m pip install -q --no-deps -r "$lock" \
    || { cat "$problems" >&2; die "the packages of $lock could not be installed"; }
  .venv/bin/python -m tools.protogen
  uv --no-deps --no-build-isolation -e . || die "the project itself could not be installed"
  echo "$wanted" > "$stamp"
fi
.venv/bin/python -m tools.protogen

# what only root can install: tried where it can be, else named with what does not work without it
if ! command -v bwrap >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { apt-get install -y -qq bubblewrap || { apt-get update -qq && apt-get install -y -qq bubblewrap; }; } \
      >/dev/null 2>&1 || true
  fi
  command -v bwrap >/dev/null || echo "setup: bubblewrap is missing (as root: apt-get install bubblewrap);" \
    "without it code_interpreter runs behind Landlock, and not at all where the kernel has none" >&2
fi
