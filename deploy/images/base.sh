#!/usr/bin/env bash
# Makes the two base images from Debian packages, for machines without a container registry:
#
#   localhost/emotion-recognizer/base-build   Python with pip and venv: the build stages
#   localhost/emotion-recognizer/base         Python and nothing else, no shell: what runs
#
# The build image trusts the certificates that this machine trusts, so that builds reach package
# indexes through the same proxies. Needs root, mmdebstrap, and podman or buildah.
set -euo pipefail

suite=${SUITE:-bookworm}
prefix=${IMAGE_PREFIX:-localhost/emotion-recognizer}
engine=${ENGINE:-$(command -v buildah || command -v podman)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

slim=(--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*'
  --dpkgopt='path-exclude=/usr/share/locale/*')

mmdebstrap --quiet --variant=minbase "${slim[@]}" --include=python3,python3-venv,ca-certificates \
  "$suite" build.tar
# Unpacked only: no package manager, no shell, no maintainer script that would want one.
mmdebstrap --quiet --variant=extract "${slim[@]}" \
  --include=base-files,libc6,libgcc-s1,libstdc++6,zlib1g,netbase,libpython3-stdlib,python3-minimal \
  --customize-hook='cd "$1" && rm -rf bin/?* sbin/?* usr/sbin usr/share/perl* usr/share/i18n \
    usr/lib/python3*/pydoc_data usr/lib/python3*/lib2to3 usr/lib/python3*/unittest \
    usr/lib/*/gconv usr/lib/*/perl-base usr/lib/*/security var/cache var/lib/dpkg/info' \
  --customize-hook='cd "$1/usr/bin" && find . -mindepth 1 ! -name "python3*" -delete' \
  --customize-hook='cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl-certificates.crt"' \
  --customize-hook='echo "root:x:0:0::/:/none
nonroot:x:65532:65532::/nonexistent:/none" > "$1/etc/passwd"' \
  --customize-hook='echo "root:x:0:
nonroot:x:65532:" > "$1/etc/group"' \
  "$suite" base.tar

cp /etc/ssl/certs/ca-certificates.crt .
cat > build.Dockerfile <<'END'
FROM scratch
ADD build.tar /
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV PATH=/usr/local/bin:/usr/bin:/bin \
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
END
cat > base.Dockerfile <<'END'
FROM scratch
ADD base.tar /
ENV PATH=/usr/bin SSL_CERT_FILE=/etc/ssl-certificates.crt
USER 65532:65532
END
for name in build base; do
  tag=$prefix/base
  if [ "$name" = build ]; then tag=$tag-build; fi
  "$engine" build --quiet -f "$name.Dockerfile" -t "$tag" . > /dev/null
  echo "$tag"
done
