#!/usr/bin/env bash
# Prints the path of zig, whose C compiler builds for any Linux: for another
# processor, and for a C library older than this machine's. Installs it, once,
# from its Python package into the cache folder.
set -euo pipefail
CDPATH="" cd -- "$(dirname -- "$0")/.."
# shellcheck source=scripts/say.sh
source scripts/say.sh
# shellcheck source=scripts/packages.sh
source scripts/packages.sh

# Another version may write other bytes: packages say in their manifest which it was.
ZIG=0.15.2

home=$CACHE/ziglang-$ZIG
if [[ ! -x $home/ziglang/zig ]]; then
	need_packages zig "building for older systems and other processors"
	lock zig "it installs zig"
fi
# Whoever held the lock may have installed the same.
if [[ ! -x $home/ziglang/zig ]]; then
	rm -rf "$home.new"
	log=$(new_log zig)
	run_stage "install zig $ZIG (Python package ziglang, 100 MB)" "$log" \
		python3 -m pip install --quiet --no-deps --only-binary :all: --target "$home.new" "ziglang==$ZIG"
	"$home.new/ziglang/zig" version >/dev/null || fail "zig does not run on this machine: $home.new/ziglang/zig"
	rm -rf "$home"
	mv "$home.new" "$home"
fi
echo "$home/ziglang/zig"
