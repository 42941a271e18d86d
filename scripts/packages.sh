#!/usr/bin/env bash
# Debian packages: which are missing, and installing them. Sourced after say.sh.
# What is there is found by trying it, not by asking dpkg, so that tools from
# elsewhere count and systems without dpkg get a useful message.

has() { command -v "$1" >/dev/null 2>&1; }

has_header() { has gcc && echo "#include <$1>" | gcc -E -x c - >/dev/null 2>&1; }

# missing_packages build|unit|fluent-bit|faults|valgrind|prometheus|zig|dist|arm64 prints the missing packages on one line.
missing_packages() {
	local list=()
	has gcc || list+=(gcc)
	# cgo needs the C library's headers, which gcc alone does not bring.
	has_header stdlib.h || list+=(libc6-dev)
	has make || list+=(make)
	case $1 in
	build)
		has git || list+=(git)
		;;
	unit)
		# A client on librdkafka: another one's choice of partitions to compare with.
		has kcat || list+=(kcat)
		;;
	fluent-bit)
		has node || list+=(nodejs)
		has npm || list+=(npm)
		# Nothing of it is C++, but its CMake project asks for the compiler.
		has g++ || list+=(g++)
		has cmake || list+=(cmake)
		has_header oniguruma.h || list+=(libonig-dev)
		has flex || list+=(flex)
		has bison || list+=(bison)
		;;
	faults)
		# Rotates log files as on most machines.
		has logrotate || list+=(logrotate)
		;;
	valgrind)
		has valgrind || list+=(valgrind)
		;;
	prometheus)
		has prometheus && has promtool || list+=(prometheus)
		has prometheus-alertmanager && has amtool || list+=(prometheus-alertmanager)
		;;
	zig)
		has python3 && python3 -m pip --version >/dev/null 2>&1 || list+=(python3-pip)
		has objdump || list+=(binutils)
		;;
	dist)
		has dpkg-deb || list+=(dpkg)
		;;
	arm64)
		has qemu-aarch64 || list+=(qemu-user)
		[[ -e /usr/aarch64-linux-gnu/lib/libc.so.6 ]] || list+=(libc6-arm64-cross)
		;;
	esac
	echo "${list[*]}"
}

# update_lists waits while something else (unattended-upgrades on a fresh machine)
# holds apt's lists: DPkg::Lock::Timeout covers only the lock of dpkg.
update_lists() {
	local tries out
	for tries in {1..60}; do
		out=$(apt-get -o Acquire::Retries=3 update 2>&1) && return
		echo "$out"
		[[ $out == *lock* ]] || return 1
		echo "try $tries: the package lists are locked"
		sleep 5
	done
	return 1
}

# need_packages build|unit|fluent-bit|faults|valgrind|prometheus|zig|dist|arm64 PURPOSE installs what is missing when root,
# and otherwise ends with one line to copy. It says what before it does it.
need_packages() {
	local missing log
	missing=$(missing_packages "$1")
	if [[ -z $missing ]]; then return; fi
	if ! has apt-get; then
		fail "$2 needs these Debian packages or their like: $missing"
	fi
	if ((EUID != 0)); then
		fail "$2 needs more packages; run: sudo apt-get update && sudo apt-get install -y --no-install-recommends $missing"
	fi
	say "$2 needs Debian packages, which apt-get now installs: $missing"
	lock apt "it installs packages"
	# Whoever held the lock may have installed the same.
	missing=$(missing_packages "$1")
	if [[ -z $missing ]]; then return; fi
	log=$(new_log apt)
	export DEBIAN_FRONTEND=noninteractive
	run_stage "apt-get update" "$log" update_lists
	# shellcheck disable=SC2086 # a list of names
	run_stage "apt-get install" "$log" apt-get -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 \
		install -y --no-install-recommends $missing
}
