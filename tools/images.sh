#!/usr/bin/env bash
# Builds images where no base can be pulled: tools/images.sh [SERVICE ...], by default the gateway's, which is started
# and asked for its health as well. The base is made of Debian's packages in an image from scratch.
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
  if [ "$service" = gateway ]; then
    buildah run "$container" -- python -c '
import os, subprocess, sys, time, urllib.request
assert os.getuid() == 10001, "it runs as somebody else"
where = "127.0.0.1:18080"
started = subprocess.Popen([sys.executable, "-m", "gateway"], env={**os.environ, "ALTIPLANO_GATEWAY_BIND": where})
try:
    for attempt in range(60):
        time.sleep(0.5)
        try:
            assert urllib.request.urlopen(f"http://{where}/healthz", timeout=3).status == 200
            break
        except OSError:
            assert attempt < 59 and started.poll() is None, "it does not answer"
finally:
    started.terminate()
    started.wait(30)
' 2>"$folder/$service.log" || { cat "$folder/$service.log"; exit 1; }
  else
    buildah run "$container" -- python -c "import sys, services.${service%-cuda}.app"
  fi
  buildah rm "$container" >/dev/null
  echo "images: $service built, $(buildah images --format '{{.Size}}' "$image") with a base of Debian's, and it works"
  # each layer is a whole copy here
  buildah rmi --force "$image" >/dev/null
  buildah rmi --prune --force >/dev/null
done
