#!/usr/bin/env bash
# Ships a version of gemini-agent to an environment, and waits until it serves or is taken back.
#
#   deploy.sh ENVIRONMENT TAG [--timeout SECONDS] [--health-url URL]
#   deploy.sh staging v1.2.4
#
# ENVIRONMENT is a folder of overlays/. Exits with 0 when the version serves, 3 when it was rolled
# back, 4 when it waits on a person, 5 when the time was over first, and 1 or 2 for everything else.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

usage() {
  sed -n '4,5s/^# *//p' "$0" >&2
  exit 2
}

[ $# -ge 2 ] || usage
environment=$1 tag=$2
shift 2
timeout=900 health_url=
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || usage
  case $1 in
    --timeout) timeout=$2 ;;
    --health-url) health_url=$2 ;;
    *) usage ;;
  esac
  shift 2
done

overlay=$(overlay_of "$environment")
[[ $tag =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$ && $tag != latest ]] ||
  fail "'$tag' is no tag of a version: name one, such as v1.2.4"
[[ $timeout =~ ^[0-9]+$ ]] || fail "--timeout '$timeout' is no number of seconds, such as 900"
need kubectl rollout

folder=$(mktemp -d "$here/.deploy-XXXXXX")
trap 'rm -rf "$folder"' EXIT
tree=$folder/tree.yaml

# The overlay with a tag of ours, as a tree of its own.
build() {
  cat > "$folder/kustomization.yaml" << END
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../overlays/$environment]
images:
- name: registry.example.com/gemini-agent
  newTag: $1
END
  kubectl kustomize "$folder" > "$tree"
}

step "validating $environment"
build "$tag"
namespace=$(sed -n 's/^namespace: //p' "$overlay/kustomization.yaml")
service=$(sed -n 's/^namePrefix: //p' "$overlay/kustomization.yaml")gemini-agent
kubectl get namespace "$namespace" > /dev/null 2>&1 || kubectl create namespace "$namespace"
kubectl apply --dry-run=server --filename "$tree" > "$folder/dry-run" 2>&1 ||
  fail "the cluster refuses the objects; nothing was changed: $(cat "$folder/dry-run")"

# Where a person starts releases, objects are applied with the version that runs: a changed template
# would roll the Deployment past the release.
first=yes
if kubectl --namespace "$namespace" get deployment "$service" > /dev/null 2>&1; then first=; fi
trigger=$(sed -n '/^kind: Rollout$/,/^---/s/^  trigger: //p' "$tree")
if [ -z "$first" ] && [ "$trigger" != Template ]; then
  image=$(kubectl --namespace "$namespace" get deployment "$service" \
    --output 'jsonpath={.spec.template.spec.containers[?(@.name=="agent")].image}')
  build "${image##*:}"
fi

step "applying"
kubectl apply --filename "$tree"

status=0
if [ -n "$first" ]; then
  step "first deployment: waiting for the pods"
  kubectl --namespace "$namespace" rollout status "deployment/$service" --timeout "${timeout}s"
elif [ "$trigger" = Template ]; then
  step "releasing $tag: the new template starts it"
  release=
  for _ in $(seq "$timeout"); do
    release=$(kubectl --namespace "$namespace" get releases --sort-by .metadata.creationTimestamp \
      --output "jsonpath={range .items[?(@.spec.rollout==\"$service\")]}{.metadata.name} {end}" |
      xargs -n 1 | grep -F -- "-$tag-" | tail -1 || true)
    [ -z "$release" ] || break
    sleep 1
  done
  [ -n "$release" ] || fail "no release of $tag began in $timeout s: rollout explain $service"
  rollout -n "$namespace" watch "$release" --timeout "$timeout" || status=$?
else
  step "releasing $tag"
  rollout -n "$namespace" start "$tag" --rollout "$service" --reason "deploy.sh" --watch \
    --timeout "$timeout" || status=$?
fi

step "pods"
kubectl --namespace "$namespace" get pods --selector app=gemini-agent --output wide
[ "$status" -eq 0 ] || exit "$status"

step "health"
if [ -n "$health_url" ]; then
  host=$(kubectl --namespace "$namespace" get ingress "$service" \
    --output 'jsonpath={.spec.rules[0].host}')
  need curl
  curl --fail --silent --show-error --max-time 10 --retry 3 --header "Host: $host" "$health_url"
else
  kubectl get --raw "/api/v1/namespaces/$namespace/services/$service:http/proxy/health"
fi
echo
step "$tag serves in $environment"
