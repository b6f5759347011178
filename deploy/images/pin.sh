#!/usr/bin/env bash
# Writes images down by digest instead of by tag, so that what runs is what was tested.
#
#   deploy/images/pin.sh                            what is built on: settings for build.sh and compose.yaml
#   deploy/images/pin.sh registry.example.org/emotion-recognizer
#                                                   our own, once pushed there: for a kustomization
#
#   ENGINE    docker or podman; default: the first that is there
#   VERSION   our images' tag; default 0.1.0
set -euo pipefail
cd "$(dirname "$0")/../.."

engine=${ENGINE:-$(command -v docker || command -v podman)}
version=${VERSION:-0.1.0}

pinned() {
  "$engine" pull --quiet "$1" > /dev/null
  "$engine" image inspect --format '{{index .RepoDigests 0}}' "$1"
}

if [ $# -eq 0 ]; then
  grep -rhoE --include='Dockerfile*' '^ARG [A-Z]+_IMAGE=.+' gateway services deploy/load | sort -u |
    while IFS='= ' read -r _ name image; do
      echo "export $name=$(pinned "$image")"
    done
  exit
fi
echo "images:"
for piece in gateway detector classifier tfserving page envoy load; do
  image=$(pinned "$1/$piece:$version")
  echo "  - { name: emotion-recognizer/$piece, newName: ${image%@*}, digest: \"${image#*@}\" }"
done
