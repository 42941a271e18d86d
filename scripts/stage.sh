#!/usr/bin/env bash
# Runs a command as a named stage: stage.sh LABEL COMMAND... says when it begins
# and how it ended, with the time it took, and passes its exit status on.
set -euo pipefail
# shellcheck source=scripts/say.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/say.sh"

label=$1 start=$SECONDS status=0
shift
say "== $label"
"$@" || status=$?
if ((status == 0)); then
	say "== $label: done in $(elapsed "$start")"
else
	say "== $label: FAILED after $(elapsed "$start") (exit status $status)"
fi
exit "$status"
