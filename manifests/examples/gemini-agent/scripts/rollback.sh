#!/usr/bin/env bash
# Takes gemini-agent back in an environment: the release that runs, or else what it brought.
#
#   rollback.sh ENVIRONMENT [VERSION] [--timeout SECONDS]
#   rollback.sh production
#   rollback.sh production v1.2.2
#
# A running release is rolled back in one write. When none runs, the version before (or the one
# named) is brought back on the fast path. SECONDS (600) are for everything together.
#
# Exits with 0 when users have it: the Rollout says so, and every pod is ready with it. With 5 when
# the time was over first, and 1 or 2 for everything else.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

[[ ${1-} != --help && ${1-} != -h ]] || { help && exit; }
[ $# -ge 1 ] || usage
environment=$1
shift
version='' seconds=600
while [ $# -gt 0 ]; do
  case $1 in
    --timeout)
      [ $# -ge 2 ] || usage
      seconds=$2
      shift 2
      ;;
    -*) usage ;;
    *)
      [ -z "$version" ] || usage
      version=$1
      shift
      ;;
  esac
done

go_to "$environment" "$seconds"

# Follows a release to its end, or gives up; what it ended as is in `phase`.
follow_to_end() {
  local code=0
  follow "$1" || code=$?
  phase=$(of_release "$1" '{.status.phase}')
  case $code in
    4) fail "release $1 waits on a person: rollout explain $1 -n $namespace" ;;
    5) late "release $1 is $phase" ;;
  esac
}

# Rolls a release back. One that can no longer be is followed to its end, and is then undone.
roll_back() {
  local image=stableImage
  step "rolling back $1"
  rollout -n "$namespace" rollback "$1" --reason "rollback.sh" ||
    step "release $1 is followed to its end first"
  follow_to_end "$1"
  if [ "$phase" = Succeeded ]; then image=image; else taken=yes; fi
  image=$(of_release "$1" "{.status.resolved.$image}")
  [ -z "$image" ] || users_have=$(version_of "$image")
}

# Brings a version back that served before: the last one, or the one named.
undo() {
  local before release
  step "bringing back ${version:-the version before}"
  before=$(releases)
  rollout -n "$namespace" undo "$service" ${version:+--to "$version"} --reason "rollback.sh"
  release=$(releases | new_since "$before" | sed -n '/|[^|]*|true|/{s/|.*//p;}')
  [ -n "$release" ] || fail "the release that 'rollout undo' began is gone: run this once more"
  follow_to_end "$release"
  [ "$phase" = Succeeded ] || fail "release $release ended as $phase: rollout explain $release" \
    "-n $namespace"
  users_have=$(version_of "$(of_release "$release" '{.status.resolved.image}')")
}

phase='' taken=''
users_have=$(field rollouts.rollout.dev '{.status.stableVersion}')
running=$(releases | under_way)
[ -z "$running" ] || roll_back "$running"
if [ "$version" = "$users_have" ]; then
  step "$version serves: nothing to bring back"
elif [ -n "$version" ] || [ -z "$taken" ]; then
  undo
fi

step "checking that users have $users_have and nothing else"
verify "$users_have"
show_pods
step "taken back in $environment: $users_have serves"
