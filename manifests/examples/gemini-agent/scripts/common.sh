# shellcheck shell=bash
# What deploy.sh and rollback.sh share: where an environment is, what the cluster says of it, how to
# wait and how to give up. Versions, releases and templates are compared, never guessed from names.
# shellcheck disable=SC2034 # who reads this file uses it

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
repository=registry.example.com/gemini-agent
container=agent # whose image is the version

fail() {
  echo "error: $*" >&2
  exit 1
}

step() {
  echo "==> $*"
}

# The comment at the head of a script is its help.
help() {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

usage() {
  sed -n '/^#   /s/^#   //p' "$0" >&2
  exit 2
}

need() {
  local tool
  for tool in "$@"; do
    command -v "$tool" > /dev/null || fail "$tool is not on PATH: install it and try again"
  done
}

# Finds an environment, and begins its time: go_to ENVIRONMENT SECONDS
go_to() {
  local known
  known=$(cd "$here/overlays" && echo *)
  overlay=$here/overlays/$1
  [ -d "$overlay" ] || fail "no environment '$1': there are $known"
  [[ $2 =~ ^[0-9]+$ ]] || fail "--timeout '$2' is no number of seconds, such as 600"
  need kubectl rollout
  namespace=$(sed -n 's/^namespace: //p' "$overlay/kustomization.yaml")
  service=$(sed -n 's/^namePrefix: //p' "$overlay/kustomization.yaml")gemini-agent
  timeout=$2 deadline=$((SECONDS + $2))
}

# --- one deadline for all that is waited for --------------------------------------------------

left() {
  echo $((deadline > SECONDS ? deadline - SECONDS : 1))
}

late() {
  echo "error: $timeout s are over: $*" >&2
  echo "rollout explain $service -n $namespace says why; --timeout SECONDS waits longer" >&2
  exit 5
}

# Waits a second, or gives up and says for what: wait_for WHAT
wait_for() {
  [ "$SECONDS" -lt "$deadline" ] || late "$*"
  sleep 1
}

# Follows a release until it ends or waits on a person; the exit code is rollout's.
follow() {
  rollout -n "$namespace" watch "$1" --timeout "$(left)"
}

# --- what the cluster says --------------------------------------------------------------------

# A field of an object of the service's name, empty where there is none: field KIND JSONPATH
field() {
  kubectl --namespace "$namespace" get "$1" "$service" --ignore-not-found --output "jsonpath=$2"
}

# What the Rollout says that it does or waits for.
says() {
  field rollouts.rollout.dev '{.status.conditions[?(@.type=="Ready")].message}'
}

# The service's releases, each a line: NAME|PHASE|FAST|TEMPLATE
releases() {
  local line='{.metadata.name}|{.status.phase}|{.spec.fast}|{.spec.template}{"\n"}'
  kubectl --namespace "$namespace" get releases.rollout.dev --output \
    "jsonpath={range .items[?(@.spec.rollout==\"$service\")]}$line{end}"
}

# Of such lines, those of releases that are not among other such lines: new_since LINES
new_since() {
  local line
  while IFS= read -r line; do
    [[ $'\n'$1 == *$'\n'"${line%%|*}|"* ]] || echo "$line"
  done
}

# Of such lines, those of releases that have ended.
ended() {
  grep -E '^[^|]*\|(Succeeded|RolledBack|Failed|Superseded|Cancelled)\|' || true
}

# Of such lines, the name of the release that is under way: at work, or else about to begin.
under_way() {
  local open
  open=$(grep -vE '^[^|]*\|(Succeeded|RolledBack|Failed|Superseded|Cancelled)\|' || true)
  { grep -vE '^[^|]*\|(Pending)?\|' <<< "$open" || echo "$open"; } | sed -n '1s/|.*//p'
}

# A field of a release: of_release NAME JSONPATH
of_release() {
  kubectl --namespace "$namespace" get releases.rollout.dev "$1" --output "jsonpath=$2"
}

# The version of an image, as the Rollout says it: its tag; an image without one, or with a digest,
# stays whole.
version_of() {
  local last=${1##*/}
  if [[ $last == *:* && $last != *@* ]]; then echo "${last#*:}"; else echo "$1"; fi
}

# --- what users have --------------------------------------------------------------------------

# Waits until users have a version and nothing else, or gives up: verify VERSION
verify() {
  local wrong
  while true; do
    wrong=$(against "$1") || wrong="the cluster does not answer"
    [ -n "$wrong" ] || return 0
    wait_for "$wrong"
  done
}

# What speaks against users having a version and nothing else; empty where nothing does.
against() {
  local version release
  version=$(field rollouts.rollout.dev '{.status.stableVersion}') || return
  release=$(releases | under_way) || return
  if [ "$version" != "$1" ]; then
    echo "Rollout $service says that '$version' serves, not '$1'"
  elif [ -n "$release" ]; then
    echo "release $release is under way still"
  else
    other_pods "$1"
  fi
}

# Says which pod is not ready with a version. Pods that are on their way out do not count, whatever
# they have; those of a candidate do.
other_pods() {
  local line='{.metadata.name}|{.metadata.deletionTimestamp}'
  line+='|{.status.conditions[?(@.type=="Ready")].status}'
  line+="|{.spec.containers[?(@.name==\"$container\")].image}{\"\\n\"}"
  local pods name leaves ready image some=
  pods=$(kubectl --namespace "$namespace" get pods --selector app=gemini-agent,pod-template-hash \
    --output "jsonpath={range .items[*]}$line{end}") || return
  while IFS='|' read -r name leaves ready image; do
    if [ -n "$leaves" ] || [ -z "$name" ]; then
      continue
    elif [ "$(version_of "$image")" != "$1" ]; then
      echo "pod $name has the image $image, not $1" && return
    elif [ "$ready" != True ]; then
      echo "pod $name of $1 is not ready" && return
    fi
    some=yes
  done <<< "$pods"
  [ -n "$some" ] || echo "$service has no pod"
}

show_pods() {
  step "pods"
  rollout -n "$namespace" ops pods "$service" || true
}
