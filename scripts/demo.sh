#!/usr/bin/env bash
# Runs the demo with the first Fluent Bit found: demo.sh [-run].
set -euo pipefail
CDPATH="" cd -- "$(dirname -- "$0")/.."

hosts=$(scripts/fluent-bit.sh)
export FLUENT_BIT=${hosts%%$'\n'*}
cd scripts
exec go run ./demo "$@"
