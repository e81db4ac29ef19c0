"""The whole way: the image prints the installation, one apply takes it, and its pods do the work.

On a control plane of its own, because a controller of all namespaces would meddle with the others'.
"""

import json
import os
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest

from rollout.kube.client import HttpCluster
from rollout.resources.writes import Create, Kind, Object, Patch, PatchType
from rollout.sandbox.agent import NodeAgent
from rollout.sandbox.agent import Settings as AgentSettings
from tests import shop
from tests.controlplane.access import Access
from tests.controlplane.cluster import ControlPlane
from tests.install.image import Image, build
from tests.install.installed import ACCOUNT
from tests.install.pods import Pod
from tests.person import Person, command

pytestmark = [pytest.mark.system, pytest.mark.controlplane, pytest.mark.timeout(1200)]
SYSTEM = "rollout-system"
RUN = "/run/admin"
SHOP = "shop"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """As the page has Docker make it: what the Dockerfile says is done without one."""
    *build_it, tag, context = shlex.split(command("docs/install.md", "docker build"))
    assert (build_it, context) == (["docker", "build", "-t"], ".")
    assert f"--image {tag} " in command("docs/install.md", "rollout install --image")
    return build(tmp_path_factory.mktemp("image"))


@pytest.fixture
def plane(own_control_plane: ControlPlane) -> Access:
    return own_control_plane.access


@pytest.fixture
def cluster(plane: Access) -> Iterator[HttpCluster]:
    found = HttpCluster.for_server(plane.url, plane.token(), str(plane.ca_file))
    yield found
    found.close()


class Kubelet:
    """Starts pods on a thread that outlives them: they end with the one that started them."""

    def __init__(self) -> None:
        self._starter = ThreadPoolExecutor(1)
        self._pods: list[Pod] = []

    def start(self, pod: Pod) -> None:
        self._starter.submit(pod.start).result(timeout=30)
        self._pods.append(pod)

    def close(self) -> None:
        for pod in self._pods:
            pod.stop()
        self._starter.shutdown()


@pytest.fixture
def kubelet() -> Iterator[Kubelet]:
    kubelet = Kubelet()
    yield kubelet
    kubelet.close()


def until(claim: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := claim()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)
    return found


def rollout(plane: Access, image: Image, shown: str) -> Any:
    """Run `rollout ... | kubectl ...` as a page shows it, with the command line of the image."""
    ours, _, theirs = shown.partition(" | ")
    printed = image.run(*shlex.split(ours))
    assert printed.returncode == 0, printed.stderr
    return plane.kubectl(*shlex.split(theirs)[1:], stdin=printed.stdout, timeout=120)


def kubectl(plane: Access, shown: str) -> str:
    """Run `kubectl ...` as a page shows it."""
    return plane.kubectl(*shlex.split(shown)[1:], timeout=60).stdout


def admitted(cluster: HttpCluster) -> tuple[Object, ...]:
    return cluster.list(Kind.POD, SYSTEM, "app.kubernetes.io/name=rollout-controller").items


def run_pods(plane: Access, image: Image, cluster: HttpCluster, kubelet: Kubelet) -> list[Pod]:
    """Start the pods that the ReplicaSet was allowed to make, and report them ready."""
    specs = until(lambda: len(found := admitted(cluster)) == 2 and found, "two pods admitted")
    pods = [Pod(plane, image, spec, number) for number, spec in enumerate(specs, start=1)]
    for pod in pods:
        kubelet.start(pod)
    for pod in pods:
        until(pod.is_ready, f"{pod.name} ready")
        conditions = [{"type": kind, "status": "True"} for kind in ("Ready", "ContainersReady")]
        status = {"status": {"phase": "Running", "conditions": conditions}}
        cluster.apply(Patch(Kind.POD, SYSTEM, pod.name, PatchType.MERGE, status, "status"))
    return pods


