"""Each check of the doctor, on a world in which it fails, and all of them on one that is well."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rollout.commands.doctor.examine import Visit, examine
from rollout.commands.doctor.finding import Finding, Level
from rollout.commands.doctor.rights import OF_A_PERSON, OF_NO_NAMESPACE, OF_THE_CONTROLLER, of_lease
from rollout.commands.refusal import CommandRefusedError
from rollout.kube.client import HttpCluster
from rollout.kube.errors import NotFound
from rollout.resources.crd import definitions
from rollout.resources.writes import Create, Delete, Kind, Object, Patch, PatchType
from rollout.sandbox.apiserver import ApiServer
from rollout.sandbox.apiserver.users import EVERYTHING, Rule, User
from tests import build
from tests.controlplane.access import Access as ControlPlane
from tests.metrics.pods import ADDRESSES, SamplePod
from tests.sandbox.practice import until

pytestmark = pytest.mark.system

NOW = datetime.now(UTC)
ACCOUNT = "system:serviceaccount:rollout-system:rollout-controller"
TOKENS = {
    "admin": User("admin", ("system:masters",)),
    "reader": User("reader", rules=(Rule(frozenset({"get", "list"}), frozenset({"*"})),)),
    "controller": User(ACCOUNT, rules=(Rule(frozenset({"get", "list"}), frozenset({"*"})),)),
    "strong": User("strong", rules=EVERYTHING),
}


class Ward:
    """A practice API server with a service that is well, until a test makes it ill."""

    def __init__(self, server: ApiServer, pod: SamplePod) -> None:
        self.server, self.pod = server, pod
        self.cluster = HttpCluster.for_server(server.url, "admin")

    def create(self, *objects: Object) -> None:
        kinds = {kind.value.kind: kind for kind in Kind}
        for body in objects:
            self.cluster.apply(Create(kinds[body["kind"]], "default", body))

    def patch(self, kind: Kind, name: str, body: Any, part: str | None = None) -> None:
        self.cluster.apply(Patch(kind, "default", name, PatchType.MERGE, body, part))

    def fill(self) -> None:
        for body in definitions():
            self.cluster.apply(Create(Kind.CUSTOM_RESOURCE_DEFINITION, "", body))
        target = build.deployment(replicas=1)
        notes = {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(self.pod.address.port),
        }
        target["spec"]["template"]["metadata"]["annotations"] = notes
        self.create(target, build.service(), build.ingress(), build.rollout(), self.lease())
        self.await_ready()

    def await_ready(self) -> None:
        """Play the kubelet: the pod is ready, and it is the sample pod that answers for it."""
        pods = until(lambda: self.cluster.list(Kind.POD, "default").items, "a pod")
        status = {
            "phase": "Running",
            "podIP": self.pod.ip,
            "podIPs": [{"ip": self.pod.ip}],
            "conditions": [
                {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
            ],
        }
        self.patch(Kind.POD, pods[0]["metadata"]["name"], {"status": status}, "status")

        def settled() -> bool:
            found = self.cluster.get(Kind.DEPLOYMENT, "default", "web").get("status") or {}
            return bool(found.get("readyReplicas") == 1)

        until(settled, "the Deployment sees it")

    def lease(self, ago: float = 1.0, holder: str = "controller-1") -> dict[str, Any]:
        renewed = (NOW - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": renewed}
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "rollout-controller"},
            "spec": spec,
        }

    def budget(self, **spec: Any) -> dict[str, Any]:
        return {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "web"},
            "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec},
        }

    def visit(self, who: str = "admin", **said: Any) -> list[Finding]:
        with HttpCluster.for_server(self.server.url, who) as cluster:
            return list(examine(cluster, Visit("default", addresses=ADDRESSES, **said), NOW))

    def bad(self, who: str = "admin", **said: Any) -> list[Finding]:
        return [one for one in self.visit(who, **said) if one.level is not Level.OK]


@pytest.fixture
def ward() -> Iterator[Ward]:
    pod = SamplePod("stablehash")
    pod.serve(3)
    try:
        with ApiServer(tokens=TOKENS) as server:
            found = Ward(server, pod)
            found.fill()
            yield found
            found.cluster.close()
    finally:
        pod.stop()


def one(findings: list[Finding], level: Level, check: str) -> Finding:
    """The one finding that is not well: of this check, this grave, and with a mend."""
    assert [(f.level, f.check) for f in findings] == [(level, check)], findings
    assert findings[0].mend
    return findings[0]


def test_where_all_is_well_every_check_says_so(ward: Ward) -> None:
    found = ward.visit()
    assert {finding.level for finding in found} == {Level.OK}
    said = {finding.check: finding.message for finding in found}
    assert set(said) == {
        "access",
        "kinds",
        "rights",
        "controller",
        "web: traffic",
        "web: metrics",
    }
    assert "Services that carry the split: web" in said["web: traffic"]
    metrics = [finding.message for finding in found if finding.check == "web: metrics"]
    assert metrics[0] == "stable: errors, latency are counted"


def test_a_cluster_that_is_not_there_is_the_only_thing_that_is_said(ward: Ward) -> None:
    ward.server.stop()
    found = one(ward.bad(), Level.PROBLEM, "access")
    assert "cannot be reached" in found.message
    ward.server.start()


def test_credentials_that_nobody_knows_are_the_only_thing_that_is_said(ward: Ward) -> None:
    found = one(ward.bad("nobody"), Level.PROBLEM, "access")
    assert "log in again" in found.mend


def test_a_kind_that_is_not_installed_is_a_problem(ward: Ward) -> None:
    ward.cluster.apply(Delete(Kind.CUSTOM_RESOURCE_DEFINITION, "", "rolloutpolicies.rollout.dev"))
    found = [f for f in ward.bad() if f.check == "kinds"]
    assert one(found, Level.PROBLEM, "kinds").message == (
        "rolloutpolicies.rollout.dev is not installed"
    )
    assert "rollout crds | kubectl apply" in found[0].mend


def test_a_kind_of_an_older_rollout_is_a_problem_that_names_what_it_lacks(ward: Ward) -> None:
    versions = ward.cluster.get(Kind.CUSTOM_RESOURCE_DEFINITION, "", "releases.rollout.dev")[
        "spec"
    ]["versions"]
    del versions[0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["fast"]
    body = {"spec": {"versions": versions}}
    write = Patch(
        Kind.CUSTOM_RESOURCE_DEFINITION, "", "releases.rollout.dev", PatchType.MERGE, body
    )
    ward.cluster.apply(write)
    found = one(ward.bad(), Level.PROBLEM, "kinds")
    assert found.message == "releases.rollout.dev is of an older rollout: it lacks spec.fast"


def test_rights_that_a_person_lacks_are_named_with_the_rule_that_gives_them(ward: Ward) -> None:
    found = [f for f in ward.bad("reader") if f.check == "rights"]
    first = found[0]
    assert first.level is Level.PROBLEM
    assert "you may not create, patch releases.rollout.dev in namespace default" in first.message
    rule = '{apiGroups: ["rollout.dev"], resources: [releases], verbs: [create, patch]}'
    assert rule in first.mend
    assert [f.level for f in found[1:]] == [Level.WARNING] * 3
    assert "discard-edit" in found[2].message


def test_rights_that_the_controller_lacks_are_named(ward: Ward) -> None:
    found = ward.bad(as_controller=True)
    assert {f.check for f in found} == {"controller rights"}
    said = "\n".join(f.message for f in found)
    assert f"{ACCOUNT} may not patch releases/status.rollout.dev in namespace default" in said
    assert "may not watch, create, patch, delete services in namespace default" in said
    assert "may not create leases.coordination.k8s.io in namespace rollout-system" in said
    mended = "\n".join(f.mend for f in found)
    assert "verbs: [watch, patch], resourceNames: [rollout-controller]}" in mended


def test_an_account_that_may_do_all_is_well() -> None:
    strong = User("system:serviceaccount:default:rollout", rules=EVERYTHING)
    with ApiServer(tokens={**TOKENS, "own": strong}) as server:
        cluster = HttpCluster.for_server(server.url, "admin")
        for body in definitions():
            cluster.apply(Create(Kind.CUSTOM_RESOURCE_DEFINITION, "", body))
        visit = Visit("default", as_controller=True, account="default:rollout")
        found = [f for f in examine(cluster, visit, NOW) if f.check == "controller rights"]
        cluster.close()
    assert [f.level for f in found] == [Level.OK]


def test_every_right_has_its_purpose() -> None:
    rights = (*OF_A_PERSON, *OF_THE_CONTROLLER, *OF_NO_NAMESPACE, *of_lease("rollout-controller"))
    assert all(right.purpose and right.verbs for right in rights)


@pytest.mark.parametrize(
    ("lease", "said"),
    [
        ({"spec": {"holderIdentity": ""}}, "nobody holds Lease default/rollout-controller"),
        (
            {"spec": {"renewTime": "2020-01-01T00:00:00.000000Z"}},
            "controller-1 has not renewed Lease default/rollout-controller for",
        ),
        (None, "there is no Lease rollout-controller in namespace rollout-system and default"),
    ],
)
def test_a_controller_that_is_not_alive_is_a_problem(
    ward: Ward, lease: dict[str, Any] | None, said: str
) -> None:
    if lease is None:
        ward.cluster.apply(Delete(Kind.LEASE, "default", "rollout-controller"))
    else:
        ward.patch(Kind.LEASE, "rollout-controller", lease)
    assert said in one(ward.bad(), Level.PROBLEM, "controller").message


def test_a_service_that_cannot_be_steered_is_a_problem_with_the_words_of_the_rules(
    ward: Ward,
) -> None:
    ward.patch(Kind.SERVICE, "web", {"spec": {"publishNotReadyAddresses": True}})
    found = one(ward.bad(), Level.PROBLEM, "web: traffic")
    assert "publishNotReadyAddresses: true" in found.message
    assert "set it to false" in found.mend


def test_a_canary_without_an_ingress_is_a_problem(ward: Ward) -> None:
    ward.cluster.apply(Delete(Kind.INGRESS, "default", "web"))
    ward.patch(Kind.ROLLOUT, "web", {"spec": {"traffic": {"shareBy": "Ingress"}}})
    found = one(ward.bad(), Level.PROBLEM, "web: traffic")
    assert "blue-green" in found.mend


def test_what_passes_by_itself_is_only_a_warning(ward: Ward) -> None:
    ward.patch(Kind.DEPLOYMENT, "web", {"spec": {"replicas": 2}})
    until(lambda: len(ward.cluster.list(Kind.POD, "default").items) == 2, "the second pod")
    found = [f for f in ward.bad() if f.check == "web: traffic"]
    assert "is not settled" in one(found, Level.WARNING, "web: traffic").message


def test_a_tool_that_owns_the_deployment_is_a_warning(ward: Ward) -> None:
    notes = {"argocd.argoproj.io/tracking-id": "x"}
    ward.patch(Kind.DEPLOYMENT, "web", {"metadata": {"annotations": notes}})
    assert "Argo CD owns" in one(ward.bad(), Level.WARNING, "web: owner").message


@pytest.mark.parametrize(
    ("spec", "level", "said"),
    [
        ({"minAvailable": 1}, Level.PROBLEM, "minAvailable: 1 for 1 replicas"),
        ({"maxUnavailable": 0}, Level.PROBLEM, "maxUnavailable: 0"),
        ({"maxUnavailable": "0%"}, Level.PROBLEM, "maxUnavailable: 0%"),
        ({"minAvailable": "100%"}, Level.PROBLEM, "minAvailable: 100%"),
    ],
)
def test_a_budget_under_which_no_pod_can_be_evicted_is_a_problem(
    ward: Ward, spec: dict[str, Any], level: Level, said: str
) -> None:
    ward.create(ward.budget(**spec))
    found = one(ward.bad(), level, "web: disruption")
    assert said in found.message
    assert "maxUnavailable: 25%" in found.mend


def test_an_absolute_budget_lets_a_drain_take_all_of_stable(ward: Ward) -> None:
    ward.patch(Kind.DEPLOYMENT, "web", {"spec": {"replicas": 4}})
    ward.create(ward.budget(minAvailable=2))
    found = [f for f in ward.bad() if f.check == "web: disruption"]
    assert "may evict every pod of the stable version" in (
        one(found, Level.WARNING, "web: disruption").message
    )


def test_a_relative_budget_is_well_and_one_of_other_pods_is_none_of_ours(ward: Ward) -> None:
    ward.create(ward.budget(maxUnavailable="25%"))
    assert ward.bad() == []
    other = ward.budget(minAvailable=5)
    other["metadata"]["name"] = "other"
    other["spec"]["selector"] = {
        "matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]
    }
    ward.create(other)
    assert ward.bad() == []


def test_an_autoscaler_that_follows_memory_is_a_warning(ward: Ward) -> None:
    target = {"type": "Utilization", "averageUtilization": 80}
    ward.create(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                "maxReplicas": 9,
                "metrics": [{"type": "Resource", "resource": {"name": "memory", "target": target}}],
            },
        }
    )
    assert "follows memory" in one(ward.bad(), Level.WARNING, "web: autoscaler").message


def test_pods_that_nobody_can_read_are_a_problem(ward: Ward) -> None:
    pod = ward.cluster.list(Kind.POD, "default").items[0]["metadata"]["name"]
    ward.patch(Kind.POD, pod, {"metadata": {"annotations": {"prometheus.io/scrape": "false"}}})
    found = one(ward.bad(), Level.PROBLEM, "web: metrics")
    assert 'annotation prometheus.io/scrape is not "true"' in found.message
    assert "set it in the pod template" in found.mend


def test_pods_that_cannot_be_reached_from_here_are_a_warning(ward: Ward) -> None:
    ward.pod.stop()
    found = one(ward.bad(), Level.WARNING, "web: metrics")
    assert "from here" in found.message
    assert "inside the cluster" in found.mend


def test_counters_that_pods_do_not_show_are_a_problem(ward: Ward) -> None:
    metrics = [{"name": "shed", "kind": "Ratio", "bad": {"metric": "a"}, "total": {"metric": "b"}}]
    ward.patch(Kind.ROLLOUT, "web", {"spec": {"policy": {"inline": {"metrics": metrics}}}})
    found = one(ward.bad(), Level.PROBLEM, "web: metrics")
    assert "stable: no shed: there is no series b of it" in found.message


def test_a_prometheus_that_cannot_be_reached_from_here_is_a_warning(ward: Ward) -> None:
    provider = {"kind": "Prometheus", "address": "http://127.0.0.1:1"}
    ward.patch(Kind.ROLLOUT, "web", {"spec": {"policy": {"inline": {"provider": provider}}}})
    assert "does not answer" in one(ward.bad(), Level.WARNING, "web: metrics").message


def test_a_namespace_without_a_rollout_is_a_warning(ward: Ward) -> None:
    ward.cluster.apply(Delete(Kind.ROLLOUT, "default", "web"))
    assert "rollout init" in one(ward.bad(), Level.WARNING, "rollouts").mend


def test_a_rollout_that_is_not_there_is_refused_with_those_that_are(ward: Ward) -> None:
    with pytest.raises(CommandRefusedError, match=r"there is no Rollout shop .* \(there are: web"):
        ward.visit(rollout="shop")


@pytest.mark.controlplane
def test_on_a_real_control_plane_all_that_can_be_looked_at_is_well(
    control_plane: ControlPlane, namespace: str
) -> None:
    ca = str(control_plane.ca_file)
    with HttpCluster.for_server(control_plane.url, control_plane.token(), ca) as cluster:
        for body in definitions():
            try:
                cluster.get(Kind.CUSTOM_RESOURCE_DEFINITION, "", body["metadata"]["name"])
            except NotFound:
                cluster.apply(Create(Kind.CUSTOM_RESOURCE_DEFINITION, "", body))
        until(lambda: _lists(cluster, namespace), "the kinds are served")
        for body in (build.deployment(), build.service(), build.ingress(), build.rollout()):
            kind = next(kind for kind in Kind if kind.value.kind == body["kind"])
            cluster.apply(Create(kind, namespace, body))
        found = list(examine(cluster, Visit(namespace), NOW))
    bad = {one.check for one in found if one.level is not Level.OK}
    assert {"access", "kinds", "rights"}.isdisjoint(bad), found
    # Nothing runs there: neither pods nor a controller.
    assert bad <= {"controller", "web: traffic", "web: metrics"}, found


def _lists(cluster: HttpCluster, namespace: str) -> bool:
    try:
        cluster.list(Kind.ROLLOUT, namespace)
    except NotFound:
        return False
    return True
