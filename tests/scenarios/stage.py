"""The stage of a scenario: a namespace with its node agent, edge, load, and a real controller."""

import json
import os
import ssl
import subprocess
import threading
import time
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx

from rollout.kube.client import HttpCluster
from rollout.kube.errors import NotFound
from rollout.metrics.addresses import AddressMap
from rollout.resources.objects import is_terminating, name_of
from rollout.resources.release import Release
from rollout.resources.rollout import Rollout
from rollout.resources.writes import Create, Delete, Kind, Object, Patch, PatchType
from rollout.sandbox.agent import BackOff, NodeAgent
from rollout.sandbox.agent import Settings as AgentSettings
from rollout.sandbox.edge import Edge
from rollout.sandbox.edge import Settings as EdgeSettings
from rollout.sandbox.load import Load, Plan, Snapshot
from rollout.sandbox.practice import ADDRESSES
from rollout.sandbox.processes import end
from tests import shop
from tests.forked import Forked, run
from tests.install.installed import secret_rights
from tests.prometheus.config import Target
from tests.prometheus.pods import PodFollower
from tests.prometheus.proxy import Proxy
from tests.prometheus.server import Prometheus
from tests.raised import Raised
from tests.scenarios.gate import Gate
from tests.scenarios.inside import Inside
from tests.scenarios.owned import TARGET, Owned, owned
from tests.scenarios.scenario import Scenario
from tests.scenarios.watched import GLANCE_SECONDS, M, Watched, age

STEPS: Final = [{"weight": 20, "minDuration": "3s"}, {"weight": 50, "minDuration": "3s"}]
TIMES: Final = {"bake": "4s", "drain": "1s", "progressDeadline": "20s"}
OTHERS_RATE: Final = 20.0
"""Requests a second to each other host."""
POLICY: Final = {
    "interval": "1s",
    "minimumRequests": 30,
    "minimumRequestsToFail": 20,
    "noData": {"hold": "15s", "then": "Pause"},
    "providerError": {"hold": "5s", "then": "Pause"},
}


@dataclass(frozen=True)
class Server:
    """An API server that a scenario runs on."""

    name: str
    url: str
    token: str
    ca_file: str | None
    kubeconfig: Path
    kubectl: Path
    """The program that is kubectl as well."""
    account: str | None = None
    """Token of the controller's own account; None: it comes as the administrator."""


