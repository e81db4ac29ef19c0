# shellcheck shell=bash
# What deploy.sh and rollback.sh share: where an environment is, and how to give up.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

fail() {
  echo "error: $*" >&2
  exit 1
}

step() {
  echo "==> $*"
}

need() {
  for tool in "$@"; do
    command -v "$tool" > /dev/null || fail "$tool is not on PATH: install it and try again"
  done
}