def check_pods(plane: Access, image: Image, pods: list[Pod]) -> None:
    """They run as the image's user, and are found well; less restricted ones are not let in."""
    asked = {pod.run_as for pod in pods}
    assert asked == {int(image.stage.user.partition(":")[0])}
    assert {pod.uid() for pod in pods} == (asked if os.geteuid() == 0 else {os.geteuid()})
    assert all(pod.probe("liveness").is_success for pod in pods)
    check = [
        word.replace("127.0.0.1", pods[0].address) for word in image.stage.words["HEALTHCHECK"]
    ]
    assert image.run(*check).returncode == 0
    loose = plane.kubectl("run", "loose", "--image=x", "-n", SYSTEM, check=False)
    assert 'violates PodSecurity "restricted:latest"' in loose.stderr


def leader(cluster: HttpCluster, pods: list[Pod]) -> Pod | None:
    """Who the Lease says leads; all pods have the name of this machine, so the log tells."""
    holder = cluster.get(Kind.LEASE, SYSTEM, "rollout-controller")["spec"]["holderIdentity"]
    return next((pod for pod in pods if holder and holder in pod.log()), None)


def open_shop(cluster: HttpCluster) -> None:
    cluster.apply(Create(Kind.NAMESPACE, "", {"metadata": {"name": SHOP}}))
    until(lambda: cluster.list(Kind.SERVICE_ACCOUNT, SHOP).items, "pods can be created")


def create(cluster: HttpCluster, *bodies: Object) -> None:
    kinds = {kind.value.kind: kind for kind in Kind}
    for body in bodies:
        cluster.apply(Create(kinds[body["kind"]], SHOP, body))


def ask(plane: Access, pod: Pod, user: str, path: str, **body: str) -> httpx.Response:
    """Ask something of a pod's HTTP API as somebody."""
    return httpx.post(
        f"http://{pod.address}:8080/api/v1/namespaces/{SHOP}/{path}",
        json=body,
        headers={"Authorization": f"Bearer {plane.token(user)}"},
        trust_env=False,
        timeout=20.0,
    )


def status(cluster: HttpCluster, name: str) -> Object:
    found: Object = cluster.get(Kind.RELEASE, SHOP, name).get("status") or {}
    return found


def weight(cluster: HttpCluster, name: str) -> int:
    return int((status(cluster, name).get("weight") or {}).get("applied", 0))


def test_installed_by_one_apply_its_pods_ship_and_take_over(
    plane: Access, image: Image, cluster: HttpCluster, kubelet: Kubelet, tmp_path: Path
) -> None:
    since = plane.audit_position()
    shown = command("docs/install.md", "rollout install --image")
    assert shown == command("README.md", "rollout install --image")
    applied = rollout(plane, image, shown)
    assert applied.stderr == "", "no warning, of Pod Security or other"
    pods = run_pods(plane, image, cluster, kubelet)
    shown = kubectl(
        plane, command("docs/install.md", "kubectl --namespace rollout-system rollout status")
    )
    assert "successfully rolled out" in shown
    check_pods(plane, image, pods)
    first = until(lambda: leader(cluster, pods), "one leads")
    kubectl(plane, command("docs/install.md", "kubectl --namespace rollout-system get lease"))
    (second,) = [pod for pod in pods if pod is not first]

    open_shop(cluster)
    with NodeAgent(cluster, AgentSettings(namespace=SHOP)):
        create(cluster, *shop.objects())
        served = ("wait", "--for=condition=Available", "deployment/web", "--timeout=30s")
        plane.kubectl(*served, namespace=SHOP, timeout=40)
        started = ask(plane, second, "admin", "rollouts/web/releases", version="v2")
        assert started.status_code == HTTPStatus.CREATED, started.text
        name = started.json()["release"]["metadata"]["name"]
        until(lambda: weight(cluster, name) == 20, "the first step is reached")

        assert first.stop() == 0, first.log()
        until(lambda: leader(cluster, pods) is second, "the other one leads", 10)
        on_call = "--clusterrole=rollout-on-call"
        who = ("--user=bob", "--serviceaccount=default:on-call")
        plane.kubectl("create", "serviceaccount", "on-call")
        plane.kubectl("create", "rolebinding", "on-call", on_call, *who, namespace=SHOP)
        goes_back(plane, second, tmp_path)
        refused = ask(plane, second, "bob", f"releases/{name}/actions", type="promote")
        assert refused.status_code == HTTPStatus.FORBIDDEN
        until(lambda: status(cluster, name).get("phase") == "RolledBack", "rolled back")
        action = cluster.get(Kind.RELEASE, SHOP, name)["spec"]["action"]
        by = "system:serviceaccount:default:on-call"
        assert (action["type"], action["by"]) == ("rollback", by)
    assert second.stop() == 0, second.log()

    ours = [call for call in plane.audit(since) if call.user == ACCOUNT]
    assert ours
    assert [call for call in ours if call.code == HTTPStatus.FORBIDDEN] == []
    remove(plane, image, cluster)