class Stage(Raised):
    """One scenario's world. Use as a context manager."""

    def __init__(self, server: Server, namespace: str, scenario: Scenario, folder: Path) -> None:
        super().__init__()
        self.server = server
        self.namespace = namespace
        self.scenario = scenario
        self.folder = folder
        self.cluster = HttpCluster.for_server(server.url, server.token, server.ca_file)
        self.prometheus: Prometheus | None = None
        self.edge: Edge
        self.load: Load | None = None
        self.other_loads: list[Load] = []
        self.inside: Inside | None = None
        self.guard: Proxy | None = None
        self.controller: Forked | None = None
        self.gate: Gate | None = None
        self.options: tuple[str, ...] = ()
        """What the controller is told besides."""
        self.releases: Watched[Release]
        self.rollouts: Watched[Rollout]
        self._news = threading.Event()
        self.before: Owned = {}
        """What people have said last of what is theirs."""
        self.counted: dict[int, tuple[Snapshot, Snapshot]] = {}
        """What callers had counted first and last while the candidate had a share."""
        self.scaled_down: list[tuple[float, float]] = []
        """When people took pods away, and when the edge had heard of it (unix seconds)."""
        """When a user scaled the target down, in seconds since the epoch."""
        self.killed_at: list[datetime] = []
        self._log = folder / "controller.log"
        self._logged = 0

    def _start(self) -> None:
        self._stack.callback(self.cluster.close)
        settings = AgentSettings(
            node=f"node-{self.namespace}", namespace=self.namespace, back_off=BackOff(1.0, 4.0)
        )
        self._stack.enter_context(NodeAgent(self.cluster, settings))
        edge = Edge(self.cluster, EdgeSettings(namespace=self.namespace))
        self.edge = self._stack.enter_context(edge)
        self.releases = self._watched(Kind.RELEASE, Release)
        self.rollouts = self._watched(Kind.ROLLOUT, Rollout)
        self._metrics()
        self._gate()
        routes = [shop.ingress()] if self.scenario.routed else []
        self._bring(self.deployment(), shop.service(), *routes, self._rollout())
        for body in self.scenario.also:
            time.sleep(1.0 if body["kind"] == "Rollout" else 0.0)  # the later one is refused
            self.create(body)
        self._await_served()
        self._come()
        self.before = self.users()

    def _watched(self, kind: Kind, model: type[M]) -> Watched[M]:
        watched = Watched(self.cluster, kind, self.namespace, model, self._news)
        return self._stack.enter_context(watched)

    def glance(self) -> None:
        """Wait for news of a release or a Rollout, but not long: not everything is watched."""
        self._news.wait(GLANCE_SECONDS)
        self._news.clear()

    def catch_up(self) -> None:
        """Wait until the watches know what was just done."""
        self.releases.catch_up()
        self.rollouts.catch_up()

    def _bring(self, *bodies: Object) -> None:
        """Have the user's objects come into the cluster."""
        for body in bodies:
            if self.scenario.applied and body["kind"] != "Rollout":
                self.apply_server_side(body)
            else:
                self.create(body)

    def _gate(self) -> None:
        if not self.scenario.gated:
            return
        server = self.server
        token = server.account or server.token
        self.gate = self._stack.enter_context(Gate(server.url, token, server.ca_file))
        for when in (deed.when for deed in self.scenario.deeds):
            if when.write is not None:
                self.gate.close_after(str(when.phase), when.write)

    def _kubeconfig(self) -> Path:
        """Where the controller finds its server: behind the gate, where there is one."""
        server = self.server
        if self.gate is not None:
            place, token = {"server": self.gate.url}, "the-gate-has-its-own"
        elif server.account is not None:
            place = {"server": server.url, "certificate-authority": str(server.ca_file)}
            token = server.account
        else:
            return server.kubeconfig
        user = {"name": "it", "user": {"token": token}}
        context = {"name": "it", "context": {"cluster": "it", "user": "it"}}
        told = {"clusters": [{"name": "it", "cluster": place}], "users": [user]}
        file = self.folder / "controller.kubeconfig"
        file.write_text(json.dumps({"current-context": "it", "contexts": [context], **told}))
        return file

    def _metrics(self) -> None:
        if self.scenario.metrics == "scrape":
            return
        self.prometheus = Prometheus(self.folder / "prometheus")
        self._stack.callback(self.prometheus.close)
        if self.scenario.metrics == "edge":
            admin = self.edge.admin_url.removeprefix("http://")
            self.prometheus.set_targets([Target(admin, {"__metrics_path__": "/stats/prometheus"})])
            self.prometheus.start()
        if self.scenario.metrics == "guarded":
            self.guard = self._stack.enter_context(Proxy(self.prometheus.address))
            if self.server.account is not None:
                self._allow_secret()
            self.renew_token("first")
        if self.scenario.metrics in {"prometheus", "guarded"}:
            self.prometheus.start()
            pods = PodFollower(
                self.prometheus,
                lambda: self.cluster.list(Kind.POD, self.namespace).items,
                AddressMap.parse(ADDRESSES),
            )
            self._stack.enter_context(pods)

    def _allow_secret(self) -> None:
        """Let the controller read the one Secret, with the Role that the docs show."""
        for body in secret_rights(self.namespace):
            file = self.folder / f"{body['kind']}.json"
            file.write_text(json.dumps(body))
            self.kubectl("apply", "-f", str(file))

    def _rollout(self) -> dict[str, Any]:
        body = shop.rollout()
        policy = {**POLICY, **self.scenario.policy}
        if self.prometheus is not None:
            policy["provider"] = {"kind": "Prometheus", "address": self.prometheus.address}
        if self.scenario.metrics == "edge":
            policy["preset"] = "envoy"
        if self.guard is not None:
            ref = {"name": "prometheus", "key": self.scenario.token_key}
            policy["provider"] = {
                "kind": "Prometheus",
                "address": self.guard.address,
                "bearerToken": {"secretRef": ref},
            }
        name = "canary" if self.scenario.strategy == "canary" else "blueGreen"
        steps = {"steps": STEPS} if name == "canary" else {}
        body["spec"]["strategy"] = {name: {**steps, **TIMES, **self.scenario.spec}}
        body["spec"]["policy"] = {"inline": policy}
        body["spec"] |= self.scenario.rollout
        return body

    def deployment(self) -> dict[str, Any]:
        """The target, as its owner has written it."""
        body = shop.deployment("v1")
        if self.scenario.lingers:
            lingers = {"name": "ROLLOUT_SAMPLE_LINGER", "value": f"{self.scenario.lingers:g}"}
            body["spec"]["template"]["spec"]["containers"][0]["env"] = [lingers]
        return body

    @property
    def host(self) -> str:
        """The host that callers ask for: the Ingress's, or the Service's inside the cluster."""
        return shop.HOST if self.scenario.routed else f"web.{self.namespace}.svc"

    def _await_served(self) -> None:
        self.await_served(4)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            answer = httpx.get(self.edge.url, headers={"host": self.host}, trust_env=False)
            if answer.is_success:
                return
            time.sleep(0.05)
        raise AssertionError(f"the service did not come up: {answer.status_code} {answer.text}")

    def _come(self) -> None:
        if self.scenario.rate > 0:
            plan = Plan(self.edge.url, host=self.host, rate=self.scenario.rate, seconds=240)
            self.load = self._stack.enter_context(Load(plan))
        for host in self.scenario.others:
            plan = Plan(self.edge.url, host=host, rate=OTHERS_RATE, seconds=240)
            self.other_loads.append(self._stack.enter_context(Load(plan)))
        if self.scenario.inside > 0:
            inside = Inside(self.cluster, self.namespace, self.scenario.inside)
            self.inside = self._stack.enter_context(inside)

    def start_controller(self) -> None:
        """Start a controller process for this namespace alone."""
        arguments = [
            *("-n", self.namespace, "--kubeconfig", str(self._kubeconfig()), "controller"),
            *self.options,
            *("--pod-address-map", ADDRESSES, "--log-format", "json"),
            *("--lease-seconds", self._lease()),
        ]
        self._logged = self._log.stat().st_size if self._log.exists() else 0
        self.controller = Forked(arguments, self._log, os.environ)
        self._stack.callback(self.stop_controller)

    def _lease(self) -> str:
        """Seconds; short only where one must run out, since a short one can be lost under load.

        A held write may wait for a person's command, and a call ends with the lease.
        """
        return "4" if self.scenario.killed and not self.scenario.waits else "15"

    def stop_controller(self) -> int | None:
        """Stop it as Kubernetes does, once it runs; gives its exit code."""
        if self.controller is None:
            return None
        self._await_started(self.controller)
        end(self.controller, 10.0)
        code = self.controller.returncode
        self.controller = None
        return code

    def _await_started(self, controller: Forked) -> None:
        """Wait until it hears orders: a signal that comes while it still imports just ends it."""
        deadline = time.monotonic() + 10
        while controller.poll() is None and time.monotonic() < deadline:
            if b'"event": "started"' in self._log.read_bytes()[self._logged :]:
                return
            time.sleep(0.05)

    def kill_controller(self) -> None:
        """Kill it in the middle of whatever it does."""
        if self.controller is not None:
            self.controller.kill()
            self.killed_at.append(datetime.now(UTC))
            self.controller.wait(5.0)
            self.controller = None

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run our command line, as a person would."""
        place = ("-n", self.namespace, "--kubeconfig", str(self.server.kubeconfig))
        return run([*place, *arguments], {**os.environ, "NO_COLOR": "1"}, timeout=60)

    def kubectl(self, *arguments: str) -> None:
        """Run the real kubectl, as the user does; raises CalledProcessError when it fails."""
        command = [
            *(str(self.server.kubectl), "kubectl", "-n", self.namespace),
            *("--kubeconfig", str(self.server.kubeconfig), *arguments),
        ]
        environment = {"HOME": str(self.folder), "KUBECACHEDIR": str(self.folder / "kubectl")}
        subprocess.run(command, check=True, capture_output=True, timeout=60, env=environment)

    def create(self, body: Object) -> Object:
        """Create an object."""
        kinds = {kind.value.kind: kind for kind in Kind}
        return self.cluster.apply(Create(kinds[body["kind"]], self.namespace, body))

    def patch(self, kind: Kind, name: str, body: Any) -> Object:
        """Change an object by a merge patch."""
        return self.cluster.apply(Patch(kind, self.namespace, name, PatchType.MERGE, body))

    def apply_server_side(self, body: Object, *, force: bool = True) -> None:
        """Apply an object as its owner does who uses server-side apply.

        Without `force` it is refused where somebody else has said something else.
        """
        kinds = {kind.value.kind: kind.value for kind in Kind}
        resource = kinds[body["kind"]]
        root = f"apis/{resource.group}" if resource.group else "api"
        path = f"{root}/{resource.version}/namespaces/{self.namespace}/{resource.plural}"
        verify = ssl.create_default_context(cafile=self.server.ca_file)
        answer = httpx.patch(
            f"{self.server.url}/{path}/{body['metadata']['name']}",
            params={"fieldManager": "deploy", "force": str(force).lower()},
            content=json.dumps(body),
            headers={
                "Authorization": f"Bearer {self.server.token}",
                "Content-Type": "application/apply-patch+yaml",
            },
            verify=verify,
            trust_env=False,
            timeout=10.0,
        )
        answer.raise_for_status()

    def users(self) -> Owned:
        """What the user has said of each object of theirs, and may expect to find again."""
        return owned(self.cluster, self.namespace)

    def renew_token(self, token: str) -> None:
        """Have the guard of Prometheus ask for another token, and put it into the Secret."""
        assert self.guard is not None
        self.guard.guard.headers = {"Authorization": f"Bearer {token}"}
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "prometheus"},
            "data": {"token": b64encode(token.encode()).decode()},
        }
        if self.get(Kind.SECRET, "prometheus") is None:
            self.create(body)
        else:
            self.patch(Kind.SECRET, "prometheus", {"data": body["data"]})

    def scale(self, replicas: int) -> None:
        """Have the user ask for another size, which is theirs from then on."""
        self.patch(Kind.DEPLOYMENT, "web", {"spec": {"replicas": replicas}})
        self.before[TARGET]["spec"]["replicas"] = replicas

    def scale_down(self, replicas: int) -> None:
        """Have the user take pods away while they serve."""
        asked = time.time()
        self.scale(replicas)
        self.await_served(replicas)
        self._await_endpoints()
        self.edge.settle()
        self.scaled_down.append((asked, time.time()))

    def await_served(self, replicas: int) -> None:
        """Wait until so many pods of the target are available."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            status = self.cluster.get(Kind.DEPLOYMENT, self.namespace, "web").get("status", {})
            if status.get("availableReplicas", 0) == status.get("replicas", 0) == replicas:
                return
            time.sleep(0.05)
        raise AssertionError(f"no {replicas} pods in 30 s: {status}")

    def _await_endpoints(self) -> None:
        """Wait until no pod that was told to stop is called ready in any slice."""
        deadline = time.monotonic() + 30
        while not self._ready_endpoints() <= self._living_pods():
            assert time.monotonic() < deadline, (
                "pods that were told to stop are called ready for 30 s"
            )
            time.sleep(0.05)

    def _ready_endpoints(self) -> set[str]:
        slices = self.cluster.list(Kind.ENDPOINT_SLICE, self.namespace).items
        endpoints = [one for found in slices for one in found.get("endpoints") or ()]
        return {one["targetRef"]["name"] for one in endpoints if one["conditions"].get("ready")}

    def _living_pods(self) -> set[str]:
        pods = self.cluster.list(Kind.POD, self.namespace).items
        return {name_of(pod) for pod in pods if not is_terminating(pod)}

    def delete(self, kind: Kind, name: str) -> None:
        """Delete an object."""
        self.cluster.apply(Delete(kind, self.namespace, name))

    def get(self, kind: Kind, name: str) -> Object | None:
        """Read an object; None when it is not there."""
        try:
            return self.cluster.get(kind, self.namespace, name)
        except NotFound:
            return None

    def release(self) -> Release | None:
        """Give the newest release, as the server has it; None when there is none."""
        found = self.cluster.list(Kind.RELEASE, self.namespace).items
        newest = max(found, key=age, default=None)
        return None if newest is None else Release.model_validate(newest)

    def log(self) -> str:
        """Return the end of the controller's log."""
        return self._log.read_text()[-6000:] if self._log.exists() else ""
