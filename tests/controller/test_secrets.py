"""Secrets are read by name, by whoever may read that one, on the real API server."""

from collections.abc import Iterator

import pytest

from rollout.controller.secrets import PERSON, secrets_of
from rollout.kube.client import HttpCluster
from rollout.metrics.credentials import SecretError, SecretForbiddenError, SecretUnavailableError
from tests.controlplane.access import Access

pytestmark = pytest.mark.controlplane
OBJECTS = """
apiVersion: v1
kind: Secret
metadata: {name: prometheus}
stringData: {token: sesame, "ca.crt": "ünïcode"}
---
apiVersion: v1
kind: Secret
metadata: {name: other}
stringData: {token: not yours}
---
apiVersion: v1
kind: Secret
metadata: {name: empty}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: read-one-secret}
rules:
  - {apiGroups: [""], resources: [secrets], resourceNames: [prometheus, empty, gone], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: read-one-secret}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: read-one-secret}
subjects: [{kind: User, name: bob, apiGroup: rbac.authorization.k8s.io}]
"""


@pytest.fixture
def bob(control_plane: Access, namespace: str) -> Iterator[HttpCluster]:
    control_plane.kubectl("apply", "-f", "-", stdin=OBJECTS, namespace=namespace)
    token, ca_file = control_plane.token("bob"), str(control_plane.ca_file)
    cluster = HttpCluster.for_server(control_plane.url, token, ca_file)
    yield cluster
    cluster.close()


def test_the_right_to_get_one_secret_is_enough(
    control_plane: Access, bob: HttpCluster, namespace: str
) -> None:
    before = control_plane.audit_position()
    assert secrets_of(bob)(namespace, "prometheus") == {
        "token": b"sesame",
        "ca.crt": "ünïcode".encode(),
    }
    assert secrets_of(bob)(namespace, "empty") == {}
    calls = [call for call in control_plane.audit(before) if call.user == "bob"]
    assert {(call.verb, call.resource) for call in calls} <= {("get", "secrets")}


def test_a_secret_that_is_not_there_is_told(bob: HttpCluster, namespace: str) -> None:
    with pytest.raises(SecretError, match=f"there is no Secret {namespace}/gone: create it"):
        secrets_of(bob)(namespace, "gone")


def test_a_secret_that_may_not_be_read_is_told_with_the_right_to_give(
    bob: HttpCluster, namespace: str
) -> None:
    rule = f"a Role in {namespace} with the verb get on secrets named other"
    said = f"the controller may not read Secret {namespace}/other: give its ServiceAccount {rule}"
    with pytest.raises(SecretForbiddenError, match=said):
        secrets_of(bob)(namespace, "other")
    said = f"you may not read Secret {namespace}/other: give yourself {rule}"
    with pytest.raises(SecretForbiddenError, match=said):
        secrets_of(bob, PERSON)(namespace, "other")


def test_a_server_that_is_away_says_nothing_about_the_secret() -> None:
    away = HttpCluster.for_server("http://127.0.0.1:1", None)
    with pytest.raises(SecretUnavailableError, match="Secret shop/prometheus cannot be read now"):
        secrets_of(away)("shop", "prometheus")
    away.close()
