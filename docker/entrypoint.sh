#!/bin/sh
# What `docker run IMAGE ...` does:
#   nothing or demo ...   reads the text of an image
#   test ...              passes the tests, or those of pytest's arguments
#   anything else         is for odla-ipu: bench, run, devices, ...
set -eu
if [ "${1:-demo}" = test ]; then
  shift
  cd "$(dirname "$0")/.."
  if [ $# -eq 0 ]; then
    set -- -n "$(nproc)" --dist loadfile
  fi
  exec python -m pytest -p no:cacheprovider "$@"
fi
if [ $# -eq 0 ]; then
  set -- demo
fi
exec odla-ipu "$@"
