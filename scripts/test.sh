#!/usr/bin/env bash
# Runs one kind of tests:
#
#   test.sh short      unit tests of both modules: no race detector, no Fluent Bit
#   test.sh unit       the same with the race detector
#   test.sh contract   a C program plays the host for each .so in bin/
#   test.sh e2e        the .so files in bin/ inside real Fluent Bits
#
# The time limits are the CI budgets; they stop a test that hangs, with the
# stacks of all goroutines. End to end, each Fluent Bit has a budget of its own.
set -euo pipefail
CDPATH="" cd -- "$(dirname -- "$0")/.."
# shellcheck source=scripts/say.sh
source scripts/say.sh
# shellcheck source=scripts/packages.sh
source scripts/packages.sh

# packages FOLDER EXCEPT prints the packages of the module in FOLDER.
packages() { (cd "$1" && go list ./... | grep -v -E "$2"); }

# unit FLAGS... runs both modules, the second also when the first failed.
unit() {
	local status=0 list
	list=$(packages . '/shared/testkit/contract(/|$)')
	# shellcheck disable=SC2086 # a list of packages
	go test "$@" $list || status=$?
	list=$(packages scripts '/e2e(/|$)')
	# shellcheck disable=SC2086
	(cd scripts && go test "$@" $list) || status=$?
	return "$status"
}

# failures LOG prints what the failed tests of a `go test -v` run wrote, 60 lines
# each, and the first stacks of a panic or a timeout.
failures() {
	awk 'NR == FNR { if ($1 == "---" && $2 == "FAIL:") bad[$3]; next }
		/^=== (RUN|NAME|CONT|PAUSE)/ { test = $3; next }
		/^ *--- / { next }
		/^panic:/ { panicked = 60 }
		panicked-- > 0 || (test in bad && said[test]++ < 60)' "$1" "$1"
}

# e2e writes everything to a log and shows what matters: which test ran how
# long, what it had to leave out and why, and the runner's closing lines.
e2e() {
	local log status=0 hosts count
	hosts=$(scripts/fluent-bit.sh)
	count=$(wc -l <<<"$hosts")
	FLUENT_BIT=$(paste -sd: <<<"$hosts")
	export FLUENT_BIT
	# Tests that need it say so when they are skipped.
	if ((EUID == 0)) && has apt-get; then need_packages prometheus "comparing metrics with a real Prometheus"; fi
	log=$(new_log e2e)
	say "the whole output: $log"
	(cd scripts && go test -count=1 -v -timeout $((5 * count))m ./e2e/...) 2>&1 | tee "$log" | awk '
		/^=== / { test = $3; next }
		/^ *--- SKIP/ { printf "%s", said[$3] }
		/^ *--- / || /^(ok|FAIL|panic:|e2e:|#|\?)/ { print; fflush(); next }
		length(said[test]) < 2000 { said[test] = said[test] $0 "\n" }' || status=$?
	if ((status != 0)); then
		say "what the failed tests said (whole output: $log):"
		failures "$log" >&2
	fi
	return "$status"
}

need_cache
case ${1:-} in
short)
	# unit installs it, or fails; here its tests are left out, which go test does not show.
	command -v kcat >/dev/null || say "skipped: TestKcatReadsEverything and TestPartitionsOfKcat: kcat is not installed (Debian package kcat)"
	unit -short -timeout 3m
	;;
unit)
	need_packages unit "comparing with another Kafka client"
	unit -race -timeout 10m
	;;
contract) FLBGO_PLUGINS=$PWD/bin go test -count=1 -timeout 3m -tags contract ./shared/testkit/contract/... ;;
e2e) e2e ;;
*) fail "unknown kind of tests '${1:-}'; allowed: short, unit, contract, e2e" ;;
esac
