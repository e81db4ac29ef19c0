"""The rights of the API are those of a real cluster's RBAC: verbs, names, and the ready rule."""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from prometheus_client import CollectorRegistry

from rollout.controller.caches import Caches
from rollout.kube.client import HttpCluster
from rollout.resources.writes import Create, Kind, Patch, PatchType
from rollout.server.parts import Parts
from rollout.server.service import Api
from rollout.server.settings import ApiSettings, Limits
from tests import build
from tests.controlplane.access import Access
from tests.defined import define
from tests.install.installed import ACCOUNT, account_token, give_rights, install_rights
from tests.sandbox.practice import until
from tests.server.rig import problem

pytestmark = [pytest.mark.system, pytest.mark.controlplane]
ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: on-call}
rules:
- {apiGroups: [rollout.dev], resources: [releases], verbs: [get, list, watch, rollback]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: on-call}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: on-call}
subjects: [{kind: User, name: bob, apiGroup: rbac.authorization.k8s.io}]
"""


@pytest.fixture
def cluster(control_plane: Access, namespace: str) -> Iterator[HttpCluster]:
    """A namespace with a release under way, in which bob is on call."""
    url, ca = control_plane.url, str(control_plane.ca_file)
    with HttpCluster.for_server(url, control_plane.token(), ca) as cluster:
        define(cluster)
        until(lambda: served(cluster, namespace), "releases are served")
        kinds = {kind.value.kind: kind for kind in Kind}
        for body in build.shop():
            cluster.apply(Create(kinds[body["kind"]], namespace, body))
        said = {"status": {"phase": "Progressing"}}
        patch = Patch(Kind.RELEASE, namespace, "web-v2", PatchType.MERGE, said, "status")
        cluster.apply(patch)
        control_plane.kubectl("apply", "-f", "-", stdin=ROLE, namespace=namespace)
        yield cluster


def served(cluster: HttpCluster, namespace: str) -> bool:
    try:
        return cluster.list(Kind.RELEASE, namespace).items == ()
    except Exception:  # noqa: BLE001 - a kind that was just defined is unknown for a moment
        return False


@pytest.fixture
def account(
    control_plane: Access,
    cluster: HttpCluster,  # noqa: ARG001 - there is a release first
    namespace: str,
) -> Iterator[HttpCluster]:
    """The controller's own account: it alone may write an action in the name of another."""
    install_rights(control_plane)
    give_rights(control_plane, namespace)
    may = ("auth", "can-i", "patch", "releases", f"--as={ACCOUNT}")
    until(
        lambda: control_plane.kubectl(*may, namespace=namespace, check=False).returncode == 0,
        "the rights are known",
    )
    url, ca = control_plane.url, str(control_plane.ca_file)
    with HttpCluster.for_server(url, account_token(control_plane), ca) as account:
        yield account


@pytest.fixture
def api(account: HttpCluster, namespace: str) -> Iterator[Api]:
    caches = Caches(account, namespace, lambda _: None)
    parts = Parts(account, caches, None, lambda: datetime.now(UTC))
    api = Api(ApiSettings(limits=Limits(allowed=0.2)), parts, CollectorRegistry())
    caches.start()
    api.start()
    until(lambda: caches.synced, "the caches are filled")
    yield api
    api.stop()
    caches.stop()


@pytest.fixture
def bob(api: Api, control_plane: Access) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {control_plane.token('bob')}"}
    with httpx.Client(base_url=api.url, headers=headers, trust_env=False, timeout=15) as client:
        yield client


def test_who_is_on_call_may_roll_back_and_not_promote(
    bob: httpx.Client, cluster: HttpCluster, namespace: str
) -> None:
    root = f"/api/v1/namespaces/{namespace}/releases"
    assert bob.get(root).json()["items"][0]["metadata"]["name"] == "web-v2"
    problem(bob.get("/api/v1/releases"), 403, "forbidden")
    for type_ in ("promote", "promoteFull", "pause", "resume"):
        answer = bob.post(f"{root}/web-v2/actions", json={"type": type_})
        assert problem(answer, 403, "forbidden")["missing"]["verb"] == type_
    problem(bob.post(root, json={"version": "v3"}), 403, "forbidden")
    problem(bob.post(f"{root}/web-v2/retry", json={}), 403, "forbidden")
    answer = bob.post(f"{root}/web-v2/actions", json={"type": "rollback", "reason": "latency"})
    assert answer.status_code == 202, answer.text
    action = cluster.get(Kind.RELEASE, namespace, "web-v2")["spec"]["action"]
    assert (action["type"], action["by"]) == ("rollback", "bob")


def test_the_rule_in_a_refusal_allows_what_was_refused(
    bob: httpx.Client, control_plane: Access, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/releases/web-v2/actions"
    refused = problem(bob.post(path, json={"type": "promoteFull"}), 403, "forbidden")
    control_plane.kubectl("apply", "-f", "-", stdin=refused["rbac"])
    until(lambda: bob.post(path, json={"type": "promoteFull"}).status_code == 202, "allowed")
    problem(bob.post(path, json={"type": "promote"}), 403, "forbidden")


def test_a_token_that_the_cluster_does_not_know_is_nobody(api: Api, namespace: str) -> None:
    headers = {"Authorization": "Bearer somebody"}
    answer = httpx.get(
        f"{api.url}/api/v1/namespaces/{namespace}/releases", headers=headers, trust_env=False
    )
    problem(answer, 401, "unauthorized")
