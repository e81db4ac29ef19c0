"""The ready policies: a real API server takes each as it is, and a release from its file."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from rollout.kube.client import HttpCluster
from rollout.resources.policy import RolloutPolicy
from rollout.resources.release import Release
from rollout.resources.writes import Create, Kind
from tests import build
from tests.controlplane.access import Access
from tests.forked import run
from tests.install.installed import ROOT, install_rights
from tests.resources.test_policy import read_policy

pytestmark = [pytest.mark.system, pytest.mark.controlplane]
FILES: Final = sorted((ROOT / "policies").glob("*.yaml"))


@pytest.fixture(params=FILES, ids=lambda file: str(file.stem))
def file(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


@pytest.fixture
def plane(control_plane: Access) -> Access:
    install_rights(control_plane)
    return control_plane


@pytest.fixture
def shop(plane: Access, namespace: str) -> Iterator[HttpCluster]:
    """A cluster with a service to release."""
    place = (plane.url, plane.token(), str(plane.ca_file))
    with HttpCluster.for_server(*place) as cluster:
        for body in build.shop()[:-1]:
            kinds = {kind.value.kind: kind for kind in Kind}
            cluster.apply(Create(kinds[body["kind"]], namespace, body))
        yield cluster


def test_the_api_server_takes_it_as_it_is(plane: Access, namespace: str, file: Path) -> None:
    strictly = ("create", "--dry-run=server", "--validate=strict", "-o", "json")
    done = plane.kubectl(*strictly, "-f", str(file), namespace=namespace)
    assert done.stderr == ""
    assert RolloutPolicy.model_validate(json.loads(done.stdout)).spec == read_policy(file).spec


def test_a_release_takes_it_from_the_file(
    plane: Access, namespace: str, shop: HttpCluster, file: Path
) -> None:
    place = ("-n", namespace, "--kubeconfig", str(plane.kubeconfig))
    done = run([*place, "start", "v2", "--policy", str(file)], os.environ, timeout=30)
    assert done.returncode == 0, done.stderr
    (body,) = shop.list(Kind.RELEASE, namespace).items
    overrides = Release.model_validate(body).spec.overrides
    assert overrides is not None
    assert overrides.policy is not None
    assert overrides.policy.inline == read_policy(file).spec
