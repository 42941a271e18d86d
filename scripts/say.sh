#!/usr/bin/env bash
# What the scripts beside this one share: how they speak, where they keep
# things, how they take turns. Sourced, never run. Everything said goes to
# stderr, because the stdout of some scripts is a result that others read.

# The one folder outside the work tree that holds what was fetched or built.
CACHE=${XDG_CACHE_HOME:-${HOME:-}/.cache}/flbgo

say() { printf '%s\n' "$*" >&2; }

fail() {
	say "error: $*"
	exit 1
}

# skipped WHAT: WHY says that something was left out, and has it in the summary of
# continuous integration, which names a file for it.
skipped() {
	say "skipped: $*"
	if [[ -n ${FLBGO_SKIPPED:-} ]]; then echo "$*" >>"$FLBGO_SKIPPED"; fi
}

# elapsed START prints the time since START, a value of $SECONDS.
elapsed() {
	local s=$((SECONDS - $1))
	if ((s < 60)); then
		printf '%d s' "$s"
	else
		printf '%d min %02d s' $((s / 60)) $((s % 60))
	fi
}

# need_cache creates the cache folder, or says which variable moves it: accounts
# of services often have no home that they can write to.
need_cache() {
	if mkdir -p "$CACHE" 2>/dev/null && [[ -w $CACHE ]]; then return; fi
	fail "cannot write to the cache folder $CACHE; set XDG_CACHE_HOME to a folder that you can write to"
}

# lock NAME WHAT waits until no other process of this user holds the lock NAME
# and keeps it until the script ends: the kernel drops it with the process, so
# nothing stale is left behind by a kill.
lock() {
	local fd
	need_cache
	exec {fd}>"$CACHE/$1.lock"
	if ! flock -n "$fd"; then
		say "waiting for another process: $2"
		flock "$fd"
	fi
}

# new_log NAME prints the path of a new, empty log of this run; logs of last week
# are removed.
new_log() {
	need_cache
	mkdir -p "$CACHE/logs"
	find "$CACHE/logs" -name '*.log' -mtime +7 -delete
	mktemp "$CACHE/logs/$1-XXXXXX.log"
}

# run_stage LABEL LOG COMMAND... runs COMMAND with its output appended to LOG,
# shows that it lives (a ticking line on a terminal, a plain line after 2 s and
# every 10 s elsewhere), and ends the script with the log's last 20 lines when
# the command fails.
run_stage() {
	local label=$1 log=$2 start=$SECONDS shown=$((SECONDS - 8)) status=0 note
	shift 2
	"$@" >>"$log" 2>&1 </dev/null &
	STAGE_PID=$!
	while kill -0 "$STAGE_PID" 2>/dev/null; do
		# make under CMake prints "[ 45%]": the only measure of progress there is.
		note=$(tail -n 1 "$log" 2>/dev/null | grep -o '^\[ *[0-9]*%\]' || true)
		if [[ -t 2 ]]; then
			printf '\r\033[K  %s ... %s %s' "$label" "$(elapsed "$start")" "$note" >&2
		elif ((SECONDS - shown >= 10)); then
			shown=$SECONDS
			say "  $label ... $(elapsed "$start") $note"
		fi
		sleep 0.2
	done
	wait "$STAGE_PID" || status=$?
	STAGE_PID=
	if [[ -t 2 ]]; then printf '\r\033[K' >&2; fi
	if ((status != 0)); then
		say "  $label failed after $(elapsed "$start"); the last lines of $log:"
		tail -n 20 "$log" | sed 's/^/    /' >&2
		exit 1
	fi
	say "  $label: $(elapsed "$start")"
}

# stop_stage ends what run_stage started; for the EXIT trap of a script that is
# interrupted, since a background job does not see the terminal's Ctrl-C.
stop_stage() {
	if [[ -n ${STAGE_PID:-} ]]; then kill "$STAGE_PID" 2>/dev/null || true; fi
}

# go_tool MODULE@VERSION prints the path of a Go program, which it builds into the
# cache folder the first time: one for each Go version, because programs that
# read packages do so as the compiler that built them does.
go_tool() {
	local name=${1##*/} home bin log
	home=$CACHE/$name-$(go env GOVERSION)
	bin=$home/${name%@*}
	if [[ ! -x $bin ]]; then lock "${name%@*}" "it builds ${name%@*}"; fi
	if [[ ! -x $bin ]]; then
		log=$(new_log "${name%@*}")
		# go install replaces the file by a rename.
		run_stage "build $1" "$log" env GOBIN="$home" GOFLAGS= go install "$1"
	fi
	echo "$bin"
}
