#!/usr/bin/env bash
# The operator's entry: the levaithan of this checkout, on this checkout's home, from any folder and through any link.
set -eu

here=$0
while [ -L "$here" ]; do
    target=$(readlink "$here")
    case $target in
        /*) here=$target ;;
        *) here=$(dirname "$here")/$target ;;
    esac
done
top=$(CDPATH='' cd "$(dirname "$here")" && pwd -P)
tool=$top/.venv/bin/levaithan

if [ ! -x "$tool" ]; then
    printf 'error: %s is not set up yet (no %s).\n  next: run %s/setup.sh\n' "$top" "$tool" "$top" >&2
    exit 4
fi
if [ -n "${LEVAITHAN_HOME:-}" ]; then
    exec "$tool" "$@"
fi
LEVAITHAN_HOME=$top/.claude exec "$tool" "$@"
