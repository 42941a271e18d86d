#!/usr/bin/env bash
# Runs every fuzz target of both modules for $FUZZTIME (30s) each, all of them
# also when one fails; $FUZZ is a regular expression for the names of those to
# run. What a target finds go writes to testdata/fuzz beside its test: an input
# that belongs into git with the mend, and fails in every go test until then.
set -euo pipefail
CDPATH="" cd -- "$(dirname -- "$0")/.."
# shellcheck source=scripts/say.sh
source scripts/say.sh

each=${FUZZTIME:-30s} only=${FUZZ:-.}
passed=0 failed=()

# targets prints one line each: the module's folder, the package's in it, the name.
targets() {
	local module
	for module in plugins shared scripts; do
		grep -r --include='*_test.go' -o -E '^func Fuzz[A-Za-z0-9_]+' "$module"
	done | sed -E 's,^(scripts|)/?(.*)/[^/]*:func (.*)$,\1 \2 \3,' | sed 's,^ ,. ,' | sort
}

# go would spend up to a minute on making one interesting input smaller, and run
# nothing new meanwhile.
all=$(targets)
while read -r module folder name; do
	if [[ ! $name =~ $only ]]; then continue; fi
	say "== $name in $folder, $each"
	if (cd "$module" && go test -run '^$' -fuzz "^$name\$" -fuzztime "$each" -fuzzminimizetime 3s "./$folder"); then
		passed=$((passed + 1))
	else
		path=$module/$folder
		failed+=("$name in ${path#./}")
	fi
done <<<"$all"
((passed + ${#failed[@]} > 0)) || fail "no fuzz target of this name in either module: $only"

say "fuzz targets: $passed passed, ${#failed[@]} failed"
if ((${#failed[@]} > 0)); then
	say "what they found, to be kept beside the test (git status has the files):"
	printf '  %s\n' "${failed[@]}" >&2
	git status --short -- '*testdata/fuzz*' >&2 || true
	exit 1
fi
