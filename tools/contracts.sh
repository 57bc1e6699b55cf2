#!/usr/bin/env bash
# Checks the contracts: lint, format, and no breaking change against any recorded version, nor the newest release tag.
set -euo pipefail
cd "$(dirname "$0")/.."
buf=.venv/bin/buf
"$buf" lint
"$buf" format --diff --exit-code
compared=()
for recorded in tests/skew/recorded/*/contracts.binpb.gz; do
  "$buf" breaking --against "$recorded"
  compared+=("$(basename "$(dirname "$recorded")")")
done
base=$(git tag --list 'v*' --sort=-v:refname | head -n 1)
if [ -n "$base" ]; then
  was=$(mktemp -d)
  trap 'rm -rf "$was"' EXIT
  git archive "$base" proto buf.yaml | tar -x -C "$was"
  "$buf" breaking --against "$was"
  compared+=("$base")
fi
echo "contracts: lint and format clean; compared with ${compared[*]}"
