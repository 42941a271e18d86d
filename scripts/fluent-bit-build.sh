#!/usr/bin/env bash
# Builds Fluent Bit 1.8.15 from the npm package fluent-bit, which carries its
# whole source except Onigmo, the regex library. Sourced by fluent-bit.sh, after
# say.sh. Sets BUILT, the path of the binary, and defines build_fluent_bit.

NPM_PACKAGE=fluent-bit@0.0.3
# The registry's integrity value of that version, checked here on the bytes
# themselves: npm verifies only against what the registry says today.
NPM_SHA512=aphqYAdWbA78zBOJZ8MMThiMGRKQHFoPl988INriZRnTPYrryyyPlG8csC3ZZOe/xAYgbuBZ4mY94i+RyDRGFQ==

BUILD_FLAGS=(
	# Makefiles: Fluent Bit puts a $(subst ...) into its C flags, which Ninja refuses.
	-G "Unix Makefiles"
	-DFLB_RELEASE=On -DFLB_TESTS_INTERNAL=Off -DFLB_TESTS_RUNTIME=Off
	-DFLB_EXAMPLES=Off -DFLB_SHARED_LIB=Off -DFLB_LUAJIT=Off -DFLB_OUT_KAFKA=Off
	# One result on every machine: mbedtls is in the source, journald is not used.
	-DCMAKE_DISABLE_FIND_PACKAGE_OpenSSL=On -DFLB_IN_SYSTEMD=Off
	# Code of 2022: compilers of today make errors of what were warnings then,
	# and CMake 4 wants to be told that an old policy level is meant.
	-DCMAKE_POLICY_VERSION_MINIMUM=3.5
	"-DCMAKE_C_FLAGS=-std=gnu11 -w -Wno-implicit-function-declaration -Wno-int-conversion -Wno-incompatible-pointer-types"
)

# A changed recipe builds into a folder of its own and leaves the old one to
# those who still run it.
RECIPE=$(printf '%s\n' "$NPM_SHA512" "${BUILD_FLAGS[@]}" "$(uname -m)" | sha256sum | cut -c1-12)
BUILT=$CACHE/fluent-bit-1.8.15-$RECIPE/fluent-bit

# fetch_source OUT puts the package's tarball at OUT unless it is there intact.
fetch_source() {
	local out=$1 dir
	if intact "$out"; then return; fi
	dir=$(mktemp -d "$CACHE/.fetch.XXXXXX")
	# A folder of its own as working directory and npm cache: no .npmrc of a
	# project, no workspace and no damaged cache has a say in the result.
	(
		cd "$dir"
		echo "npm pack $NPM_PACKAGE"
		npm pack --ignore-scripts --loglevel=error --no-update-notifier \
			--cache "$dir/npm" --fetch-retries=3 --fetch-timeout=60000 "$NPM_PACKAGE"
	) || { rm -rf "$dir"; return 1; }
	if ! intact "$dir"/fluent-bit-*.tgz; then
		echo "the tarball of $NPM_PACKAGE is not the one pinned: sha512-$(sha512_of "$dir"/fluent-bit-*.tgz) instead of sha512-$NPM_SHA512"
		rm -rf "$dir"
		return 1
	fi
	mv "$dir"/fluent-bit-*.tgz "$out" && rm -rf "$dir"
}

sha512_of() { node -e 'process.stdout.write(require("crypto").createHash("sha512").update(require("fs").readFileSync(process.argv[1])).digest("base64"))' "$1"; }

intact() { [[ -f $1 && $(sha512_of "$1") == "$NPM_SHA512" ]]; }

# unpack_source TARBALL DIR leaves a buildable tree in DIR/source. Onigmo is
# replaced by Debian's Oniguruma, from which it was forked: the calls that Fluent
# Bit makes are the same. The external project that would build Onigmo is given
# a configure and a Makefile that do nothing, and the library that it would
# leave is a link to the system's.
unpack_source() {
	local dir=$2 lib
	mkdir -p "$dir/source" "$dir/build/lib"
	tar -xzf "$1" -C "$dir/source" --strip-components=3 package/src/fluent-bit || return 1
	mkdir -p "$dir/source/lib/onigmo"
	printf '#!/bin/sh\nexit 0\n' >"$dir/source/lib/onigmo/configure"
	chmod +x "$dir/source/lib/onigmo/configure"
	printf 'all:\ninstall:\n' >"$dir/source/lib/onigmo/Makefile"
	printf '#include <oniguruma.h>\n' >"$dir/source/lib/onigmo/onigmo.h"
	lib=$(gcc -print-file-name=libonig.so)
	[[ -f $lib ]] || { echo "libonig.so is not where gcc looks"; return 1; }
	ln -s "$lib" "$dir/build/lib/libonigmo.a"
}

build_fluent_bit() {
	local home=${BUILT%/*} log=$CACHE/fluent-bit-1.8.15-$RECIPE.log
	local tarball=$CACHE/fluent-bit-npm-0.0.3.tgz start=$SECONDS jobs
	lock fluent-bit-build "it builds Fluent Bit 1.8.15"
	# Whoever held the lock may have built it.
	if version_of "$BUILT" >/dev/null; then return; fi
	# shellcheck source=scripts/packages.sh
	source scripts/packages.sh
	need_packages fluent-bit "building Fluent Bit"
	say "no Fluent Bit found: building 1.8.15 from the npm package $NPM_PACKAGE (about a minute, once; log: $log)"
	: >"$log"
	WORK=$(mktemp -d "$CACHE/.build.XXXXXX")
	trap 'stop_stage; rm -rf "$WORK"' EXIT
	trap 'exit 130' INT TERM HUP
	jobs=$(nproc)
	run_stage "fetch the source" "$log" fetch_source "$tarball"
	run_stage "unpack" "$log" unpack_source "$tarball" "$WORK"
	run_stage "configure" "$log" cmake -S "$WORK/source" -B "$WORK/build" "${BUILD_FLAGS[@]}"
	run_stage "compile, $jobs at a time" "$log" make -C "$WORK/build" -j "$jobs" fluent-bit-bin
	# Finished folders only, by one rename: nobody ever sees half a binary.
	mkdir "$WORK/done"
	strip -g -o "$WORK/done/fluent-bit" "$WORK/build/bin/fluent-bit"
	if [[ -e $home ]]; then mv -T "$home" "$WORK/old"; fi
	mv -T "$WORK/done" "$home"
	rm -rf "$WORK"
	trap - EXIT INT TERM HUP
	say "Fluent Bit 1.8.15 built in $(elapsed "$start")"
}
