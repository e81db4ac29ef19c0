"""What Argo CD is given, held to Argo CD's own CRDs by a real API server."""

import pytest
import yaml

from tests.controlplane.access import Access
from tests.foreign import install_foreign
from tests.gitops.manifests import application, kustomized
from tests.install.installed import apply

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(120)]
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}}
STRICTLY = ("--dry-run=server", "--validate=strict")


@pytest.fixture
def plane(control_plane: Access) -> Access:
    install_foreign(control_plane)
    apply(control_plane, [NAMESPACE])
    return control_plane


def test_every_object_is_admitted_as_it_is(plane: Access) -> None:
    found = list(kustomized())
    assert {"Application", "AppProject", "ConfigMap"} <= {str(body["kind"]) for body in found}
    apply(plane, found, *STRICTLY)


def test_a_line_that_argo_cd_does_not_know_would_be_refused(plane: Access) -> None:
    body = {**application(), "spec": {**application()["spec"], "ignoreDiferences": []}}
    asked = ("apply", *STRICTLY, "-f", "-")
    said = plane.kubectl(*asked, stdin=yaml.safe_dump(body), check=False)
    assert 'unknown field "spec.ignoreDiferences"' in said.stderr
