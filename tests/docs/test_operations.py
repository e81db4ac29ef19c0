"""What the page on operations says that people need to be allowed is enough, on a real cluster."""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from rollout.commands.doctor.rights import OF_A_PERSON, START
from rollout.kube.client import HttpCluster
from rollout.kube.errors import ClusterError
from rollout.resources.writes import Create, Kind
from rollout.sandbox.agent import NodeAgent, Settings
from tests import build
from tests.controlplane.access import Access
from tests.defined import define
from tests.sandbox.practice import until

pytestmark = [pytest.mark.system, pytest.mark.controlplane, pytest.mark.timeout(90)]
PAGE: Final = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
TABLE: Final = PAGE.partition("## What you may need to be allowed")[2].partition("\n## ")[0]


def rules() -> list[dict[str, Any]]:
    """The rules of a Role, from the table."""
    found = list[dict[str, Any]]()
    for row in re.findall(r"^\| (?!command|---)[^|]+ \| ([^|]+) \|", TABLE, re.MULTILINE):
        for clause in row.split(";"):
            verbs, _, resources = clause.partition(" on ")
            for resource in re.findall(r"`([^`]+)`", resources.partition(", and to read")[0]):
                whole, _, part = resource.partition("/")
                plural, _, group = (part or whole).partition(".")
                name = f"{whole}/{plural}" if part else plural
                rule = {"apiGroups": [group], "resources": [name]}
                found.append({**rule, "verbs": re.findall(r"`(\w+)`", verbs)})
    return found


def reading() -> list[dict[str, Any]]:
    """The rules of a Role for what `rollout start` reads."""
    return [
        {"apiGroups": [right.group], "resources": [right.resource], "verbs": right.verbs}
        for right in OF_A_PERSON
        if right.purpose == START and set(right.verbs) <= {"get", "list"}
    ]


@pytest.fixture
def service(control_plane: Access, namespace: str, tmp_path: Path) -> Iterator[list[str]]:
    """A service that runs, and how carol, who has just these rights, is."""
    url, ca = control_plane.url, str(control_plane.ca_file)
    group = "rbac.authorization.k8s.io"
    role = {"kind": "Role", "apiVersion": f"{group}/v1", "metadata": {"name": "ops"}}
    binding = {
        **role,
        "kind": "RoleBinding",
        "roleRef": {"kind": "Role", "name": "ops", "apiGroup": group},
        "subjects": [{"kind": "User", "name": "carol", "apiGroup": group}],
    }
    with control_plane.client() as client:
        at = f"/apis/{group}/v1/namespaces/{namespace}"
        client.post(
            f"{at}/roles", json={**role, "rules": [*rules(), *reading()]}
        ).raise_for_status()
        client.post(f"{at}/rolebindings", json=binding).raise_for_status()
    settings = Settings(
        node=f"node-{namespace}", namespace=namespace, tls=control_plane.kubelet_tls
    )
    with HttpCluster.for_server(url, control_plane.token(), ca) as cluster:
        define(cluster)
        cluster.apply(Create(Kind.DEPLOYMENT, namespace, build.deployment(replicas=1)))
        cluster.apply(Create(Kind.SERVICE, namespace, build.service()))
        cluster.apply(Create(Kind.INGRESS, namespace, build.ingress()))
        until(lambda: made(cluster, namespace), "Rollouts are served")
        with NodeAgent(cluster, settings):
            until(lambda: running(cluster, namespace), "the pod runs")
            file = tmp_path / "kubeconfig"
            control_plane.write_kubeconfig(file, user="carol", namespace=namespace)
            yield [sys.executable, "-m", "rollout", "--kubeconfig", str(file), "ops"]


def made(cluster: HttpCluster, namespace: str) -> bool:
    """Kinds that were just defined are unknown, or not yet ready, for a moment."""
    try:
        cluster.list(Kind.RELEASE, namespace)
        if not cluster.list(Kind.ROLLOUT, namespace).items:
            cluster.apply(Create(Kind.ROLLOUT, namespace, build.rollout()))
    except ClusterError:
        return False
    return True


def running(cluster: HttpCluster, namespace: str) -> bool:
    pods = cluster.list(Kind.POD, namespace).items
    statuses = [s for pod in pods for s in (pod.get("status") or {}).get("containerStatuses") or ()]
    return any(status.get("ready") for status in statuses)


def test_these_rights_are_enough(service: list[str]) -> None:
    for said, words in {
        "stable": ("pods",),
        "listening on": ("logs",),
        "ScalingReplicaSet": ("events",),
        "1 to 1 replicas": ("scale", "--replicas", "1"),
        "HOSTNAME=web-": ("exec", "--", "env"),
        "no HorizontalPodAutoscaler targets": ("hpa",),
        "release web-restart-": ("restart", "--reason", "new certificates"),
    }.items():
        done = subprocess.run(
            [*service, *words], capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 0, done.stderr
        assert said in done.stdout


@contextmanager
def going_on(command: list[str]) -> Iterator[Iterable[str]]:
    """Lines of a command that goes on."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.terminate()


def test_they_are_enough_to_follow_what_comes(service: list[str]) -> None:
    """What is there is listed; what comes later must be watched, or asked for again."""
    with (
        going_on([*service, "logs", "--follow"]) as logs,
        going_on([*service, "events", "--watch"]) as events,
    ):
        lines = (line.split() for line in logs if "listening on" in line)
        _, first, *_ = next(lines)
        assert any("ScalingReplicaSet" in line for line in events)
        subprocess.run([*service, "scale", "--replicas", "2"], check=True, timeout=30)
        assert any("from 1 to 2" in line for line in events)
        assert any(pod != first for _, pod, *_ in lines)


def test_they_are_enough_to_forward_a_port(service: list[str]) -> None:
    command = [*service, "port-forward", "0:8080"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[0]
        answer = httpx.get(f"http://{address}/", trust_env=False, timeout=10)
        process.terminate()
    assert answer.headers["x-version"] == "v1"


def test_the_table_is_read() -> None:
    assert {
        "apiGroups": ["apps"],
        "resources": ["deployments/scale"],
        "verbs": ["patch"],
    } in rules()
    assert {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]} in rules()
    assert len(rules()) > 12
