# shellcheck shell=bash
# What deploy.sh and rollback.sh share: where an environment is, and how to give up.

# shellcheck disable=SC2034 # who reads this file uses it
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

# The folder of an environment's overlay: overlay_of NAME
overlay_of() {
  local known
  known=$(cd "$here/overlays" && echo *)
  [ -d "$here/overlays/$1" ] || fail "no environment '$1': there are $known"
  echo "$here/overlays/$1"
}
