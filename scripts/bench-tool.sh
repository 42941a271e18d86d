#!/usr/bin/env bash
# Builds a program of the scripts module and runs it from the project's folder:
# bench-tool.sh PROGRAM [FLAGS...]. For benchcount, which also needs valgrind,
# and benchscale.
set -euo pipefail
CDPATH="" cd -- "$(dirname -- "$0")/.."
# shellcheck source=scripts/say.sh
source scripts/say.sh
# shellcheck source=scripts/packages.sh
source scripts/packages.sh

program=$1
shift
if [[ $program == benchcount ]] && { ! has valgrind && has apt-get; }; then
	need_packages valgrind "counting instructions"
fi
# Built first rather than `go run`, for the reason that demo.sh gives.
mkdir -p bin
work=$(mktemp -d bin/.build.XXXXXX)
trap 'stop_stage; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
log=$(new_log "build-$program")
run_stage "bin/$program" "$log" go -C scripts build -o "../$work/$program" "./$program"
mv -f "$work/$program" "bin/$program"
rm -rf "$work" "$log"
trap - EXIT INT TERM HUP

exec "bin/$program" "$@"
