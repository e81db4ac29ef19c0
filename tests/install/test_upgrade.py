"""A newer controller and newer kinds take over in mid-release: nothing starts, nothing restarts."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rollout.cli.manifests import objects
from rollout.resources.objects import uid_of
from rollout.resources.release import Phase
from rollout.resources.writes import Kind, Object
from rollout.sandbox.practice import ADDRESSES
from rollout.sandbox.processes import end
from tests import shop
from tests.controlplane.access import Access
from tests.controlplane.cluster import ControlPlane
from tests.install.earlier import Earlier
from tests.install.grounds import (
    HOME,
    SHOP,
    at,
    await_kinds,
    ended,
    install,
    open_shop,
    stage,
    story,
)
from tests.scenarios.stage import Stage
from tests.scenarios.test_scenarios import told

pytestmark = [pytest.mark.system, pytest.mark.controlplane, pytest.mark.timeout(240)]


class Before:
    """The earlier program, as it is used on a stage."""

    def __init__(self, found: Stage, program: Earlier) -> None:
        self._found, self._program = found, program
        self._log = found.folder / "earlier.log"
        self._place = ("-n", SHOP, "--kubeconfig", str(found.server.kubeconfig))
        told = ("--lease-namespace", HOME, "--pod-address-map", ADDRESSES)
        self._controller = program.start((*self._place, "controller", *told), self._log)

    def ship(self, version: str, *asked: str) -> str:
        """Start a release, ask something of it at its first step, and wait for its end."""
        name = self.start(version)
        self._run(*asked, name)
        ended(self._found, name)
        return name

    def start(self, version: str) -> str:
        """Start a release, and wait until it is at its first step."""
        self._run("start", version, "--rollout", "web")
        return at(self._found, 20).metadata.name

    def stop(self) -> None:
        """Stop the controller, as Kubernetes does when its Deployment has a newer image."""
        end(self._controller, 10.0)
        assert self._controller.returncode == 0, self._log.read_text()

    def _run(self, *arguments: str) -> None:
        done = self._program.run(*self._place, *arguments)
        assert done.returncode == 0, f"{done.stderr}{self._log.read_text()}"


def releases(found: Stage) -> dict[str, Object]:
    items = found.cluster.list(Kind.RELEASE, SHOP).items
    return {one["metadata"]["name"]: one for one in items}


def written(of: dict[str, Object]) -> dict[str, str]:
    """Which state of each was written last; defaults of new fields are only shown, not written."""
    return {name: one["metadata"]["resourceVersion"] for name, one in of.items()}


def pods(found: Stage) -> set[str]:
    return {uid_of(pod) for pod in found.cluster.list(Kind.POD, SHOP).items}


def fields(schema: Any, of: str) -> set[str]:
    """The fields that a kind's schema has in its spec or status."""
    whole = schema["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    return set(whole[of]["properties"])


def upgrade(plane: Access) -> str:
    return install(plane, list(objects(watched=SHOP)))


def test_an_upgrade_across_a_schema_change_starts_and_restarts_nothing(
    own_control_plane: ControlPlane, tmp_path: Path
) -> None:
    plane = own_control_plane.access
    program = Earlier.unpack(tmp_path / "earlier")
    plane.kubectl("apply", "--server-side", "-f", "-", stdin=program.run("crds").stdout)
    await_kinds(plane)
    open_shop(plane)
    plane.kubectl("create", "namespace", HOME)
    with stage(plane, None, story("an upgrade", version="v3"), tmp_path) as found:
        assert "fast" not in fields(schema(found, "releases"), "spec")
        assert "held" not in fields(schema(found, "rollouts"), "status")
        earlier = Before(found, program)
        taken_back = earlier.ship("v2", "rollback")
        shipped = earlier.ship("v2", "promote", "--full")
        running = earlier.start("v3")
        earlier.stop()
        before, were = releases(found), pods(found)
        assert set(before) == {taken_back, shipped, running}

        found.server = replace(found.server, account=upgrade(plane))
        assert "fast" in fields(schema(found, "releases"), "spec")
        assert "held" in fields(schema(found, "rollouts"), "status")
        assert written(releases(found)) == written(before), "new kinds write no object"
        found.options = ("--lease-namespace", HOME)
        found.start_controller()
        at(found, 50)
        assert were <= pods(found), "every pod is still there"
        now = releases(found)
        for name in (taken_back, shipped):
            assert written(now)[name] == written(before)[name], "nobody touched it"
        assert now.keys() == before.keys(), "nothing was started"
        check_went_on(found, running, before[running])
        undone = found.cli("undo", "web")
        assert undone.returncode == 0, undone.stderr
        assert ended(found, new_one(found, before)).status.phase is Phase.SUCCEEDED
        assert image(found) == f"{shop.IMAGE}:v2"
        check_none_lost(found)


def schema(found: Stage, plural: str) -> Object:
    return found.cluster.get(Kind.CUSTOM_RESOURCE_DEFINITION, "", f"{plural}.rollout.dev")


def check_went_on(found: Stage, name: str, before: Object) -> None:
    """It ends well, and its story goes on where it was."""
    release = ended(found, name)
    assert release.status.phase is Phase.SUCCEEDED, told(release)
    whole = found.cluster.get(Kind.RELEASE, SHOP, name)
    was = before["status"]
    assert whole["metadata"]["uid"] == before["metadata"]["uid"]
    assert whole["status"]["startedAt"] == was["startedAt"]
    assert whole["status"]["timeline"][: len(was["timeline"])] == was["timeline"]
    told_of = [entry.reason for entry in release.status.timeline]
    assert told_of.count("Started") == 1
    assert told_of.count("StepEntered") == 2, told(release)
    assert image(found) == f"{shop.IMAGE}:v3"


def new_one(found: Stage, before: dict[str, Object]) -> str:
    (name,) = releases(found).keys() - before.keys()
    return name


def image(found: Stage) -> str:
    target = found.cluster.get(Kind.DEPLOYMENT, SHOP, "web")
    return str(target["spec"]["template"]["spec"]["containers"][0]["image"])


def check_none_lost(found: Stage) -> None:
    assert found.load is not None
    found.load.stop()
    requests = found.load.tally.snapshot()
    assert requests.lost == (), [str(one) for one in requests.lost[:5]]
    assert requests.answered == requests.sent > 500
