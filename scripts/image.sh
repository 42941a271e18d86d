#!/usr/bin/env bash
# Builds the image: image.sh VERSION NAME PLATFORMS FLAG..., where PLATFORMS is
# empty for the engine's own, or for example linux/amd64,linux/arm64; several go
# to a registry only, with the flag --push.
set -euo pipefail
CDPATH="" cd -- "$(dirname -- "$0")/.."
# shellcheck source=scripts/say.sh
source scripts/say.sh

version=$1 name=$2 platforms=$3
shift 3

engine=
for try in docker podman; do
	if command -v "$try" >/dev/null && timeout 20 "$try" info >/dev/null 2>&1; then
		engine=$try
		break
	fi
done
[[ $engine ]] || fail "no container engine answers: neither 'docker info' nor 'podman info' works here. Start one, or take the plugins from make dist"
if [[ $platforms == *,* && " $* " != *" --push "* && " $* " != *" --output"* ]]; then
	fail "PLATFORM=$platforms names several, which an engine cannot keep under one name: add IMAGE_FLAGS=--push, or build one at a time"
fi
args=(build --build-arg "VERSION=$version" --tag "$name:$version" --tag "$name:latest")
if [[ $platforms ]]; then args+=(--platform "$platforms"); fi
if [[ $engine == docker && $platforms == *,* ]]; then args=(buildx "${args[@]}"); fi
say "$engine ${args[*]} $* ."
exec "$engine" "${args[@]}" "$@" .
