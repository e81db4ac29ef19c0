#!/usr/bin/env bash
# Ships a version of gemini-agent to an environment, and waits until it serves or is taken back.
#
#   deploy.sh ENVIRONMENT TAG [--timeout SECONDS] [--health-url URL]
#   deploy.sh staging v1.2.4
#
# ENVIRONMENT is a folder of overlays/; SECONDS (900) are for everything together. A version that
# serves already is applied and checked, and begins no release. Health is asked of a ready pod
# through `rollout ops port-forward`; with --health-url of that address, as the Ingress' host.
#
# Exits with 0 when the version serves: the Rollout says so, and every pod is ready with it. With 3
# when it was taken back, 4 when it waits on a person, 5 when the time was over first, 6 when its
# release failed, was cancelled or superseded, and 1 or 2 for everything else.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

[[ ${1-} != --help && ${1-} != -h ]] || { help && exit; }
[ $# -ge 2 ] || usage
environment=$1 tag=$2
shift 2
seconds=900 health_url=
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || usage
  case $1 in
    --timeout) seconds=$2 ;;
    --health-url) health_url=$2 ;;
    *) usage ;;
  esac
  shift 2
done

go_to "$environment" "$seconds"
[[ $tag =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$ && $tag != latest ]] ||
  fail "'$tag' is no tag of a version: name one, such as v1.2.4"
need curl
image=$repository:$tag

folder=$(mktemp -d "$here/.deploy-XXXXXX")
tree=$folder/tree.yaml forward=
trap '[ -z "$forward" ] || kill "$forward" 2> /dev/null || true; rm -rf "$folder"' EXIT

# --- the objects ------------------------------------------------------------------------------

# Builds the overlay as a tree of its own, with what further lines of a kustomization say.
build() {
  { echo "resources: [../overlays/$environment]" && cat; } > "$folder/kustomization.yaml"
  kubectl kustomize "$folder" > "$tree"
}

build_with_tag() {
  build << END
images:
- name: $repository
  newTag: "$tag"
END
  object Deployment "$service" | grep -F "image: $image" > /dev/null ||
    fail "overlays/$environment has no image $repository: correct 'repository' in common.sh"
}

# The same with a whole image, for one that serves already: build_with IMAGE
build_with() {
  build << END
patches:
- target: {kind: Deployment, name: $service}
  patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: $service}
    spec: {template: {spec: {containers: [{name: $container, image: "$1"}]}}}
END
}

# One object of the tree: object KIND NAME
object() {
  awk -v kind="kind: $1" -v name="  name: $2" '
    function told() { if (is_kind && is_named) printf "%s", text; text = is_kind = is_named = "" }
    $0 == "---" { told(); next }
    { text = text $0 "\n" }
    $0 == kind { is_kind = 1 }
    $0 == name { is_named = 1 }
    END { told() }' "$tree"
}

# Has the API server judge all objects. It judges those of a namespace only when that is there, with
# its labels for Pod Security.
validate() {
  local changed=nothing
  if [ -z "$(kubectl get namespace "$namespace" --ignore-not-found --output name)" ]; then
    step "creating the namespace, which the API server needs to judge the rest"
    object Namespace "$namespace" | kubectl apply --filename -
    changed="nothing but the namespace"
  fi
  kubectl apply --dry-run=server --filename "$tree" > "$folder/said" 2>&1 ||
    fail "the cluster refuses the objects; $changed was changed:" \
      "$(grep -v '(server dry run)$' "$folder/said")"
  grep '^Warning' "$folder/said" >&2 || true
}

apply() {
  step "applying"
  kubectl apply --filename "$tree"
}

# --- trigger Command: a person starts the release --------------------------------------------

# Objects are applied with the image that serves, so that nothing rolls, and then the release begins.
ship_by_command() {
  local serving release
  release=$(releases | under_way)
  if [ -n "$release" ]; then
    go_on_with "$release"
    return
  fi
  serving=$(field deployment "{.spec.template.spec.containers[?(@.name==\"$container\")].image}")
  build_with "$serving"
  refuse_other_changes "$serving"
  apply
  if [ "$serving" = "$image" ]; then
    step "$tag serves already: nothing to release"
    return
  fi
  step "releasing $tag"
  rollout -n "$namespace" start "$tag" --rollout "$service" --reason "deploy.sh" --watch \
    --timeout "$(left)" || status=$?
}

