#!/usr/bin/env bash
# Looks before anything is built: is everything here, and if not, what is it?
#
#   preflight.sh               what building the plugins needs
#   preflight.sh fluent-bit    and what running a Fluent Bit needs
#
# One line when something is wrong that only the user can mend.
set -euo pipefail
CDPATH="" cd -- "$(dirname -- "$0")/.."
# shellcheck source=scripts/say.sh
source scripts/say.sh
# shellcheck source=scripts/packages.sh
source scripts/packages.sh

# The oldest Go that go.mod accepts.
need_go=$(sed -n 's/^go \([0-9]*\.[0-9]*\).*/\1/p' go.mod)

# check_go ends with one line when Go is missing or too old. GOTOOLCHAIN=local
# and a folder without go.mod: the go command must neither fetch another Go to
# answer nor refuse to answer.
check_go() {
	local want="Go $need_go or later is needed (https://go.dev/dl)" found
	has go || fail "$want, and there is no go on PATH"
	found=$(cd / && GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) || found=
	# "go1.26.8", "go1.27rc1", "devel go1.27-1a2b3c"
	[[ $found =~ go([0-9]+)\.([0-9]+) ]] || fail "$want; $(command -v go) does not say which it is: '$found'"
	((BASH_REMATCH[1] > ${need_go%.*} || BASH_REMATCH[1] == ${need_go%.*} && BASH_REMATCH[2] >= ${need_go#*.})) ||
		fail "$want, found ${found#go} at $(command -v go)"
	go_version=${BASH_REMATCH[0]}
	if [[ $found == go* ]]; then go_version=$found; fi
}

start=$SECONDS
check_go
need_cache
need_packages build "building the plugins"

host=
if [[ ${1:-} == fluent-bit ]]; then
	status=0
	host=$(scripts/fluent-bit.sh --find 2>/dev/null) || status=$?
	case $status in
	0) host=", Fluent Bit: $(paste -sd' ' <<<"$host")" ;;
	3)
		need_packages fluent-bit "building Fluent Bit"
		host=", Fluent Bit: none found, 1.8.15 will be built"
		;;
	# Again, for what it has to say.
	*) scripts/fluent-bit.sh --find ;;
	esac
elif [[ -n ${1:-} ]]; then
	fail "unknown argument $1; allowed: fluent-bit"
fi
say "checked in $(elapsed "$start"): $go_version, gcc $(gcc -dumpfullversion), $(make --version | head -n 1)$host"
