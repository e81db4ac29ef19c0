"""The pages on our charts: their commands are typed, by whoever has a cluster, Helm and a checkout.

Only durations and sizes differ: where the values have minutes and fifty pods, they get seconds and
three.
"""

import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from rollout.kube.client import HttpCluster
from rollout.resources.release import Release
from rollout.resources.writes import Kind
from rollout.sandbox.agent import ADDRESS_MAP_TEXT, NodeAgent, Settings
from rollout.sandbox.edge import Edge
from rollout.sandbox.edge import Settings as EdgeSettings
from rollout.sandbox.load import Load, Plan
from rollout.sandbox.processes import end
from tests.charts.build import HELM
from tests.charts.charted import HOME
from tests.controlplane.access import Access
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.components import kubeconfig
from tests.debian import REDIS
from tests.examples.service import KEYS
from tests.examples.trees import EXAMPLE, build
from tests.foreign import install_foreign
from tests.forked import Forked
from tests.install.installed import ROOT, account_token, apply, await_policy
from tests.person import Person, blocks
from tests.sandbox.practice import until

pytestmark = [pytest.mark.controlplane, pytest.mark.system, pytest.mark.timeout(240)]
PRODUCTION: Final = "gemini-agents-prod"
DEVELOPMENT: Final = "gemini-agents-dev"
AGENT: Final = "prod-gemini-agent"
SMALL: Final[dict[str, Any]] = {
    "startupDelaySeconds": 0,
    "stopDelaySeconds": 1,
    "service": {"port": 8080},  # names lead to pods here, on the ports that they have
    "autoscaling": {"minReplicas": 2, "maxReplicas": 3},
}
QUICK: Final = {
    "strategy": {
        "canary": {"steps": [{"weight": 50, "minDuration": "1s"}], "bake": "2s", "drain": "1s"}
    },
    "policy": {"interval": "1s", "minimumRequests": 20},
}
WALKS: Final = {
    "manifests/charts/rollout/README.md": (("STATUS: deployed",),),
    "docs/helm.md": (
        ("STATUS: deployed", " leads; it renewed"),
        ("STATUS: deployed", "successfully rolled out", "Phase:          Succeeded"),
        ("STATUS: deployed", AGENT),
        ("successfully rolled out",),
    ),
    "manifests/charts/gemini-agent/README.md": (
        ("STATUS: deployed", "successfully rolled out", "Succeeded"),
    ),
}
"""What each block of each page shows, among other things; the pages in the order of the walk."""


@dataclass(frozen=True)
class Desk:
    """Somebody's desk, and the cluster."""

    person: Person
    plane: Access
    cluster: HttpCluster
    stack: ExitStack

    def types(self, script: str, said: tuple[str, ...]) -> None:
        """Have a block typed, and look at what it shows."""
        done = self.person.types(script)
        shown = done.stdout + done.stderr
        assert done.returncode == 0, f"{script}{shown}"
        assert [words for words in said if words not in shown] == [], f"{script}{shown}"

    def releases(self) -> list[Release]:
        """Give all releases in production."""
        found = self.cluster.list(Kind.RELEASE, PRODUCTION).items
        return [Release.model_validate(one) for one in found]


@pytest.fixture
def desk(
    own_control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    monkeypatch.setenv("PATH", str(REDIS.program("redis-server").parent), prepend=":")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(REDIS.libraries()), prepend=":")
    plane = own_control_plane.access
    person = Person.at(tmp_path / "desk", plane.program)
    helm = person.folder / "bin" / "helm"
    helm.write_text(f'#!/bin/sh\nexec {shlex.quote(str(HELM.path))} "$@"\n')
    helm.chmod(0o755)
    person.environment["KUBECONFIG"] = str(plane.kubeconfig)
    shutil.copytree(ROOT / "manifests", person.folder / "manifests", symlinks=True)
    charts = person.folder / "manifests" / "charts" / "gemini-agent"
    nearby = {"enabled": False, "host": "redis-master"}  # in place of the cloud's
    change(charts / "values-production.yaml", {**SMALL, "rollout": QUICK, "redis": nearby})
    change(charts / "values-development.yaml", SMALL)
    install_foreign(plane)
    url, ca = plane.url, str(plane.ca_file)
    with ExitStack() as stack, HttpCluster.for_server(url, plane.token(), ca) as cluster:
        yield Desk(person, plane, cluster, stack)


def change(file: Path, values: Mapping[str, Any]) -> None:
    """Put other values into a file of values."""
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **values}))


def test_every_command_of_the_pages_does_what_it_says(desk: Desk, tmp_path: Path) -> None:
    installing, page, developing = (
        list(zip(blocks(ROOT / name), said, strict=True)) for name, said in WALKS.items()
    )
    for block in installing:
        desk.types(*block)
    await_policy(desk.plane)
    start_controller(desk, tmp_path)
    controller, service, version, waiting = page
    desk.types(*controller)
    be_the_cloud(desk, tmp_path)
    desk.types(*service)
    call(desk)
    desk.types(*version)
    desk.types(*waiting)
    assert serving(desk).endswith(":v1.2.4")
    assert len(desk.releases()) == 1
    desk.stack.enter_context(NodeAgent(desk.cluster, Settings("node-dev", DEVELOPMENT)))
    for block in developing:
        desk.types(*block)


def start_controller(desk: Desk, folder: Path) -> None:
    """Run it, with its account: no kubelet runs the pods of its Deployment."""
    tokens = {"controller": account_token(desk.plane)}
    url, ca_file = desk.plane.url, desk.plane.ca_file
    file = folder / "controller.kubeconfig"
    file.write_text(kubeconfig(url=url, ca_file=ca_file, tokens=tokens, user="controller"))
    words = ["--kubeconfig", str(file), "controller", "--pod-address-map", ADDRESS_MAP_TEXT]
    process = Forked([*words, "--lease-namespace", HOME], folder / "controller.log", os.environ)
    desk.stack.callback(end, process, 10.0)
    until(lambda: leads(desk), "it leads", 60)


def leads(desk: Desk) -> bool:
    found = desk.cluster.list(Kind.LEASE, HOME).items
    return any((lease.get("spec") or {}).get("holderIdentity") for lease in found)


def be_the_cloud(desk: Desk, folder: Path) -> None:
    """Have what production finds: a node, the Secret that an operator writes, a rented Redis."""
    metadata = {"name": f"{AGENT}-secrets", "namespace": PRODUCTION}
    keys = dict.fromkeys(KEYS, "given by the cloud")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": keys}
    desk.plane.kubectl("create", "namespace", PRODUCTION)
    desk.stack.enter_context(NodeAgent(desk.cluster, Settings("node-prod", PRODUCTION)))
    rented = folder / "rented"
    rented.mkdir()
    component = os.path.relpath(EXAMPLE / "components" / "redis", rented)
    kustomization = {"namespace": PRODUCTION, "components": [component]}
    (rented / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    apply(desk.plane, [secret, *build(desk.plane.program, rented)])


def call(desk: Desk) -> None:
    """Have people use the service: what the release is judged by."""
    edge = desk.stack.enter_context(Edge(desk.cluster, EdgeSettings(namespace=PRODUCTION)))
    plan = Plan(edge.url, host="api.example.com", rate=80, seconds=150)
    desk.stack.enter_context(Load(plan))


def serving(desk: Desk) -> str:
    """Give the image that the Deployment asks for, which has been rolled out."""
    target = desk.cluster.get(Kind.DEPLOYMENT, PRODUCTION, AGENT)
    (container,) = target["spec"]["template"]["spec"]["containers"]
    return str(container["image"])
