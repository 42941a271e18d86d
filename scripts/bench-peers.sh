#!/usr/bin/env bash
# Measures the plugins beside the built-in ones of every Fluent Bit found:
# bench-peers.sh [FLAGS of the bench].
set -euo pipefail
CDPATH="" cd -- "$(dirname -- "$0")/.."
# shellcheck source=scripts/say.sh
source scripts/say.sh

hosts=$(scripts/fluent-bit.sh)
FLUENT_BIT=$(paste -sd: <<<"$hosts")
export FLUENT_BIT

# Built first rather than `go run`, for the reason that demo.sh gives.
mkdir -p bin
work=$(mktemp -d bin/.build.XXXXXX)
trap 'stop_stage; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
log=$(new_log build-bench)
run_stage "bin/bench" "$log" go -C scripts build -o "../$work/bench" ./bench
mv -f "$work/bench" bin/bench
rm -rf "$work" "$log"
trap - EXIT INT TERM HUP

exec bin/bench "$@"
