#!/usr/bin/env bash
# Runs the Go benchmarks of the hot paths and compares them with the recorded
# ones: bench.sh [-record] [-count N] [-time D] [-bench REGEX]
#
#   -record   keep the result as what later runs are compared with
#   -count    how often each runs; benchstat wants 6 or more (6)
#   -time     how long each runs, or how often with an x behind it (100ms)
#   -bench    which ones, as go test's -bench (all)
set -euo pipefail
CDPATH="" cd -- "$(dirname -- "$0")/.."
# shellcheck source=scripts/say.sh
source scripts/say.sh

# What is recorded. Times are this machine's: record before a change, on the
# same machine, to see what it does.
BASELINE=testdata/bench/micro.txt
PACKAGES=(./shared/chunk ./shared/record ./plugins/filter_enrich/enrich ./plugins/out_field_metrics/fieldmetrics ./plugins/out_kafka_batch/batch)
# Compressors and levels that are not the default (testdata/bench/lz4.md has
# them), other libraries beside ours, and scrapes: no hot paths.
SKIP='BenchmarkCompress|BenchmarkHostile|BenchmarkMsgpToJSON|BenchmarkGather|BenchmarkTable/client_golang|BenchmarkLZ4Block/(pierrec|high|HC|reference|fast)'

# Bytes per second say what seconds say.
UNITS='.unit:(sec/op OR allocs/op)'

record=no count=6 time=100ms which=.
while (($# > 0)); do
	case $1 in
	-record) record=yes ;;
	-count) count=${2:?} && shift ;;
	-time) time=${2:?} && shift ;;
	-bench) which=${2:?} && shift ;;
	*) fail "unknown flag '$1'; allowed: -record, -count N, -time D, -bench REGEX" ;;
	esac
	shift
done
if [[ $record == yes && $which != . ]]; then fail "-record with -bench would leave the other benchmarks without a record"; fi

need_cache
log=$(new_log bench)
go -C scripts build -o "$CACHE/benchstat-$$" golang.org/x/perf/cmd/benchstat
trap 'rm -f "$CACHE/benchstat-$$"' EXIT
# One package after the other: two at once would share the cores.
go test -p 1 -run '^$' -bench "$which" -skip "$SKIP" -count "$count" -benchtime "$time" "${PACKAGES[@]}" | tee "$log" |
	awk '/^(FAIL|---|panic|#)/ { print; next } /^pkg:/ { printf "\n%s ", $2 } /^Benchmark/ { printf "." } { fflush() } END { print "" }' >&2
if [[ -f $BASELINE && $record == no ]]; then
	"$CACHE/benchstat-$$" -filter "$UNITS" "recorded=$BASELINE" "now=$log"
else
	"$CACHE/benchstat-$$" -filter "$UNITS" "now=$log"
fi
if [[ $record == yes ]]; then
	cp "$log" "$BASELINE"
	say "recorded: $BASELINE"
fi
