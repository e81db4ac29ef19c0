"""What a button writes, sent to the real control plane by the account that Argo CD's server has."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from rollout.kube.client import HttpCluster
from rollout.kube.errors import Forbidden
from rollout.resources.writes import Create, Kind, Object, Patch, PatchType
from tests import build
from tests.controlplane.access import Access
from tests.gitops.build import ARGO_CD
from tests.gitops.manifests import ACCOUNT, FOLDER, config_map
from tests.gitops.parts import answers
from tests.install.installed import apply, install_rights
from tests.scenarios.test_commits import await_

pytestmark = [pytest.mark.system, pytest.mark.controlplane]
ACCOUNT_OBJECTS: Final[list[dict[str, Any]]] = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}},
    {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "argocd-server", "namespace": "argocd"},
    },
]
OWN_RIGHTS: Final[list[dict[str, Any]]] = [
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "argocd-server"},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["delete", "get", "patch"]}],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "argocd-server"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "argocd-server",
        },
        "subjects": [{"kind": "ServiceAccount", "name": "argocd-server", "namespace": "argocd"}],
    },
]
"""What Argo CD gives its server by itself."""

REFUSED: Final = r'may not rollback release web-v2 .* the verb "rollback"'


@pytest.fixture
def server(control_plane: Access) -> Iterator[HttpCluster]:
    """A client with the token of Argo CD's server."""
    install_rights(control_plane)
    apply(control_plane, [*ACCOUNT_OBJECTS, *OWN_RIGHTS])
    await_right(control_plane, "patch")
    account = ("argocd-server", "--namespace=argocd", "--duration=1h")
    token = control_plane.kubectl("create", "token", *account).stdout.strip()
    cluster = HttpCluster.for_server(control_plane.url, token, str(control_plane.ca_file))
    yield cluster
    cluster.close()


def test_the_cluster_takes_a_button_from_argo_cd_with_our_rights_and_not_without(
    control_plane: Access, server: HttpCluster, namespace: str, tmp_path: Path
) -> None:
    there = HttpCluster.for_server(
        control_plane.url, control_plane.token(), str(control_plane.ca_file)
    )
    release = there.apply(Create(Kind.RELEASE, namespace, build.release("web-v2", "v2")))
    button = pressed(release, config_map(tmp_path), "rollback")
    with pytest.raises(Forbidden, match=REFUSED):
        press(server, namespace, button)
    apply(control_plane, list(yaml.safe_load_all((FOLDER / "access.yaml").read_text())))
    await_right(control_plane, "rollback")
    press(server, namespace, button)
    action = there.get(Kind.RELEASE, namespace, "web-v2")["spec"]["action"]
    assert (action["type"], action["by"]) == ("rollback", ACCOUNT)
    there.close()


def pressed(release: Object, settings: Path, name: str) -> Object:
    """What Argo CD sends when the button is pressed."""
    (said,) = answers(ARGO_CD, ["judge", "-config-map", str(settings)], [release])
    assert not said["actions"][name]["disabled"]
    found: Object = said["actions"][name]["writes"][0]["patch"]
    return found


def press(server: HttpCluster, namespace: str, patch: Object) -> None:
    server.apply(Patch(Kind.RELEASE, namespace, "web-v2", PatchType.MERGE, patch))


def await_right(plane: Access, verb: str) -> None:
    """Wait until the server heeds a right that was just given."""
    asked = ("auth", "can-i", verb, "releases.rollout.dev", f"--as={ACCOUNT}")
    await_(lambda: plane.kubectl(*asked, check=False).returncode == 0)
