#!/usr/bin/env bash
# Breaks the pipeline in every Fluent Bit found and accounts for every line:
# faults.sh [FLAGS of the fault suite].
set -euo pipefail
CDPATH="" cd -- "$(dirname -- "$0")/.."
# shellcheck source=scripts/say.sh
source scripts/say.sh
# shellcheck source=scripts/packages.sh
source scripts/packages.sh

need_cache
# Faults that need what cannot be installed are skipped, and say so.
if ((EUID == 0)) && has apt-get; then (need_packages faults "rotating log files") || true; fi
hosts=$(scripts/fluent-bit.sh)
FLUENT_BIT=$(paste -sd: <<<"$hosts")
export FLUENT_BIT

# Built first rather than `go run`, for the reason that demo.sh gives.
mkdir -p bin
work=$(mktemp -d bin/.build.XXXXXX)
trap 'stop_stage; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
log=$(new_log build-faults)
run_stage "bin/faults" "$log" go -C scripts build -o "../$work/faults" ./faults
mv -f "$work/faults" bin/faults
rm -rf "$work" "$log"
trap - EXIT INT TERM HUP

exec bin/faults "$@"
