#!/usr/bin/env bash
# Builds one plugin: plugin.sh FOLDER RESULT VERSION, for example
#
#   plugin.sh plugins/out_kafka_batch bin/out_kafka_batch.so v1.2.0
#
# release.sh sets the environment in which it builds for other machines. The
# result replaces its predecessor by a rename: a Fluent Bit that has the old
# file mapped keeps it, and of two makes at once neither sees half a file.
set -euo pipefail
CDPATH="" cd -- "$(dirname -- "$0")/.."
# shellcheck source=scripts/say.sh
source scripts/say.sh

folder=$1 result=$2 version=$3
mkdir -p "$(dirname "$result")"
# On the same file system as the result, and away from others' builds; the C
# header that -buildmode=c-shared writes beside the library goes with it.
work=$(mktemp -d "$(dirname "$result")/.build.XXXXXX")
trap 'stop_stage; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
log=$(new_log "build-${folder##*/}")

# No VCS stamp by go: the version is stamped here, and git refuses to answer in
# a checkout that belongs to someone else.
run_stage "$result $version" "$log" \
	go build -buildmode=c-shared -buildvcs=false -trimpath \
	-ldflags "-s -w -X main.version=$version ${FLBGO_LDFLAGS:-}" \
	-o "$work/plugin.so" "./$folder"
chmod 0755 "$work/plugin.so"
mv -f "$work/plugin.so" "$result"
rm -f "$log"
