"""A practice API server with a service that is well, for the doctor to look at."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rollout.commands.doctor.examine import Visit, examine
from rollout.commands.doctor.finding import Finding, Level
from rollout.kube.client import HttpCluster
from rollout.kube.errors import AlreadyExists, NotFound, TooManyRequests
from rollout.resources.crd import definitions
from rollout.resources.writes import Create, Kind, Object, Patch, PatchType
from rollout.sandbox.apiserver import ApiServer
from rollout.sandbox.apiserver.users import EVERYTHING, Rule, User
from tests import build
from tests.metrics.pods import ADDRESSES, SamplePod
from tests.sandbox.practice import until

NOW = datetime.now(UTC)
OURS = (Kind.ROLLOUT, Kind.RELEASE, Kind.ROLLOUT_POLICY)
ACCOUNT = "system:serviceaccount:rollout-system:rollout-controller"
TOKENS = {
    "admin": User("admin", ("system:masters",)),
    "reader": User("reader", rules=(Rule(frozenset({"get", "list"}), frozenset({"*"})),)),
    "starter": User("starter", rules=(Rule(frozenset({"patch"}), frozenset({"*"})),)),
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


def define_kinds(cluster: HttpCluster, namespace: str) -> None:
    """Have a real control plane serve our kinds; other tests of the run may have done so."""
    for body in definitions():
        try:
            cluster.apply(Create(Kind.CUSTOM_RESOURCE_DEFINITION, "", body))
        except AlreadyExists:
            continue
    until(lambda: all(_lists(cluster, namespace, kind) for kind in OURS), "the kinds are served")


def _lists(cluster: HttpCluster, namespace: str, kind: Kind) -> bool:
    try:
        cluster.list(kind, namespace)
    except (NotFound, TooManyRequests):  # the storage of a kind that has just been defined
        return False
    return True
