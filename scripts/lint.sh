#!/usr/bin/env bash
# Runs every check that needs no test to run, all of them also when one fails,
# and names at the end the ones that did.
set -euo pipefail
CDPATH="" cd -- "$(dirname -- "$0")/.."
# shellcheck source=scripts/say.sh
source scripts/say.sh

STATICCHECK=honnef.co/go/tools/cmd/staticcheck@v0.8.2

# formatted fails when gofmt would change a file, and says which.
formatted() {
	local files
	files=$(gofmt -l plugins shared scripts) || return 1
	[[ -z $files ]] || { echo "gofmt would change:"; echo "$files"; return 1; }
}

rules() { (cd scripts && go run ./lint ..); }

# modules COMMAND... runs it in both Go modules.
modules() {
	local status=0
	"$@" ./... || status=1
	(cd scripts && "$@" ./...) || { status=1; say "  (paths without a leading plugins/ or shared/ are below scripts/)"; }
	return "$status"
}

staticcheck() {
	local bin
	bin=$(go_tool "$STATICCHECK") || return 1
	modules "$bin"
}

shell_scripts() { shellcheck -x scripts/*.sh .ci/run; }

need_cache
failed=()
# check NAME COMMAND... runs a check in a process of its own, so that one that
# ends itself does not end the others.
check() {
	local name=$1 start=$SECONDS
	shift
	if ("$@"); then
		say "  $name: ok ($(elapsed "$start"))"
	else
		say "  $name: FAILED ($(elapsed "$start"))"
		failed+=("$name")
	fi
}
check gofmt formatted
check rules rules
check vet modules go vet
# The contract tests have a build tag; nobody else reads them.
check 'vet contract' go vet -tags contract ./shared/testkit/...
check 'vet dist' eval '(cd scripts && go vet -tags dist ./dist ./e2e)'
check staticcheck staticcheck
if command -v shellcheck >/dev/null; then
	check shellcheck shell_scripts
else
	say "  shellcheck: not installed, scripts not checked (Debian package shellcheck)"
fi
if ((${#failed[@]} > 0)); then fail "lint: ${failed[*]}"; fi
