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
script=$(sha256sum < "$0" | cut -c 1-16)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

slim=(--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright'
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*')

mmdebstrap --quiet --variant=minbase "${slim[@]}" --include=python3,python3-venv,ca-certificates \
  "$suite" build.tar

# Unpacked only: no package manager, no shell, no maintainer script that would want one. (The
# hooks of mmdebstrap that come after unpacking do not run then, so the rest is done here.)
mmdebstrap --quiet --variant=extract --format=directory "${slim[@]}" \
  --include=base-files,libc6,libgcc-s1,libstdc++6,zlib1g,netbase,libpython3-stdlib,python3-minimal \
  "$suite" root
cd root
find bin sbin usr/bin usr/sbin -mindepth 1 ! -name 'python3*' -delete
rm -rf boot/* media mnt srv opt var/cache/* var/lib/apt var/lib/dpkg/info usr/share/{perl*,i18n,gcc,gdb} \
  usr/share/{bug,info,lintian,menu} usr/lib/*/{gconv,perl-base,security,krb5,engines-3}
# Parts of Python that no server imports, some with libraries of their own.
(cd usr/lib/python3.*/ &&
  rm -rf pydoc_data lib2to3 idlelib unittest test turtle.py sqlite3 dbm curses ensurepip \
    lib-dynload/{_sqlite3,_dbm,_curses,_curses_panel,readline,nis,_test*,_xxtest*}.*.so)
# Libraries that nothing is linked with any more; those of libc6 and of C++ are for wheels.
loader=$(find lib lib64/ usr/lib -name 'ld-linux*' -print -quit)
needed=$(for file in usr/bin/python3.* usr/lib/python3.*/lib-dynload/*.so usr/lib/*/libstdc++.so.6; do
  chroot . "/$loader" --list "/$file"
done | sed -n 's/.* => \([^ ]*\) .*/\1/p' | sort -u | while read -r name; do basename "$(readlink -f ".$name")"; done)
libc=$'ld-linux|libc|libm|libmvec|libdl|libpthread|librt|libutil|libresolv|libnss_[a-z]+|libanl|libz|libgcc_s|libstdc\\+\\+'
find lib usr/lib -maxdepth 2 -type f -name '*.so*' | while read -r file; do
  name=$(basename "$file")
  if ! [[ $name =~ ^($libc)[.-] ]] && ! grep -qxF "$name" <<< "$needed"; then rm "$file"; fi
done
find lib usr/lib -xtype l -delete
cp /etc/ssl/certs/ca-certificates.crt etc/ssl-certificates.crt
echo "root:x:0:0::/:/none
nonroot:x:65532:65532::/nonexistent:/none" > etc/passwd
echo "root:x:0:
nonroot:x:65532:" > etc/group
rm -f etc/resolv.conf etc/hostname
cd ..
tar --create --file=base.tar --directory=root --numeric-owner --exclude='./dev/*' .

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
  # The label tells which state of this file made it.
  "$engine" build --quiet --format docker --label "script=$script" -f "$name.Dockerfile" -t "$tag" . > /dev/null
  echo "$tag"
done
