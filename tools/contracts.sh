#!/usr/bin/env bash
# Checks the contracts: lint, format, and no breaking change against the newest release tag, where there is one.
set -euo pipefail
cd "$(dirname "$0")/.."
buf=.venv/bin/buf
"$buf" lint
"$buf" format --diff --exit-code
base=$(git tag --list 'v*' --sort=-v:refname | head -n 1)
if [ -n "$base" ]; then
  was=$(mktemp -d)
  trap 'rm -rf "$was"' EXIT
  git archive "$base" proto buf.yaml | tar -x -C "$was"
  "$buf" breaking --against "$was"
fi
echo "contracts: lint and format clean; compared with ${base:-nothing, there is no release yet}"