# Follows a release that is under way already: of this version, as when a pipeline is run again.
go_on_with() {
  local shipped
  shipped=$(of_release "$1" '{.status.resolved.image}')
  [ -n "$shipped" ] || shipped=$repository:$(of_release "$1" '{.spec.version}')
  [ "$shipped" = "$image" ] || fail "release $1 of $shipped is under way; nothing was changed: wait" \
    "for its end, or take it back with rollback.sh $environment"
  step "release $1 of $tag is under way: following it, applying nothing meanwhile"
  follow "$1" || status=$?
}

# `rollout start` changes the image and nothing else. Any other change of the pod template would
# roll at once, past the release: judged by nobody.
refuse_other_changes() {
  local changes
  [[ $1 == "$repository" || $1 == "$repository"[:@]* ]] || fail "Deployment $service has the image $1, and 'rollout start'" \
    "changes its tag alone; nothing was changed: to ship $image set trigger: Template in the" \
    "overlay's Rollout"
  object Deployment "$service" | kubectl apply --dry-run=server --filename - --output yaml \
    > "$folder/wanted.yaml"
  kubectl --namespace "$namespace" get deployment "$service" --output yaml > "$folder/there.yaml"
  changes=$({ diff <(fields < "$folder/there.yaml") <(fields < "$folder/wanted.yaml") || true; } |
    sed -n -e 's/^</  in the cluster:/p' -e 's/^>/  in the overlay:/p')
  [ -z "$changes" ] || fail "overlays/$environment changes more than the image of Deployment" \
    "$service, which would roll past the release; nothing was changed: set trigger: Template in" \
    "the overlay's Rollout, so that all of it is released, or undo the change"$'\n'"$changes"
}

