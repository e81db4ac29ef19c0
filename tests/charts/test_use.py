"""Both charts on a real control plane: installed, upgraded, and in the middle of a release."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollout import __version__
from rollout.cli.manifests import objects
from rollout.resources.release import Phase
from rollout.resources.writes import Kind
from tests.charts.charted import DELIVERY, HOME, Charted, helm_of, install_controller
from tests.charts.helm import CONTROLLER, Helm
from tests.controlplane.access import Access
from tests.controlplane.cluster import ControlPlane
from tests.debian import REDIS
from tests.install.installed import apply

pytestmark = [pytest.mark.controlplane, pytest.mark.system, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chart of the controller whose kinds lack a field that they have now."""
    chart = tmp_path_factory.mktemp("earlier") / "rollout"
    shutil.copytree(CONTROLLER, chart)
    file = chart / "files" / "crds" / "rollouts.yaml"
    definition = yaml.safe_load(file.read_text())
    del spec_of(definition)["historyLimit"]
    file.write_text(json.dumps(definition))
    return chart


def spec_of(definition: dict[str, Any]) -> dict[str, Any]:
    """Give the fields of a kind's spec."""
    (version,) = definition["spec"]["versions"]
    found = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def plane() -> Iterator[Access]:
    """One of our own: a chart owns what the others' tests apply."""
    with ControlPlane() as plane:
        yield plane.access


@pytest.fixture(scope="module")
def helm(plane: Access, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return helm_of(plane, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="module")
def service(
    plane: Access, helm: Helm, earlier: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Charted]:
    install_controller(plane, helm, earlier)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(REDIS.program("redis-server").parent), prepend=":")
        patch.setenv("LD_LIBRARY_PATH", str(REDIS.libraries()), prepend=":")
        with Charted(plane, helm, tmp_path_factory.mktemp("charted")) as service:
            yield service


def test_an_upgrade_is_a_release_and_one_in_the_middle_leaves_the_service_alone(
    service: Charted, helm: Helm
) -> None:
    helm.do("test", "prod", "--namespace", service.overlay.namespace)
    check_the_controllers_test(service)
    assert service.ask("who is there")["cached"] is False
    helm.do("upgrade", *service.words("v1.9.0"))
    name = service.at(20)
    before = service.releases()
    failed = helm.run("upgrade", *service.words("v1.9.0", "--set", "replicaCount=4"))
    assert failed.returncode != 0
    assert only_the_selector(failed.stderr)
    upgrade_the_controller(service, helm)
    check_went_on(service, name, set(before))
    assert service.serves() == "v1.9.0"
    helm.do("upgrade", *service.words("v1.9.0", "--set", "config.logLevel=DEBUG"))
    assert service.ask("who is there")["cached"] is True  # pods share a Redis with a password
    assert not service.lost()


def check_the_controllers_test(service: Charted) -> None:
    """Its pod is not run here, where the controller is a process of ours; what it does is."""
    service.until(lambda: service.tried().returncode == 0, "the controller has read everything")
    refused = service.tried(port=1)
    assert refused.returncode != 0
    assert "Connection refused" in refused.stderr


def only_the_selector(said: str) -> bool:
    """Whether that is all that Helm did not write."""
    conflict = 'Apply failed with 1 conflict: conflict with "rollout" using v1: .spec.selector'
    return said.count("conflict occurred") == 2 * said.count("UPGRADE FAILED") and conflict in said


def check_went_on(service: Charted, name: str, known: set[str]) -> None:
    """It goes on to its end, for which kubectl waits; nothing else was started."""
    assert not service.releases()[name].status.phase.ended
    service.passes(name)
    service.kubectl_waits()
    assert service.releases()[name].status.phase in {Phase.ADOPTING, Phase.SUCCEEDED}
    release = service.ended(name)
    assert set(service.releases()) == known
    assert release.status.phase is Phase.SUCCEEDED, service.told()
    assert [entry.reason for entry in release.status.timeline].count("Started") == 1


def test_written_by_the_client_a_newer_version_takes_the_place_of_the_last(
    service: Charted, helm: Helm
) -> None:
    by_client = "--server-side=false"
    known = service.releases().keys()
    helm.do("upgrade", *service.words("v2.0.0", by_client))
    first = service.at(20, known)
    helm.do("upgrade", *service.words("v2.1.0", by_client))
    assert service.ended(first).status.phase is Phase.SUPERSEDED, service.told()
    second = service.at(20, {*known, first})
    service.passes(second)
    assert service.ended(second).status.phase is Phase.SUCCEEDED, service.told()
    assert service.serves() == "v2.1.0"
    helm.do("upgrade", *service.words("v2.1.0", "--server-side=true"))  # and the other way again
    assert not service.lost()


