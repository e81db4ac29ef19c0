#!/usr/bin/env bash
# Takes gemini-agent back in an environment: the release that runs, or else what it brought.
#
#   rollback.sh ENVIRONMENT [VERSION] [--timeout SECONDS]
#   rollback.sh production
#   rollback.sh production v1.2.2
#
# A running release is rolled back in one write. When none runs, the version before (or the one
# named) is brought back on the fast path. Exits with 0 when users have it.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

usage() {
  sed -n '4,6s/^# *//p' "$0" >&2
  exit 2
}

[ $# -ge 1 ] || usage
environment=$1
shift
version='' timeout=600
while [ $# -gt 0 ]; do
  case $1 in
    --timeout)
      [ $# -ge 2 ] || usage
      timeout=$2
      shift 2
      ;;
    -*) usage ;;
    *)
      version=$1
      shift
      ;;
  esac
done

overlay=$(overlay_of "$environment")
[[ $timeout =~ ^[0-9]+$ ]] || fail "--timeout '$timeout' is no number of seconds, such as 600"
need kubectl rollout
namespace=$(sed -n 's/^namespace: //p' "$overlay/kustomization.yaml")
service=$(sed -n 's/^namePrefix: //p' "$overlay/kustomization.yaml")gemini-agent

running=$(kubectl --namespace "$namespace" get rollout "$service" \
  --output 'jsonpath={.status.activeRelease}')
status=0
if [ -n "$running" ]; then
  step "rolling back $running"
  rollout -n "$namespace" rollback "$running" --reason "rollback.sh"
  rollout -n "$namespace" watch "$running" --timeout "$timeout" || status=$?
  [ "$status" -ne 3 ] || status=0 # rolled back is what was asked for
fi
if [ "$status" -eq 0 ] && { [ -z "$running" ] || [ -n "$version" ]; }; then
  step "bringing back ${version:-the version before}"
  rollout -n "$namespace" undo "$service" ${version:+--to "$version"} --reason "rollback.sh" \
    --watch --timeout "$timeout" || status=$?
fi

step "pods"
kubectl --namespace "$namespace" get pods --selector app=gemini-agent --output wide
[ "$status" -eq 0 ] || fail "not taken back (exit code $status): rollout -n $namespace explain $service"
step "taken back in $environment"
