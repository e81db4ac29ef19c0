"""rollout is taken out of a real cluster, and every service goes on serving as its owner wrote it.

A controller of its own process stands for the pods of its Deployment, which no kubelet runs.
"""

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest

from rollout.cli.manifests import Extra, objects
from rollout.kube.errors import NotFound
from rollout.resources.objects import annotations_of, name_of, namespace_of, uid_of
from rollout.resources.release import Phase
from rollout.resources.words import RESTORE
from rollout.resources.writes import Kind
from tests import shop
from tests.controlplane.access import Access
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.readiness import NAMESPACE as PROBE
from tests.install.grounds import HOME, SHOP, at, install, open_shop, stage, story, until
from tests.scenarios.stage import Stage
from tests.scenarios.test_scenarios import check_requests

pytestmark = [pytest.mark.system, pytest.mark.controlplane, pytest.mark.timeout(240)]
KINDS: Final = "crd,clusterrole,clusterrolebinding,validatingadmissionpolicy"
BOUND: Final = "validatingadmissionpolicybinding,role,rolebinding,deployment,service,pdb,netpol,sa"


TOUCHED: Final = (Kind.ROLLOUT, Kind.DEPLOYMENT, Kind.CLUSTER_ROLE, Kind.CUSTOM_RESOURCE_DEFINITION)


def held() -> Iterator[dict[str, Any]]:
    """Another service, whose Deployment is held: each change of its template is a release."""
    deployment = json.loads(json.dumps(shop.deployment("v1", 1)).replace('"web"', '"api"'))
    deployment["spec"]["template"]["metadata"]["annotations"] = {}
    yield deployment
    yield {
        "apiVersion": "rollout.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "api"},
        "spec": {
            "target": {"deployment": "api"},
            "strategy": {"canary": {}},
            "trigger": "Template",
        },
    }


def is_held(found: Stage) -> bool:
    target = found.cluster.get(Kind.DEPLOYMENT, SHOP, "api")
    return bool(target["spec"].get("paused")) and RESTORE in annotations_of(target)


def uninstall(found: Stage, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command; the namespace that it asks for is the controller's."""
    return found.cli("uninstall", "-n", HOME, *options)


def remove(found: Stage, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command, and end the controller when its Deployment is gone, as a kubelet does."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(uninstall, found, *options)
        until(lambda: done.done() or not is_there(found, Kind.DEPLOYMENT), "it gets that far", 90)
        assert found.stop_controller() == 0, found.log()
        return done.result(timeout=90)


def is_there(found: Stage, kind: Kind, name: str = "rollout-controller") -> bool:
    try:
        found.cluster.get(kind, HOME, name)
    except NotFound:
        return False
    return True


def left(plane: Access) -> str:
    """What is still there of what bears our label."""
    ours = ("get", f"{KINDS},{BOUND}", "-A", "-l", "app.kubernetes.io/part-of=rollout")
    return plane.kubectl(*ours, "-o", "name").stdout


def test_every_service_goes_on_as_its_owner_wrote_it(
    own_control_plane: ControlPlane, tmp_path: Path
) -> None:
    plane = own_control_plane.access
    open_shop(plane)
    account = install(plane, list(objects(watched=SHOP, extras=[Extra.NETWORK_POLICY])))
    assert left(plane)
    step = {"weight": 20, "minDuration": "90s"}  # longer than people take
    also = story("a removal", version="v2", also=tuple(held()), inside=20, spec={"steps": [step]})
    with stage(plane, account, also, tmp_path) as found:
        found.options = ("--lease-namespace", HOME)
        found.start_controller()
        until(lambda: is_held(found), "the other one is held", on=found)
        check_says_what_it_would_do(found)
        check_refuses_while_a_release_runs(found)
        done = remove(found, "--yes", "--roll-back")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "your Deployments, Services and Ingresses stay as you wrote them" in done.stdout
        assert left(plane) == ""
        assert plane.kubectl("api-resources", "--api-group=rollout.dev", "-o", "name").stdout == ""
        until(lambda: not is_there(found, Kind.NAMESPACE, HOME), "its namespace is gone")
        assert found.users() == found.before
        assert found.get(Kind.DEPLOYMENT, "web-candidate") is None
        target = found.cluster.get(Kind.DEPLOYMENT, SHOP, "web")
        assert target["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":v1")
        check_requests(found)
        again = uninstall(found, "--yes")
        assert again.returncode == 0, again.stderr


def standing(found: Stage) -> dict[str, tuple[str, int]]:
    """What an uninstallation would begin and end with: uid and generation."""
    return {
        f"{kind.value.kind} {namespace_of(one)}/{name_of(one)}": (
            uid_of(one),
            one["metadata"].get("generation", 0),
        )
        for kind in TOUCHED
        for one in found.cluster.list(kind).items
        if not namespace_of(one).startswith(PROBE)  # it may yet be on its way out
    }


def check_says_what_it_would_do(found: Stage) -> None:
    before = standing(found)
    said = uninstall(found)
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith(f"From {found.server.url} this is removed, in this order:\n")
    assert "1. delete 2 Rollouts (shop/api, shop/web): while the controller runs" in said.stdout
    assert f"2. delete Deployment {HOME}/rollout-controller" in said.stdout
    assert f"Role {SHOP}/rollout-controller" in said.stdout
    assert f"NetworkPolicy {HOME}/rollout-controller" in said.stdout
    kinds = next(line for line in said.stdout.splitlines() if "delete the kinds" in line)
    assert "releases.rollout.dev" in kinds
    assert said.stdout.endswith("Nothing was done: the same command with --yes does it.\n")
    assert standing(found) == before


def check_refuses_while_a_release_runs(found: Stage) -> None:
    assert found.cli("start", "v2", "--rollout", "web").returncode == 0
    name = at(found, 20).metadata.name
    refused = uninstall(found, "--yes")
    assert refused.returncode == 1
    assert f"1 release (shop/{name}) under way: wait for the end, or give --roll-back" in (
        refused.stderr
    )
    release = found.release()
    assert release is not None
    assert release.status.phase is Phase.PROGRESSING
    assert is_there(found, Kind.DEPLOYMENT)
