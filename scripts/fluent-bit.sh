#!/usr/bin/env bash
# Prints the Fluent Bit to use, one absolute path per line; all else is stderr.
#
#   fluent-bit.sh          find it, and build one when there is none
#   fluent-bit.sh --find   only find it; exit 3 when one would have to be built
#
# Order: $FLUENT_BIT (several separated by ":"), fluent-bit on PATH, the folder
# of the official package, then 1.8.15 built from an npm package (see
# fluent-bit-build.sh): old, but to be had wherever a registry is.
set -euo pipefail
CDPATH="" cd -- "$(dirname -- "$0")/.."
# shellcheck source=scripts/say.sh
source scripts/say.sh

# version_of BINARY prints "Fluent Bit v5.1.1", or fails.
version_of() {
	local out
	out=$(timeout 20 "$1" --version 2>/dev/null </dev/null) || return 1
	out=${out%%$'\n'*}
	[[ $out == "Fluent Bit v"* ]] && echo "$out"
}

# named prints the binaries of $FLUENT_BIT. A wrong one is an error, never
# skipped: a test against fewer hosts than asked for would look like success.
named() {
	local names name path version
	IFS=: read -r -a names <<<"$FLUENT_BIT"
	for name in "${names[@]}"; do
		if [[ -z $name ]]; then continue; fi
		path=$(cd "$CALLER" && command -v -- "$name") ||
			fail "FLUENT_BIT names $name, which is not there or not executable; allowed: paths of fluent-bit binaries separated by ':', such as /opt/fluent-bit/bin/fluent-bit"
		# Tests run elsewhere: a relative path is the caller's.
		path=$(cd "$CALLER" && realpath -s -- "$path")
		version=$(version_of "$path") ||
			fail "FLUENT_BIT names $path, which does not answer --version as Fluent Bit does"
		say "$version: $path"
		echo "$path"
	done
}

# installed prints the first Fluent Bit of this machine that works.
installed() {
	local path version
	for path in "$(command -v fluent-bit || true)" \
		/opt/fluent-bit/bin/fluent-bit /opt/td-agent-bit/bin/td-agent-bit; do
		if [[ ! -x $path ]]; then continue; fi
		if ! version=$(version_of "$path"); then
			say "$path does not answer --version: skipped"
			continue
		fi
		say "$version: $path"
		echo "$path"
		return
	done
	return 1
}

CALLER=$OLDPWD
if [[ ${1:-} != "" && ${1:-} != --find ]]; then fail "unknown argument $1; allowed: --find"; fi

if [[ -n ${FLUENT_BIT:-} ]]; then
	# An assignment, so that a failure inside ends this script too.
	paths=$(named)
	[[ -n $paths ]] || fail "FLUENT_BIT is '$FLUENT_BIT', which names no binary; example: FLUENT_BIT=/opt/fluent-bit/bin/fluent-bit"
	echo "$paths"
elif ! installed; then
	# shellcheck source=scripts/fluent-bit-build.sh
	source scripts/fluent-bit-build.sh
	if ! version_of "$BUILT" >/dev/null; then
		if [[ ${1:-} == --find ]]; then exit 3; fi
		build_fluent_bit
		version_of "$BUILT" >/dev/null || fail "the Fluent Bit just built does not answer --version: $BUILT"
	fi
	say "Fluent Bit 1.8.15, old, for tests: yours is used when found ($BUILT)"
	echo "$BUILT"
fi
