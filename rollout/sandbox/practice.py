"""The practice cluster as a whole: API server, pods as processes, the edge, and the controller.

The parts meet only at the Kubernetes API over HTTP; this module starts them in order and stops
them in reverse.
"""

import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from rollout.kube.client import HttpCluster
from rollout.kube.errors import AlreadyExists
from rollout.resources.crd import definitions
from rollout.resources.writes import Create, Kind, Object
from rollout.sandbox.agent import NodeAgent
from rollout.sandbox.agent import Settings as AgentSettings
from rollout.sandbox.apiserver import ApiServer
from rollout.sandbox.edge import Edge
from rollout.sandbox.edge import Settings as EdgeSettings
from rollout.sandbox.processes import Program, end, start_bound

START_SECONDS: Final = 30.0
STARTED: Final = re.compile(r'"api": "(http[^"]+)".*"event": "started"')
"""The line of the controller's log that names where its API is."""

ADDRESSES: Final = "10.244.0.0/16=127.244.0.0/16"


@dataclass(frozen=True)
class Ports:
    """Where the practice cluster listens on 127.0.0.1; 0 takes any free port."""

    api: int = 0
    edge: int = 0
    server: int = 0


class PracticeCluster:
    """A cluster on this machine. Use as a context manager."""

    def __init__(
        self,
        folder: Path | None = None,
        ports: Ports | None = None,
        *,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Prepare it. `folder` keeps the kubeconfig and the logs; `tell` hears what starts."""
        self._ports = ports or Ports()
        self._tell = tell
        self._stack = ExitStack()
        self._given = folder
        self._controller: Program | None = None
        self._log_began = 0
        self.folder: Path
        self.server: ApiServer
        self.cluster: HttpCluster
        self.edge: Edge

    @property
    def kubeconfig(self) -> Path:
        """The file with which kubectl and rollout reach this cluster."""
        return self.folder / "kubeconfig"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="rollout-sandbox-")
        self._stack.callback(temporary.cleanup)
        self.folder = self._given or Path(temporary.name)
        (self.folder / "pods").mkdir(parents=True, exist_ok=True)
        self._tell("starting the API server")
        self.server = self._stack.enter_context(ApiServer(port=self._ports.api))
        self.server.write_kubeconfig(self.kubeconfig)
        self.cluster = HttpCluster.for_server(self.server.url, self.server.token)
        self._stack.callback(self.cluster.close)
        self.apply(definitions())
        self._tell("starting the node agent, which runs pods as processes")
        agent = NodeAgent(self.cluster, AgentSettings(logs=self.folder / "pods"))
        self._stack.enter_context(agent)
        self._tell("starting the edge, a real Envoy")
        settings = EdgeSettings(port=self._ports.edge)
        self.edge = self._stack.enter_context(Edge(self.cluster, settings))

    def apply(self, objects: Iterable[Object], namespace: str = "default") -> None:
        """Create objects that are not there yet."""
        kinds = {kind.value.kind: kind for kind in Kind}
        for body in objects:
            try:
                self.cluster.apply(Create(kinds[body["kind"]], namespace, body))
            except AlreadyExists:
                continue

    def start_controller(self, *options: str) -> None:
        """Run the controller as a process of its own, as in a real cluster."""
        self._tell("starting the controller")
        command = [
            *(sys.executable, "-m", "rollout", "--kubeconfig", str(self.kubeconfig)),
            *("controller", "--pod-address-map", ADDRESSES, "--log-format", "json"),
            *("--api-port", str(self._ports.server), *options),
        ]
        self._log_began = self._log.stat().st_size if self._log.exists() else 0
        self._controller = start_bound(command, self._log)
        self._stack.callback(self.stop_controller)

    @property
    def controller(self) -> Program | None:
        """The controller's process, None when there is none."""
        return self._controller

    def api_url(self) -> str:
        """Where the controller serves its HTTP API, once it does. Raises TimeoutError."""
        end_of_patience = time.monotonic() + START_SECONDS
        while time.monotonic() < end_of_patience:
            said = self._log.read_bytes()[self._log_began :].decode() if self._controller else ""
            if found := STARTED.search(said):
                return found[1]
            time.sleep(0.05)
        raise TimeoutError(f"the controller did not start in {START_SECONDS:g} s: see {self._log}")

    @property
    def _log(self) -> Path:
        return self.folder / "controller.log"

    def stop_controller(self) -> None:
        """Stop it as Kubernetes would."""
        if self._controller is not None:
            end(self._controller)
            self._controller = None

    def shop(self, kind: Kind, name: str) -> Object:
        """Read an object of the default namespace."""
        return self.cluster.get(kind, "default", name)