def test_written_by_the_server_a_newer_version_overtakes_though_helm_has_failed(
    service: Charted, helm: Helm
) -> None:
    known = service.releases().keys()
    helm.do("upgrade", *service.words("v2.5.0"))
    first = service.at(20, known)
    failed = helm.run("upgrade", *service.words("v2.6.0"))
    assert failed.returncode != 0
    assert only_the_selector(failed.stderr)
    assert service.image() == "v2.6.0"
    assert service.ended(first).status.phase is Phase.SUPERSEDED, service.told()
    second = service.at(20, {*known, first})
    service.passes(second)
    assert service.ended(second).status.phase is Phase.SUCCEEDED, service.told()
    helm.do("upgrade", *service.words("v2.6.0"))
    assert not service.lost()


def test_by_force_helm_has_the_selector_for_a_moment(service: Charted, helm: Helm) -> None:
    known = service.releases().keys()
    helm.do("upgrade", *service.words("v3.0.0"))
    name = service.at(20, known)
    helm.do("upgrade", *service.words("v3.0.0", "--force-conflicts"))
    service.until(lambda: "pod-template-hash" in service.selector(), "it is narrowed again")
    service.passes(name)
    release = service.ended(name)
    assert release.status.phase is Phase.SUCCEEDED, service.told()
    assert "SelectorWidened" in [entry.reason for entry in release.status.timeline]
    assert not service.lost()


def test_helm_that_waits_waits_for_the_release(service: Charted, helm: Helm) -> None:
    """By the conditions of the Rollout: it leaves paused Deployments out."""
    known = service.releases().keys()
    waiting = ("--wait", "--timeout", "110s")
    good = helm.start("upgrade", *service.words("v4.0.0", *waiting))
    name = service.at(20, known)
    assert good.poll() is None
    service.passes(name)
    said, _ = good.communicate(timeout=115)
    assert good.returncode == 0, said
    assert service.releases()[name].status.phase is Phase.SUCCEEDED, service.told()
    bad = helm.run("upgrade", *service.words("v4.1.0-errors20", *waiting))
    assert bad.returncode != 0, bad.stdout
    assert service.serves() == "v4.0.0"


def test_a_tag_that_serves_no_longer_is_refused_where_people_start_releases(
    service: Charted, helm: Helm
) -> None:
    known = service.releases().keys()
    old = service.serves()
    commanded = ("--set", "rollout.trigger=Command")
    helm.do("upgrade", *service.words(old, *commanded))
    service.run("start", "v5.0.0", "--rollout", service.overlay.service)
    name = service.at(20, known)
    service.run("promote", name, "--full", "--reason", "tried")
    assert service.ended(name).status.phase is Phase.SUCCEEDED, service.told()
    refused = helm.run("upgrade", *service.words(old, *commanded))
    assert refused.returncode != 0
    assert 'containers[name="agent"].image' in refused.stderr
    assert service.serves() == "v5.0.0"
    helm.do("upgrade", *service.words("v5.0.0", *commanded))
    service.kubectl_waits()
    helm.do("upgrade", *service.words("v5.0.0"))
    assert not service.lost()


def upgrade_the_controller(service: Charted, helm: Helm) -> None:
    """Its newer chart brings newer kinds."""
    assert "historyLimit" not in spec_of(rollouts(service))
    helm.do("upgrade", *DELIVERY.words)
    assert "historyLimit" in spec_of(rollouts(service))


def rollouts(service: Charted) -> dict[str, Any]:
    found = service.cluster.get(Kind.CUSTOM_RESOURCE_DEFINITION, "", "rollouts.rollout.dev")
    return dict(found)


def test_what_helm_keeps_when_the_controller_goes(
    own_control_plane: ControlPlane, tmp_path: Path
) -> None:
    plane = own_control_plane.access
    helm = helm_of(plane, tmp_path)
    install_controller(plane, helm, CONTROLLER)
    body = {
        "apiVersion": "rollout.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web"},
        "spec": {"target": {"deployment": "web"}, "strategy": {"canary": {}}},
    }
    plane.kubectl("create", "-f", "-", stdin=json.dumps(body))
    helm.do("uninstall", DELIVERY.name, "--namespace", HOME)
    assert "web" in plane.kubectl("get", "rollouts").stdout
    assert not plane.kubectl("get", "deployments", namespace=HOME).stdout
    install_controller(plane, helm, CONTROLLER)


def test_what_the_command_has_installed_becomes_helms_without_a_restart(
    own_control_plane: ControlPlane, tmp_path: Path
) -> None:
    plane = own_control_plane.access
    apply(plane, list(objects(image=f"rollout-controller:{__version__}")))
    before = templates(plane)
    words = ("--take-ownership", "--force-conflicts")
    helm_of(plane, tmp_path).do("install", *DELIVERY.words, *words)
    assert templates(plane) == before


def templates(plane: Access) -> Any:
    """Give the pods that the controller's Deployment asks for."""
    shown = ("deployment/rollout-controller", "-o", "json")
    found = json.loads(plane.kubectl("get", *shown, namespace=HOME).stdout)
    return found["spec"]["template"]
