#!/usr/bin/env bash
# Prints what the other commands would find here: tools, Fluent Bits, a broker,
# the plugins' ports, the built files. Changes nothing, installs nothing.
#
#   doctor.sh [--migrate] FILE   instead: what is wrong with a Fluent Bit
#                                configuration; or the sections of these plugins
#                                for its kafka and log_to_metrics ones
set -euo pipefail
from=$PWD
CDPATH="" cd -- "$(dirname -- "$0")/.."
# shellcheck source=scripts/say.sh
source scripts/say.sh
# shellcheck source=scripts/packages.sh
source scripts/packages.sh

# The program runs where the user is: a configuration names files from there.
if (($# > 0)); then
	need_cache
	go build -C scripts -o "$CACHE/doctor" ./doctor
	cd "$from"
	exec "$CACHE/doctor" "$@"
fi

row() { printf '%-12s %s\n' "$1" "$2"; }

# first_line COMMAND... prints the first line that it says, or that it is missing.
first_line() {
	if has "$1"; then "$@" 2>&1 | sed -n 1p; else echo "not found"; fi
}

# open_port HOST PORT succeeds when something accepts connections there.
# shellcheck disable=SC2016 # the inner bash expands them
open_port() { timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>/dev/null; }

row system "$(. /etc/os-release 2>/dev/null && echo "${PRETTY_NAME:-Linux}"), $(uname -m), $(ldd --version 2>&1 | sed -n '1s/.* //p' | sed 's/^/glibc /')"
row go "$(has go && (cd / && GOTOOLCHAIN=local go version) || echo "not found")"
row gcc "$(first_line gcc --version)"
row make "$(first_line make --version)"
row git "$(first_line git --version)"
row node "$(first_line node --version)"
row npm "$(first_line npm --version)"
for what in "build the plugins" "unit the unit tests" "fluent-bit building Fluent Bit"; do
	missing=$(missing_packages "${what%% *}")
	row packages "${missing:-nothing} missing for ${what#* }"
done
row cache "$CACHE$([[ -d $CACHE ]] && du -sh "$CACHE" | cut -f1 | sed 's/^/, /' || echo ", not there yet")"

status=0
hosts=$(scripts/fluent-bit.sh --find 2>&1 >/dev/null) || status=$?
if ((status == 3)); then
	hosts="none found; make demo and make test build 1.8.15 for themselves"
fi
while read -r line; do row fluent-bit "$line"; done <<<"$hosts"

if [[ -n ${KAFKA_BROKERS:-} ]]; then
	IFS=, read -r -a brokers <<<"$KAFKA_BROKERS"
	for broker in "${brokers[@]}"; do
		if open_port "${broker%:*}" "${broker##*:}"; then
			row broker "$broker accepts connections"
		else
			row broker "$broker does not answer"
		fi
	done
else
	row broker "KAFKA_BROKERS is not set: make demo and make test start one of their own"
fi

for port in 2021 2022 2023; do
	if open_port 127.0.0.1 "$port"; then
		row port "$port is in use"
	else
		row port "$port is free"
	fi
done

for file in bin/flb-filter_enrich.so bin/out_field_metrics.so bin/out_kafka_batch.so; do
	if [[ ! -f $file ]]; then
		row plugin "$file is not built (make build)"
		continue
	fi
	# The newest symbol version wanted is the oldest glibc that will load it.
	glibc=$(grep -a -o 'GLIBC_2\.[0-9][0-9.]*' "$file" | sort -u -V | tail -n 1)
	row plugin "$file, $(du -h "$file" | cut -f1), needs ${glibc/_/ } or later"
done
