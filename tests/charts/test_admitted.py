"""The real API server admits every object of both charts, with every file of values."""

from dataclasses import replace

import pytest

from tests.charts.charted import DELIVERY
from tests.charts.helm import Helm
from tests.charts.trees import TWINS, Twin
from tests.controlplane.access import Access
from tests.foreign import install_foreign
from tests.install.installed import apply, install_rights

pytestmark = pytest.mark.controlplane
HELM = Helm()


@pytest.fixture
def plane(control_plane: Access) -> Access:
    install_rights(control_plane)
    install_foreign(control_plane)
    return control_plane


@pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
def test_the_agents(plane: Access, namespace: str, twin: Twin) -> None:
    labels = "pod-security.kubernetes.io/enforce=restricted"
    plane.kubectl("label", "namespace", namespace, labels)
    here = replace(twin.release, namespace=namespace)
    apply(plane, HELM.template(here, tests=True), "--dry-run=server", "--validate=strict")
    plain = ("--set", "redis.auth.enabled=true,redis.auth.password=x,autoscaling.enabled=false")
    if twin.overlay.name == "development":
        more = replace(here, options=(*here.options, *plain))
        apply(plane, HELM.template(more, tests=True), "--dry-run=server", "--validate=strict")


@pytest.mark.parametrize("watched", ["", "default"])
def test_the_controllers(plane: Access, watched: str) -> None:
    options = ("--set", f"watchNamespace={watched},networkPolicy.enabled=true")
    monitored = (*options, "--set", "monitoring.serviceMonitor.enabled=true")
    tree = HELM.template(replace(DELIVERY, options=monitored), tests=True)
    apply(plane, tree, "--dry-run=server", "--validate=strict")
