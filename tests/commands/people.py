"""People on the real control plane, with the roles that an installation has for them."""

import os
import subprocess
from pathlib import Path

import pytest

from rollout.kube.client import HttpCluster
from rollout.resources.writes import BY_KIND_NAME, Create
from tests import build, forked
from tests.controlplane.access import Access as ControlPlane
from tests.defined import define
from tests.install.installed import ROOT
from tests.sandbox.practice import until


@pytest.fixture
def peopled(control_plane: ControlPlane, namespace: str) -> ControlPlane:
    """A namespace with a service, in a cluster that has the roles for people."""
    ca = str(control_plane.ca_file)
    with HttpCluster.for_server(control_plane.url, control_plane.token(), ca) as cluster:
        define(cluster)
        for body in (build.deployment(), build.service(), build.ingress(), build.rollout()):
            cluster.apply(Create(BY_KIND_NAME[body["kind"]], namespace, body))
    roles = str(ROOT / "manifests" / "install" / "base" / "people-roles.yaml")
    control_plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", roles)
    return control_plane


def bind(plane: ControlPlane, namespace: str, role: str, probe: str) -> None:
    """Give bob a role, or several, and wait until the server heeds it."""
    for one in role.split():
        made = ("create", "rolebinding", one, f"--clusterrole={one}", "--user=bob")
        plane.kubectl(*made, namespace=namespace)

    def heeded() -> bool:
        asked = ("auth", "can-i", *probe.split())
        return not plane.kubectl(*asked, user="bob", namespace=namespace, check=False).returncode

    until(heeded, f"bob may {probe}")


def doctor_of_bob(
    plane: ControlPlane, namespace: str, folder: Path
) -> subprocess.CompletedProcess[str]:
    """Have bob run the doctor."""
    return run_as_bob(plane, namespace, folder, "doctor", "-o", "json")


def run_as_bob(
    plane: ControlPlane, namespace: str, folder: Path, *words: str
) -> subprocess.CompletedProcess[str]:
    """Have bob type a command."""
    kubeconfig = plane.write_kubeconfig(folder / "bob", user="bob", namespace=namespace)
    return forked.run([*words, "--kubeconfig", str(kubeconfig)], os.environ, timeout=30)