# The fields of a pod template, one a line with its path, from kubectl's YAML. A key in column N has
# place 2N in the path, the name or number of an item that begins there has place 2N+1.
fields() {
  awk '
    function put(place, word,   i) {
      for (i = place; i <= last; i++) delete path[i]
      path[place] = word; last = place
    }
    function said(   i, all) {
      for (i = 0; i <= last; i++) if (i in path) all = all path[i]
      return substr(all, 2)
    }
    {
      column = match($0, /[^ ]/) - 1; line = substr($0, column + 1)
      while (line ~ /^- /) {
        place = column * 2 + 1
        number[place] = (place <= last && place in path) ? number[place] + 1 : 0
        column += 2; line = substr(line, 3)
        put(place, "[" (line ~ /^name: / ? substr(line, 7) : number[place]) "]")
      }
      if (line !~ /^[^ "\047]+:( |$)/) { print said() ": " line; next }
      key = line; sub(/:( .*)?$/, "", key); put(column * 2, "." key)
      if (line != key ":") print said() substr(line, length(key) + 1)
    }' | grep '^spec\.template\.'
}

# --- trigger Template: a changed template is the release -------------------------------------

ship_by_template() {
  local before wanted known
  hand_over
  known=$(releases)
  before=$(field deployment '{.spec.template}')
  apply
  wanted=$(field deployment '{.spec.template}')
  # A release that runs is of this template only where the template was there before.
  [ "$before" != "$wanted" ] || known=$(ended <<< "$known")
  follow_release_of "$wanted" "$known"
}

# Has rollout hold the Deployment before its template changes: else it would roll past the release.
hand_over() {
  [ "$(field deployment '{.spec.paused}')" != true ] && [ -z "$(releases | under_way)" ] || return 0
  step "handing Deployment $service over to rollout"
  object Rollout "$service" | kubectl apply --filename -
  until [ "$(field deployment '{.spec.paused}')" = true ]; do
    wait_for "rollout does not hold Deployment $service, so a changed template would roll past" \
      "the release; is its controller running? Its Rollout says: $(says)"
  done
}

# Follows the release of a template that is none of those known, once there is one; a template that
# serves needs none: follow_release_of TEMPLATE RELEASES
follow_release_of() {
  local now release waits said=
  while true; do
    now=$(releases) || { wait_for "the cluster does not answer" && continue; }
    release=$(new_since "$2" <<< "$now" | of_template "$1")
    if [ -n "$release" ]; then
      step "releasing $tag"
      follow "$release" || status=$?
      return
    fi
    if [ -z "$(under_way <<< "$now")" ]; then
      [ "$(serving_template)" != "$1" ] || { step "$tag serves already: nothing to release" && return; }
      refuse_rejected "$1" <<< "$now"
    fi
    waits=$(says) || waits="the cluster does not answer"
    [ "$waits" = "$said" ] || step "waiting for the release of $tag: $waits"
    said=$waits
    wait_for "no release of $tag began; Rollout $service says: $waits; is its controller running?"
  done
}

# Of lines of releases, the name of the first that ships a template: of_template TEMPLATE
of_template() {
  local name template found=
  while IFS='|' read -r name _ _ template; do
    [ "$template" != "$1" ] || found=${found:-$name}
  done
  echo "$found"
}

# The template that the Deployment's pods have, if all have the same.
serving_template() {
  local line='{.metadata.ownerReferences[0].name}|{.spec.template}{"\n"}'
  kubectl --namespace "$namespace" get replicasets --selector app=gemini-agent \
    --output "jsonpath={range .items[?(@.status.replicas>0)]}$line{end}" |
    sed -n -e 's/,"pod-template-hash":"[^"]*"//' -e 's/"pod-template-hash":"[^"]*",//' \
      -e "s/^$service|//p"
}

# A template that was taken back is not tried again by itself: refuse_rejected TEMPLATE < RELEASES
refuse_rejected() {
  local rejected
  rejected=$(field rollouts.rollout.dev '{.status.rejected.release}')
  [ -n "$rejected" ] && [ "$(grep "^$rejected|" | of_template "$1")" = "$rejected" ] || return 0
  echo "error: $tag was taken back by release $rejected, and is not tried again by itself: ship" \
    "another version, or rollout retry $rejected -n $namespace" >&2
  exit 3
}

# --- the end ----------------------------------------------------------------------------------

wait_for_first_pods() {
  step "first deployment: waiting for the pods"
  kubectl --namespace "$namespace" rollout status "deployment/$service" --timeout "$(left)s" && return
  [ "$SECONDS" -lt "$deadline" ] || late "the pods of $tag are not ready"
  fail "the pods of $tag do not become ready: rollout ops events $service -n $namespace"
}

give_up_by() {
  show_pods
  case $1 in
    3) echo "error: $tag was taken back" ;;
    4) echo "error: $tag waits on a person: rollout promote $service -n $namespace, or" \
      "rollback.sh $environment" ;;
    5) late "the release of $tag is under way still" ;;
    *) echo "error: the release of $tag did not come to its end" ;;
  esac >&2
  echo "rollout explain $service -n $namespace says why" >&2
  exit "$1"
}

# Asks a ready pod for its health through the API server and the kubelet, which NetworkPolicies let
# pass, or whoever listens at --health-url.
check_health() {
  local url=$health_url host=localhost
  step "health"
  if [ -n "$url" ]; then
    host=$(field ingress '{.spec.rules[0].host}')
  else
    reach_pod
    url=$(sed -n 's/.*"port": \([0-9]*\).*/http:\/\/127.0.0.1:\1\/health/p' "$folder/forward")
  fi
  curl --fail --silent --show-error --noproxy '*' --max-time 10 --retry 3 --retry-connrefused \
    --header "Host: $host" "$url" || fail "$url does not say that $tag is well"
  echo
}

# Has a local port lead to a ready pod until we end.
reach_pod() {
  rollout -n "$namespace" ops port-forward "$service" 0:http --output json \
    > "$folder/forward" &
  forward=$!
  until [ -s "$folder/forward" ]; do
    kill -0 "$forward" 2> /dev/null || fail "no way to a pod of $service"
    wait_for "no way to a pod of $service"
  done
}

step "validating $environment"
build_with_tag
validate
trigger=$(object Rollout "$service" | sed -n 's/^  trigger: //p')
status=0
there=$(field deployment '{.metadata.name}')
if [ -z "$there" ]; then
  apply
  wait_for_first_pods
elif [ "$trigger" = Template ]; then
  ship_by_template
else
  ship_by_command
fi
[ "$status" -eq 0 ] || give_up_by "$status"

step "checking that users have $tag and nothing else"
verify "$tag"
show_pods
check_health
step "$tag serves in $environment"
