"""Each overlay on a real control plane: admitted, made ready, and a release goes through it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rollout.resources.release import Phase
from rollout.resources.writes import Kind
from rollout.sandbox.example import objects
from tests.controlplane.access import Access
from tests.debian import REDIS
from tests.examples.service import Service
from tests.examples.trees import EXAMPLE, KNOWN, OVERLAYS, Overlay, build, one
from tests.foreign import install_foreign
from tests.install.installed import apply, install_rights

pytestmark = [pytest.mark.controlplane, pytest.mark.system, pytest.mark.timeout(240)]
NEXT = "v1.9.0"


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> Overlay:
    return KNOWN[str(request.param)]


@pytest.fixture
def plane(control_plane: Access, monkeypatch: pytest.MonkeyPatch) -> Access:
    """One that knows all kinds, and a machine that has a Redis."""
    install_rights(control_plane)
    install_foreign(control_plane)
    monkeypatch.setenv("PATH", str(REDIS.program("redis-server").parent), prepend=":")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(REDIS.libraries()), prepend=":")
    return control_plane


@pytest.fixture
def service(plane: Access, overlay: Overlay, tmp_path: Path) -> Iterator[Service]:
    with Service(plane, overlay, tmp_path) as service:
        yield service


def test_the_api_server_admits_every_object_as_it_is(plane: Access, overlay: Overlay) -> None:
    tree = build(plane.program, EXAMPLE / "overlays" / overlay.name)
    apply(plane, [one(tree, "Namespace", overlay.namespace)])
    apply(plane, tree, "--dry-run=server")


def test_the_api_server_admits_what_the_practice_cluster_starts_with(
    plane: Access, namespace: str
) -> None:
    here = [{**one, "metadata": {**one["metadata"], "namespace": namespace}} for one in objects()]
    apply(plane, here, "--dry-run=server", "--validate=strict")


def test_a_release_goes_through(service: Service, overlay: Overlay) -> None:
    first = service.ask("who is there")
    assert (first["version"], first["cached"]) == (overlay.tag, False)
    if overlay.name == "development":
        service.run("start", NEXT, "--reason", "tried")
    else:
        service.until(held(service), "the controller holds the Deployment")
        service.apply(service.hastened(NEXT))  # what a commit of the new tag comes to
    service.until(ended(service), "the release ends", 150.0)
    release = service.release()
    assert release is not None
    assert release.status.phase is Phase.SUCCEEDED, service.told()
    assert service.serves() == NEXT
    again = service.ask("who is there")
    assert (again["version"], again["cached"]) == (NEXT, True)  # all pods share one Redis
    service.load.stop()
    requests = service.load.tally.snapshot()
    assert not requests.lost, requests.lost[:5]
    assert set(requests.by_version) == {overlay.tag, NEXT}


def held(service: Service) -> Callable[[], bool]:
    """Whether the Deployment is paused, as it is while a changed template would be released."""

    def holds() -> bool:
        found = service.cluster.get(
            Kind.DEPLOYMENT, service.overlay.namespace, service.overlay.service
        )
        return bool(found["spec"].get("paused"))

    return holds


def ended(service: Service) -> Callable[[], bool]:
    def holds() -> bool:
        release = service.release()
        return release is not None and release.status.phase.ended

    return holds
