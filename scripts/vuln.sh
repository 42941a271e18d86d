#!/usr/bin/env bash
# Looks for known vulnerabilities in what both modules use, tests included, and
# in the Go that builds them, with govulncheck.
#
#   exit status 0   checked, and nothing is known of the code that is called
#               1   something is known
#               2   it could not be checked; the summary says why
#
# The vulnerability database is Go's own, on the network. VULNDB names another:
# a URL of the same form, or file:///folder with the OSV files of a copy.
set -euo pipefail
CDPATH="" cd -- "$(dirname -- "$0")/.."
# shellcheck source=scripts/say.sh
source scripts/say.sh

GOVULNCHECK=golang.org/x/vuln/cmd/govulncheck@v1.9.0

unchecked=() found=()

# reason LOG is the line of a run that says why it ended.
reason() { grep -v '^ *$' "$1" | grep -m 1 -E '^(govulncheck|error|go): ' || tail -n 1 "$1"; }

# check FOLDER NAME TAGS scans one module.
check() {
	local log status=0
	log=$(new_log govulncheck)
	say "== $2"
	(cd "$1" && "$bin" ${VULNDB:+-db "$VULNDB"} -test -tags "$3" -show version ./...) >"$log" 2>&1 || status=$?
	case $status in
	# Of a folder govulncheck knows no date.
	0) grep -v -e '^ *$' -e '^DB updated: 0001-' "$log" ;;
	3)
		cat "$log"
		found+=("$2")
		;;
	*) unchecked+=("$2: $(reason "$log")") ;;
	esac
}

# A folder without entries would find nothing wrong with anything.
empty() { [[ ${VULNDB:-} == file://* ]] && ! find "${VULNDB#file://}" -name 'GO-*.json' -print -quit | grep -q .; }

need_cache
if empty; then
	unchecked+=("both modules: there is no GO-….json in $VULNDB")
elif bin=$(go_tool "$GOVULNCHECK"); then
	check . "plugins and shared" contract
	check scripts scripts ""
else
	unchecked+=("both modules: $GOVULNCHECK could not be built")
fi

status=0
if ((${#unchecked[@]} > 0)); then
	status=2
	say "  VULNDB=file:///folder reads a copy of the database's OSV files"
	for line in "${unchecked[@]}"; do say "== known vulnerabilities: NOT CHECKED: $line"; done
fi
if ((${#found[@]} > 0)); then
	status=1
	for line in "${found[@]}"; do say "== known vulnerabilities: FOUND in $line"; done
fi
if ((status == 0)); then say "== known vulnerabilities: none in what is called"; fi
exit "$status"
