#!/usr/bin/env bash
# Builds the three plugins as they are released: for one architecture, whatever
# this machine's is, and loadable from glibc 2.17 on (RHEL 7, 2013).
#
#   release.sh amd64|arm64 FOLDER VERSION
#
# Equal sources and versions give equal bytes, in whatever folder they are built.
set -euo pipefail
CDPATH="" cd -- "$(dirname -- "$0")/.."
# shellcheck source=scripts/say.sh
source scripts/say.sh
# shellcheck source=scripts/packages.sh
source scripts/packages.sh

GLIBC=2.17

arch=$1 folder=$2 version=$3
case $arch in
amd64) target=x86_64-linux-gnu ;;
arm64) target=aarch64-linux-gnu ;;
*) fail "cannot build for '$arch'; allowed: amd64, arm64" ;;
esac

zig=$(scripts/zig.sh)
export ZIG_GLOBAL_CACHE_DIR=$CACHE/zig ZIG_LOCAL_CACHE_DIR=$CACHE/zig
export CGO_ENABLED=1 GOOS=linux GOARCH=$arch GOAMD64=v1 GOARM64=v8.0
export CC="$zig cc -target $target.$GLIBC"
# No debug information of the C parts: it names the folders of this machine. Go's is stripped by plugin.sh.
export CGO_CFLAGS="-O2 -g0" CGO_LDFLAGS="" GOFLAGS=""
# The id that go writes into a library depends on the compiler's path.
export FLBGO_LDFLAGS="-buildid="

for plugin in filter_enrich:flb-filter_enrich out_field_metrics:out_field_metrics out_kafka_batch:out_kafka_batch; do
	file=$folder/${plugin#*:}.so
	scripts/plugin.sh "plugins/${plugin%:*}" "$file" "$version"
	# The newest symbol version that it asks for is the oldest glibc that has all of them.
	needs=$(objdump -T "$file" | grep -o 'GLIBC_[0-9.]*' | sort -u -V | tail -n 1 || true)
	[[ $needs == GLIBC_2.* ]] || fail "$file: objdump shows no version of glibc: '$needs'"
	[[ $(printf '%s\n' "$needs" "GLIBC_$GLIBC" | sort -V | tail -n 1) == "GLIBC_$GLIBC" ]] ||
		fail "$file needs ${needs/_/ }, and releases may need no later one than $GLIBC; objdump -T shows which symbol it is"
done
