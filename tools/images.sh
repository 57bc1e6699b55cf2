#!/usr/bin/env bash
# Builds images where no base can be pulled: tools/images.sh [SERVICE ...], by default the gateway's. Every module of each
# is imported and the process started, as its user (tools/started.py). The base is made of Debian's packages in an image from
# scratch.
# Needs root, buildah and mmdebstrap (apt-get install buildah mmdebstrap); where they are not, it says so and ends well.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$(id -u)" != 0 ] || ! command -v buildah >/dev/null || ! command -v mmdebstrap >/dev/null; then
  echo "images: not built, which takes root, buildah and mmdebstrap"
  exit 0
fi
folder=$PWD/build/images
mkdir -p "$folder"
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs
buildah() { command buildah --root "$folder/storage" --runroot "$folder/run" "$@"; }

# what pip and the certificates are set up with on this machine is lent to the build, and is in no image
mounts=(-v /etc/ssl/certs:/etc/ssl/certs:ro)
if [ -f /etc/pip.conf ]; then
  mounts+=(-v /etc/pip.conf:/etc/pip.conf:ro)
  for path in $(grep -oE '/[A-Za-z0-9_./-]+' /etc/pip.conf | sort -u); do
    if [ -d "$path" ] && [[ "$path" != /etc/* ]]; then
      parent=$(dirname "$path")
      [ "$(dirname "$parent")" = / ] || path=$parent
      mounts+=(-v "$path:$path:ro")
    fi
  done
fi

wheels=${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}}
if [ -d "$wheels" ]; then
  mounts+=(-v "$wheels:$wheels:ro" --build-arg UV_FIND_LINKS="$wheels")
fi

base=localhost/python-base
if ! buildah inspect --type image "$base" >/dev/null 2>&1; then
  [ -s "$folder/base.tar" ] || mmdebstrap --quiet --variant=minbase \
    --include=python3,python3-venv,python-is-python3,ca-certificates bookworm "$folder/base.tar"
  container=$(buildah from scratch)
  buildah add -q "$container" "$folder/base.tar" / >/dev/null
  buildah config --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt "$container"
  buildah commit -q "$container" "$base" >/dev/null
  buildah rm "$container" >/dev/null
  rm "$folder/base.tar"
fi

for service in "${@:-gateway}"; do
  image=localhost/altiplano-$service
  buildah bud -q --network host "${mounts[@]}" --build-arg PYTHON="$base" --build-arg SERVICE="$service" \
    -f deploy/images/Dockerfile -t "$image" . >"$folder/$service.log" 2>&1 || { cat "$folder/$service.log"; exit 1; }
  container=$(buildah from "$image")
  # by its own user, its own packages and nothing else
  buildah run "$container" -- sh -c '[ "$(id -u)" = 10001 ] && exec python -c "$0" "$1"' "$(cat tools/started.py)" "$service" \
    >"$folder/$service.log" 2>&1 || { cat "$folder/$service.log"; exit 1; }
  buildah rm "$container" >/dev/null
  echo "images: $service built, $(buildah images --format '{{.Size}}' "$image") with a base of Debian's, and it works"
  # each layer is a whole copy here
  buildah rmi --force "$image" >/dev/null
  buildah rmi --prune --force >/dev/null
done