def goes_back(plane: Access, pod: Pod, folder: Path) -> None:
    """Type what the page on commands shows for somebody without a kubeconfig, as soon as it may."""
    person = Person.at(folder / "desk", plane.program)
    person.environment["KUBECONFIG"] = str(plane.kubeconfig)
    door, back = command("docs/cli.md", "export"), command("docs/cli.md", "rollout rollback")
    script = f"{door}\n{back}"
    for theirs, ours in (
        ("https://rollout.example.com", f"http://{pod.address}:8080"),
        ("checkout", "web"),
    ):
        assert theirs in script
        script = script.replace(theirs, ours)
    until(lambda: person.types(script).returncode == 0, "allowed")


def remove(plane: Access, image: Image, cluster: HttpCluster) -> None:
    """What users had is there as before, and nothing of ours."""
    shown = shlex.split(command("docs/install.md", "rollout uninstall --yes"))
    folder = administrators(plane, image.folder.parent / "admin")
    run = image.command([*shown, "--kubeconfig", f"{RUN}/kubeconfig"], {}, {RUN: folder})
    done = subprocess.run(run, check=False, timeout=120, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    kinds = cluster.list(Kind.CUSTOM_RESOURCE_DEFINITION).items
    assert [kind for kind in kinds if kind["spec"]["group"] == "rollout.dev"] == []
    service = cluster.get(Kind.SERVICE, SHOP, "web")
    assert service["spec"]["selector"] == shop.service()["spec"]["selector"]
    assert "paused" not in cluster.get(Kind.DEPLOYMENT, SHOP, "web")["spec"]


def administrators(plane: Access, folder: Path) -> Path:
    """A folder with a kubeconfig that the image's user may read."""
    folder.mkdir(mode=0o755)
    (folder / "ca.crt").write_bytes(plane.ca_file.read_bytes())
    place = {"server": plane.url, "certificate-authority": "ca.crt"}
    config = {
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": place}],
        "users": [{"name": "it", "user": {"token": plane.token()}}],
    }
    (folder / "kubeconfig").write_text(json.dumps(config))
    return folder


def test_nothing_can_be_written_and_nobody_is_at_home(image: Image) -> None:
    for place in ("/", "/tmp", "/run", "/var/tmp", "/opt/rollout"):  # noqa: S108 - not ours
        assert "Read-only file system" in image.run("touch", f"{place}/x").stderr
    assert "HOME" not in image.run("env").stdout
    assert "CapBnd:\t0000000000000000" in image.run("cat", "/proc/self/status").stdout


def test_there_is_no_tool_to_build_or_install_with(image: Image) -> None:
    left = {path.name for path in (image.folder / "rollout").rglob("*")}
    assert not {"pip", "hatchling", "setuptools"} & left
    assert not list((image.folder / "rollout").rglob("*.whl"))
    assert (image.folder / "rollout" / "bin" / "rollout").exists()


def test_the_health_check_fails_while_nothing_listens(image: Image) -> None:
    done = image.run(*image.stage.words["HEALTHCHECK"])
    assert done.returncode == 1
    assert "refused" in done.stderr
