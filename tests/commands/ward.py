"""A practice API server with a service that is well, for the doctor to look at."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rollout.commands.doctor.examine import Visit, examine
from rollout.commands.doctor.finding import Finding, Level
from rollout.commands.doctor.service import objects_of
from rollout.engine.saving import resolve
from rollout.kube.client import HttpCluster
from rollout.resources.objects import labels_of, name_of
from rollout.resources.words import POD_TEMPLATE_HASH
from rollout.resources.writes import Create, Kind, Object, Patch, PatchType
from rollout.sandbox.apiserver import ApiServer
from rollout.sandbox.apiserver.users import EVERYTHING, Rule, User
from rollout.translation.snapshots import snapshot
from tests import build
from tests.defined import define
from tests.metrics.pods import ADDRESSES, SamplePod
from tests.prometheus.config import pod_targets
from tests.prometheus.server import Prometheus
from tests.sandbox.practice import until

NOW = datetime.now(UTC)
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
        define(self.cluster)
        self.deploy(build.deployment(replicas=1), self.pod)
        self.create(build.service(), build.ingress(), build.rollout(), self.lease())

    def deploy(self, deployment: dict[str, Any], sample: SamplePod) -> str:
        """Create a Deployment of one pod, for which the sample pod answers; gives its hash."""
        notes = {"prometheus.io/scrape": "true", "prometheus.io/port": str(sample.address.port)}
        deployment["spec"]["template"]["metadata"]["annotations"] = notes
        before = {name_of(pod) for pod in self.cluster.list(Kind.POD, "default").items}
        self.create(deployment)

        def fresh() -> Object | None:
            pods = self.cluster.list(Kind.POD, "default").items
            return next((pod for pod in pods if name_of(pod) not in before), None)

        pod = until(fresh, "a pod")
        self.make_ready(name_of(pod), sample)
        until(lambda: self._settled(name_of(deployment)), "the Deployment sees it")
        return str(labels_of(pod)[POD_TEMPLATE_HASH])

    def make_ready(self, pod: str, sample: SamplePod) -> None:
        """Play the kubelet: the pod is ready, and it is the sample pod that answers for it."""
        since = "2026-01-01T00:00:00Z"
        status = {
            "phase": "Running",
            "podIP": sample.ip,
            "podIPs": [{"ip": sample.ip}],
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": since}],
        }
        self.patch(Kind.POD, pod, {"status": status}, "status")

    def _settled(self, deployment: str) -> bool:
        found = self.cluster.get(Kind.DEPLOYMENT, "default", deployment).get("status") or {}
        return bool(found.get("readyReplicas") == 1)

    def release(self, candidate: SamplePod, weight: int = 20, **status: Any) -> None:
        """Have a release run, in a step, with a candidate for which the sample pod answers."""
        rollout = self.cluster.get(Kind.ROLLOUT, "default", "web")
        resolved = resolve(snapshot(objects_of(self.cluster, "default", rollout)))
        beside = build.deployment(name="web-candidate", image="registry.local/web:v2", replicas=1)
        hash_ = self.deploy(beside, candidate)
        self.create(build.release())
        said = {
            "phase": "Progressing",
            "hashes": {"stable": resolved.stable_hash, "candidate": hash_},
            "weight": {"asked": 20, "applied": weight},
            "resolved": resolved.to_json(),
            **status,
        }
        self.patch(Kind.RELEASE, "web-v2", {"status": said}, "status")

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

    def visit(self, who: str = "admin", now: datetime = NOW, **said: Any) -> list[Finding]:
        with HttpCluster.for_server(self.server.url, who) as cluster:
            return list(examine(cluster, Visit("default", addresses=ADDRESSES, **said), now))

    def metrics(self, **said: Any) -> list[Finding]:
        """What is found about metrics at this moment."""
        found = self.visit(now=datetime.now(UTC), **said)
        return [finding for finding in found if finding.check == "web: metrics"]

    def follow(self, prometheus: Prometheus) -> None:
        """Have a Prometheus scrape the pods that are there."""
        pods = self.cluster.list(Kind.POD, "default").items
        prometheus.set_targets(pod_targets(pods, ADDRESSES))

    def heard(self, message: str, **said: Any) -> list[Finding]:
        """What is found when Prometheus has scraped often enough to lead to a message."""
        found = list[Finding]()

        def is_said() -> bool:
            found[:] = self.metrics(**said)
            return any(finding.message.startswith(message) for finding in found)

        until(is_said, message)
        return found

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


@pytest.fixture
def prometheus(ward: Ward, tmp_path: Path) -> Iterator[Prometheus]:
    """A real Prometheus that scrapes the ward's pod."""
    with Prometheus(tmp_path / "prometheus") as server:
        ward.follow(server)
        yield server


def inline(address: str, **settings: Any) -> dict[str, Any]:
    """A policy that stands in a spec, with a Prometheus."""
    provider = {"kind": "Prometheus", "address": address, **settings}
    return {"policy": {"inline": {"provider": provider}}}


def one(findings: list[Finding], level: Level, check: str) -> Finding:
    """The one finding that is not well: of this check, this grave, and with a mend."""
    assert [(f.level, f.check) for f in findings] == [(level, check)], findings
    assert findings[0].mend
    return findings[0]
