"""A control plane with the kinds of three projects, a namespace with pods and an edge, a person."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from rollout.kube.client import HttpCluster
from rollout.resources.crd import definitions
from rollout.resources.writes import Kind
from rollout.sandbox.agent import ADDRESS_MAP_TEXT, NodeAgent, Settings
from rollout.sandbox.edge import Edge
from rollout.sandbox.edge import Settings as EdgeSettings
from rollout.sandbox.load import Load, Plan
from rollout.sandbox.processes import end, start_bound
from tests.controlplane.access import Access
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.components import Component
from tests.convert.kinds import define
from tests.convert.upstream import ARGO, FLAGGER, folder
from tests.forked import Forked
from tests.person import Person
from tests.programs.program import Program
from tests.raised import Raised

SPACE: Final = "shop"
RATE: Final = 50
SECONDS: Final = 200.0
HEADER: Final = re.compile(r"^to move \w+ shop/(\S+) without downtime", re.MULTILINE)
COUNTS: Final = "-o jsonpath='{.spec.replicas}'"
HASH: Final = "rollouts-pod-template-hash"


def theirs() -> Iterator[dict[str, Any]]:
    """The kinds of Argo Rollouts and of Flagger."""
    for file in sorted((folder(ARGO) / "manifests/crds").glob("*-crd.yaml")):
        yield yaml.safe_load(file.read_text())
    yield from yaml.safe_load_all((folder(FLAGGER) / "artifacts/flagger/crd.yaml").read_text())


class Ground(Raised):
    """Where services are moved. Use as a context manager."""

    def __init__(self, place: Path, kubectl: Path) -> None:
        super().__init__()
        self.folder = place
        self.person = Person.at(place / "desk", kubectl)
        self.plane = ControlPlane()
        self.cluster: HttpCluster
        self.edge: Edge

    @property
    def access(self) -> Access:
        """How the control plane is reached."""
        return self.plane.access

    def _start(self) -> None:
        plane = self._stack.enter_context(self.plane)
        with self.access.client() as client:
            define(client, *definitions(), *theirs())
            body = {"metadata": {"name": SPACE}}
            client.post("/api/v1/namespaces", json=body).raise_for_status()
        # The collector of garbage looks for new kinds every 30 s, and once at its start.
        plane.restart(Component.CONTROLLER_MANAGER)
        self.person.environment["KUBECONFIG"] = str(self.access.kubeconfig)
        self.person.environment["ROLLOUT_POD_ADDRESS_MAP"] = ADDRESS_MAP_TEXT
        self.cluster = HttpCluster.for_server(
            self.access.url, self.access.token(), str(self.access.ca_file)
        )
        self._stack.callback(self.cluster.close)
        self._stack.enter_context(NodeAgent(self.cluster, Settings("node", SPACE)))
        self.edge = self._stack.enter_context(Edge(self.cluster, EdgeSettings(namespace=SPACE)))
        words = ["--kubeconfig", str(self.access.kubeconfig), "-n", SPACE, "controller"]
        log = self.folder / "controller.log"
        controller = Forked(words, log, self.person.environment)
        self._stack.callback(end, controller, 10.0)

    def runs(self, program: Program, *options: str) -> None:
        """Have their controller run."""
        command = [str(program.path), *options, f"--kubeconfig={self.access.kubeconfig}"]
        log = self.folder / f"{program.name}.log"
        self._stack.callback(end, start_bound(command, log))

    def applies(self, name: str, bodies: Sequence[dict[str, Any]]) -> None:
        """Have the user write manifests, and apply them."""
        for body in bodies:
            body["metadata"]["namespace"] = SPACE
        folder = self.person.folder / "manifests"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.yaml").write_text(yaml.safe_dump_all(bodies))
        self.types(f"kubectl apply -f manifests/{name}.yaml")

    def types(self, command: str) -> str:
        """Have a command typed, which must go well; gives what it said."""
        done = self.person.types(command)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}\n{self.told()}"
        return done.stdout + done.stderr

    def until(self, holds: Callable[[], object], what: str, seconds: float = 60.0) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"not in {seconds:g} s: {what}\n{self.told()}"
            time.sleep(0.2)

    def called(self, host: str) -> Load:
        """Have callers come, from when the host answers until the end."""
        headers = {"host": host}

        def answers() -> bool:
            return httpx.get(self.edge.url, headers=headers, trust_env=False).is_success

        self.until(answers, f"{host} answers")
        plan = Plan(self.edge.url, host=host, rate=RATE, seconds=SECONDS)
        return self._stack.enter_context(Load(plan))

    def converted(self) -> dict[str, list[str]]:
        """Have the manifests converted; gives the printed commands, by what they move."""
        script = "rollout convert -f manifests > converted.yaml 2> next.txt || test $? = 7"
        self.types(script)
        _, *parts = HEADER.split((self.person.folder / "next.txt").read_text())
        lines = [part.splitlines() for part in parts[1::2]]
        found = [[one.strip() for one in part if one.startswith("  ")] for part in lines]
        commands = [[one for one in part if not one.startswith("#")] for part in found]
        return dict(zip(parts[::2], commands, strict=True))

    def moves(self, name: str, commands: Sequence[str]) -> None:
        """Type the printed commands as somebody does who reads what is said at each."""
        count = ""
        for command in commands:
            filled = command.replace("COUNT", count)
            if "jsonpath='{.spec.selector}'" in command:
                self.until(lambda: HASH not in self.types(filled), f"{HASH} is gone")  # noqa: B023
            if command.startswith("kubectl delete rollouts.argoproj.io"):
                assert HASH not in self.selector(name), "its pods go, and callers with them"
            said = self.types(filled)
            count = said.strip() if COUNTS in command else count

    def names(self, plural: str) -> set[str]:
        """Name the objects of a kind."""
        return set(self.types(f"kubectl get {plural} -n {SPACE} -o name").split())

    def selector(self, name: str) -> dict[str, str]:
        """What a Service selects."""
        found: dict[str, str] = self.cluster.get(Kind.SERVICE, SPACE, name)["spec"]["selector"]
        return found

    def told(self) -> str:
        """What is known when something went wrong."""
        shown = ("get", "pods,replicasets,deployments,services,endpointslices", "-o", "wide")
        found = self.access.kubectl(*shown, namespace=SPACE, check=False)
        logs = [file.read_text()[-3000:] for file in sorted(self.folder.glob("*.log"))]
        return "\n".join([found.stdout, *logs])
