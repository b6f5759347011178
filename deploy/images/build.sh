#!/usr/bin/env bash
# Builds all images, or those that are named, with whichever of docker, podman and buildah is there.
#
#   deploy/images/build.sh                     all
#   deploy/images/build.sh gateway detector    these
#
#   ENGINE         docker, podman or buildah; default: the first that works
#   IMAGE_PREFIX   default emotion-recognizer; with a registry: registry.example.org/emotion-recognizer
#   VERSION        the tag; default 0.1.0
#   BUILD_IMAGE, BASE_IMAGE, TFSERVING_IMAGE   bases other than the Dockerfiles' own; pin.sh writes
#                                              these down by digest
set -euo pipefail
cd "$(dirname "$0")/../.."

declare -A files=(
  [gateway]=gateway/Dockerfile
  [detector]=services/detector/Dockerfile
  [classifier]=services/classifier/Dockerfile
  [tfserving]=services/classifier/Dockerfile.tfserving
  [page]=services/page/Dockerfile
  [envoy]=gateway/envoy/Dockerfile
  [load]=deploy/load/Dockerfile
)
prefix=${IMAGE_PREFIX:-emotion-recognizer}
version=${VERSION:-0.1.0}

engine=${ENGINE:-}
if [ -z "$engine" ]; then
  if docker info > /dev/null 2>&1; then engine=docker
  elif command -v podman > /dev/null; then engine=podman
  elif command -v buildah > /dev/null; then engine=buildah
  else
    echo "no container engine: install docker, podman or buildah (Debian: apt-get install podman)" >&2
    exit 1
  fi
fi

arguments=(--build-arg "VERSION=$version"
  --build-arg "REVISION=$(git rev-parse --short HEAD 2> /dev/null || echo unknown)")
for name in BUILD_IMAGE BASE_IMAGE TFSERVING_IMAGE; do
  if [ -n "${!name:-}" ]; then arguments+=(--build-arg "$name=${!name}"); fi
done
# Docker's own format keeps what the others' would drop.
if [ "$engine" != docker ]; then arguments+=(--format docker); fi

if [ $# -eq 0 ]; then set -- gateway detector classifier tfserving page envoy load; fi
for piece in "$@"; do
  file=${files[$piece]:-}
  if [ -z "$file" ]; then
    echo "no image '$piece'; expected one of: ${!files[*]}" >&2
    exit 1
  fi
  echo "building $prefix/$piece:$version"
  "$engine" build --quiet "${arguments[@]}" -f "$file" -t "$prefix/$piece:$version" .
done
