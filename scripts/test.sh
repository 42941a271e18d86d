#!/usr/bin/env bash
# Runs one kind of tests:
#
#   test.sh short      unit tests of both modules: no race detector, no Fluent Bit
#   test.sh unit       the same with the race detector
#   test.sh contract   a C program plays the host for each .so in bin/
#   test.sh e2e        the .so files in bin/ inside real Fluent Bits
#   test.sh arm64      the contract tests on linux/arm64, under qemu-user
#   test.sh dist       what make dist packs: twice the same, installed, run
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
	(cd scripts && go test -count=1 -v -timeout $((10 * count))m ./e2e/...) 2>&1 | tee "$log" | awk '
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

# zig prints its path, or says what is left out because it cannot be had.
zig() {
	local log
	log=$(new_log zig-missing)
	scripts/zig.sh 2> >(tee "$log" >&2) && return
	skipped "$1: zig is not here and cannot be installed (Python package ziglang): $(tail -n 1 "$log")"
	return 1
}

# arm64 runs the released files of the other architecture: the same tests, the
# same program that plays the host, built for it. The emulated C library is
# Debian 12's, so the host is built for one that is no newer.
arm64() {
	local zig log status=0
	zig=$(zig "contract tests on arm64") || return 0
	need_packages arm64 "running arm64 programs"
	scripts/release.sh arm64 bin/linux-arm64 "$VERSION"
	log=$(new_log arm64)
	say "the whole output: $log"
	ZIG_GLOBAL_CACHE_DIR=$CACHE/zig ZIG_LOCAL_CACHE_DIR=$CACHE/zig \
		FLBGO_GOARCH=arm64 FLBGO_CC="$zig cc -target aarch64-linux-gnu.2.31" \
		FLBGO_EMULATOR="qemu-aarch64 -L /usr/aarch64-linux-gnu" FLBGO_PLUGINS=$PWD/bin/linux-arm64 \
		go test -count=1 -v -timeout 4m -tags contract ./shared/testkit/contract/ >"$log" 2>&1 || status=$?
	if ((status != 0)); then failures "$log" >&2; fi
	grep -E '^--- (FAIL|SKIP)|^(ok|FAIL|panic:)' "$log" || true
	say "linux/arm64 under qemu-user: $(grep -c '^--- PASS' "$log") tests passed"
	return "$status"
}

# dist packs twice, the second time in another folder, and looks at the result.
dist() {
	local copy status=0
	zig "packages" >/dev/null || return 0
	SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || echo 0)
	export SOURCE_DATE_EPOCH
	scripts/dist.sh "$VERSION" dist
	copy=$(mktemp -d)
	# shellcheck disable=SC2064 # the folder of now
	trap "rm -rf '$copy'" EXIT
	cp -r go.mod go.sum LICENSE README.md conf plugins shared scripts "$copy/"
	say "again, in another folder"
	(cd "$copy" && scripts/dist.sh "$VERSION" dist 2>/dev/null)
	if diff "$copy/dist/SHA256SUMS" dist/SHA256SUMS; then
		say "two builds have equal bytes"
	else
		say "error: two builds of the same sources differ"
		status=1
	fi
	(cd scripts && FLBGO_DIST=$OLDPWD/dist go test -count=1 -timeout 3m -tags dist ./dist) || status=$?
	FLUENT_BIT=$(scripts/fluent-bit.sh | paste -sd:)
	export FLUENT_BIT
	(cd scripts && FLBGO_DIST=$OLDPWD/dist go test -count=1 -timeout 3m -tags dist -run '^TestReleaseRunsFromItsFolder$' -v ./e2e) |
		awk '/no tests to run/ { none = 1 } /^ *--- |^(ok|FAIL|panic:)|_test.go/ { print } END { exit none }' || status=1
	return "$status"
}

need_cache
VERSION=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo dev)}
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
arm64) arm64 ;;
dist) dist ;;
*) fail "unknown kind of tests '${1:-}'; allowed: short, unit, contract, e2e, arm64, dist" ;;
esac
