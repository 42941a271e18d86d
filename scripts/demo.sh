#!/usr/bin/env bash
# Runs the demo with the first Fluent Bit found: demo.sh [FLAGS of the demo].
set -euo pipefail
CDPATH="" cd -- "$(dirname -- "$0")/.."
# shellcheck source=scripts/say.sh
source scripts/say.sh
# shellcheck source=scripts/packages.sh
source scripts/packages.sh

case " $* " in
*" -prometheus "*) need_packages prometheus "a Prometheus beside the pipeline" ;;
esac
hosts=$(scripts/fluent-bit.sh)
export FLUENT_BIT=${hosts%%$'\n'*}

# Built first rather than `go run`: the build has a stage of its own, and a
# signal reaches the demo, which has processes to stop, instead of go.
mkdir -p bin
work=$(mktemp -d bin/.build.XXXXXX)
trap 'stop_stage; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
log=$(new_log build-demo)
run_stage "bin/demo" "$log" go -C scripts build -o "../$work/demo" ./demo
mv -f "$work/demo" bin/demo
rm -rf "$work" "$log"
trap - EXIT INT TERM HUP

exec bin/demo "$@"
