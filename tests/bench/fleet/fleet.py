"""Many services on one real control plane, with one controller process and one Prometheus."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Final, Self

import httpx

from rollout.commands.actions import new_action, submit
from rollout.daemon import utc_now
from rollout.kube.client import HttpCluster
from rollout.resources.action import ActionType
from rollout.resources.crd import definitions
from rollout.resources.objects import name_of, namespace_of
from rollout.resources.release import Phase, Release
from rollout.resources.words import API_VERSION
from rollout.resources.writes import Create, Kind, Object
from rollout.sandbox.processes import Program, end, start_bound
from tests import build
from tests.bench.fleet.exporter import Exporter
from tests.bench.fleet.node import Node, sides
from tests.controlplane.cluster import ControlPlane
from tests.prometheus.config import Target
from tests.prometheus.server import Prometheus

PEOPLE: Final = 8
"""Connections from which commands come at once."""
INTERVAL: Final = 5.0
"""Seconds between two readings of metrics, as on the bench of the others."""
HOLD: Final = 10.0
"""Seconds of each step, and of the bake."""
WEIGHTS: Final = (10, 50)
PATIENCE: Final = 600.0

CONFIG: Final[dict[str, Any]] = {
    "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
}


class Fleet:
    """So many services, ten to a namespace. Use it as a context manager."""

    def __init__(
        self,
        count: int,
        per_namespace: int = 10,
        controller: tuple[str, ...] = (),
        hold: float = HOLD,
    ) -> None:
        """Prepare it; `controller` are further arguments of the controller process."""
        self.services = [(f"team-{i // per_namespace}", f"app-{i}") for i in range(count)]
        self._arguments = controller
        self._hold = f"{hold:g}s"
        self._stack = ExitStack()
        self.plane: ControlPlane
        self.exporter: Exporter
        self.prometheus: Prometheus
        self.controller: Program
        self.log: Path
        self.kubeconfig: Path

    def __enter__(self) -> Self:
        try:
            self._raise()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _raise(self) -> None:
        enter = self._stack.enter_context
        folder = Path(enter(TemporaryDirectory(prefix="rollout-fleet-")))
        self.plane = enter(ControlPlane(parent=folder))
        self.people = enter(ThreadPoolExecutor(PEOPLE, "people"))
        self.cluster = enter(self._client())
        node = enter(Node(enter(self._client())))
        self.exporter = enter(Exporter(lambda: sides(node.pods)))
        self.prometheus = self._prometheus(folder)
        self._install()
        self.each(self._create)
        self.await_all("available", self._available)
        self.log = folder / "controller.log"
        starter = enter(ThreadPoolExecutor(1, "programs"))
        self.controller = starter.submit(start_bound, self._command(folder), self.log).result()
        self._stack.callback(end, self.controller, 20.0)

    def _client(self) -> HttpCluster:
        access = self.plane.access
        return HttpCluster.for_server(access.url, access.token(), str(access.ca_file))

    def _prometheus(self, folder: Path) -> Prometheus:
        targets = folder / "prometheus" / "targets.yml"
        job = {
            "job_name": "fleet",
            "honor_labels": True,
            "file_sd_configs": [{"files": [str(targets)], "refresh_interval": "1s"}],
        }
        server = Prometheus(folder / "prometheus", {**CONFIG, "scrape_configs": [job]})
        self._stack.callback(server.close)
        server.start()
        server.set_targets([Target(self.exporter.address)])
        return server

    def _command(self, folder: Path) -> list[str]:
        access = self.plane.access
        self.kubeconfig = access.write_kubeconfig(folder / "kubeconfig", user="controller")
        return [
            *(sys.executable, "-m", "rollout", "--kubeconfig", str(self.kubeconfig), "controller"),
            *("--log-format", "json", "--log-level", "warning", *self._arguments),
        ]

    def _install(self) -> None:
        for body in definitions():
            self.cluster.apply(Create(Kind.CUSTOM_RESOURCE_DEFINITION, "", body))
        self.plane.kubectl("wait", "--for=condition=Established", "crd", "--all")
        self.plane.kubectl(
            *("create", "clusterrolebinding", "controller"),
            *("--clusterrole=cluster-admin", "--user=controller"),
        )
        for space in sorted({space for space, _ in self.services}):
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}
            self.cluster.apply(Create(Kind.NAMESPACE, "", body))

    def _create(self, space: str, name: str) -> None:
        ingress = build.ingress(name, name)
        ingress["spec"]["rules"][0]["host"] = f"{name}.example.com"
        kinds = {kind.value.kind: kind for kind in Kind}
        for body in (
            build.deployment(name, replicas=2),
            build.service(name, {"app": name}),
            ingress,
            self._rollout(name),
        ):
            self.cluster.apply(Create(kinds[body["kind"]], space, body))

    def _rollout(self, name: str) -> Object:
        policy = {
            "interval": f"{INTERVAL:g}s",
            "minimumRequests": 50,
            "shareTolerance": 1,
            "metrics": [{"name": "errors", "kind": "Ratio"}],
            "provider": {"kind": "Prometheus", "address": self.prometheus.address},
        }
        steps = [{"weight": weight, "minDuration": self._hold} for weight in WEIGHTS]
        times = {"bake": self._hold, "drain": "1s", "progressDeadline": "600s"}
        spec = {
            "target": {"deployment": name},
            "strategy": {"canary": {"steps": steps, **times}},
            "policy": {"inline": policy},
        }
        kind = {"apiVersion": API_VERSION, "kind": "Rollout", "metadata": {"name": name}}
        return {**kind, "spec": spec}

    def each(
        self, call: Callable[[str, str], None], services: Sequence[tuple[str, str]] | None = None
    ) -> None:
        """Have people do something to every service (or to some), all at once."""
        chosen = self.services if services is None else services
        list(self.people.map(lambda service: call(*service), chosen))

    def start(self, version: str) -> None:
        """Ask for a release of every service."""

        def ask(space: str, name: str) -> None:
            metadata = {"name": f"{name}-{version}"}
            kind = {"apiVersion": API_VERSION, "kind": "Release", "metadata": metadata}
            body = {**kind, "spec": {"rollout": name, "version": version}}
            self.cluster.apply(Create(Kind.RELEASE, space, body))

        self.each(ask)

    def act(self, version: str, type_: ActionType, services: Sequence[tuple[str, str]]) -> None:
        """Ask something of the releases of some services, all at once."""

        def ask(space: str, name: str) -> None:
            action = new_action(type_, "bench", "", utc_now())
            submit(self.cluster, space, f"{name}-{version}", action)

        self.each(ask, services)

    def releases(self, version: str) -> list[Release]:
        """Read every release of a version."""
        found = self.cluster.list(Kind.RELEASE).items
        mine = [one for one in found if name_of(one).endswith(f"-{version}")]
        return [Release.model_validate(one) for one in mine]

    def await_phase(self, version: str, *phases: Phase) -> None:
        """Wait until every release of a version is in one of these phases."""

        def holds() -> int:
            return sum(one.status.phase in phases for one in self.releases(version))

        self.await_all(" or ".join(phases), holds)

    def await_weight(self, version: str, weight: int) -> None:
        """Wait until every release of a version has this share."""

        def holds() -> int:
            return sum(one.status.weight.applied == weight for one in self.releases(version))

        self.await_all(f"weight {weight}", holds)

    def await_all(self, what: str, holds: Callable[[], int]) -> None:
        """Wait until something holds for every service. Raises TimeoutError with the log."""
        deadline = time.monotonic() + PATIENCE
        while (count := holds()) < len(self.services):
            if time.monotonic() > deadline:
                log = self.log.read_text()[-3000:] if hasattr(self, "log") else ""
                raise TimeoutError(f"only {count} of {len(self.services)}: {what}\n{log}")
            time.sleep(0.5)

    def _available(self) -> int:
        found = self.cluster.list(Kind.DEPLOYMENT).items
        mine = {(namespace_of(one), name_of(one)): one.get("status") or {} for one in found}
        return sum(mine.get(one, {}).get("availableReplicas", 0) == 2 for one in self.services)

    def queries(self) -> float:
        """Count the queries that Prometheus has answered."""
        text = httpx.get(f"{self.prometheus.address}/metrics", timeout=5, trust_env=False).text
        return sum(
            float(line.rpartition(" ")[2])
            for line in text.splitlines()
            if line.startswith("prometheus_http_requests_total") and "/api/v1/query" in line
        )

    def memory(self) -> float:
        """Give the controller's resident memory, in MB."""
        with Path(f"/proc/{self.controller.pid}/statm").open() as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def cpu(self) -> float:
        """Give the CPU time that the controller has used, in seconds."""
        with Path(f"/proc/{self.controller.pid}/stat").open() as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
