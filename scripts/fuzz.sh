#!/usr/bin/env bash
# Runs every fuzz target of the root module for $FUZZTIME (30s) each. What a
# target finds is written by go to its testdata/fuzz and fails from then on.
set -euo pipefail
CDPATH="" cd -- "$(dirname -- "$0")/.."
# shellcheck source=scripts/say.sh
source scripts/say.sh

each=${FUZZTIME:-30s}
found=0
# One line per target: the folder, then the name. grep leaves with 1 when there
# is none, which the count below reports.
targets=$(grep -r --include='*_test.go' -o -E '^func Fuzz[A-Za-z0-9_]+' plugins shared |
	sed -E 's|^(.*)/[^/]*:func (.*)$|\1 \2|' | sort) || true
while read -r folder name; do
	if [[ -z $name ]]; then continue; fi
	found=$((found + 1))
	say "== $name in $folder, $each"
	go test -run '^$' -fuzz "^$name\$" -fuzztime "$each" "./$folder"
done <<<"$targets"
((found > 0)) || fail "no fuzz target found in plugins and shared"
