"""The cluster says who somebody is and what they may do: the practice one, and a real one."""

from collections.abc import Iterator

import pytest

from rollout.kube.client import HttpCluster
from rollout.kube.errors import Unauthorized
from rollout.kube.reviews import Access, may, may_i, who_am_i, who_is
from rollout.sandbox.apiserver import ApiServer
from rollout.sandbox.apiserver.users import Rule, User

pytestmark = pytest.mark.system
ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: on-call}
rules: [{apiGroups: [rollout.dev], resources: [releases], verbs: [rollback]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: on-call}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: on-call}
subjects: [{kind: User, name: bob, apiGroup: rbac.authorization.k8s.io}]
"""


class Place:
    """A cluster with an administrator, and with bob, who may roll back in one namespace."""

    def __init__(self, admin: HttpCluster, bob: HttpCluster, token: str, namespace: str) -> None:
        self.admin, self.bob, self.token, self.namespace = admin, bob, token, namespace


@pytest.fixture(params=["practice", pytest.param("real", marks=pytest.mark.controlplane)])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    opened = practice() if request.param == "practice" else real(request)
    yield from opened


def practice() -> Iterator[Place]:
    rule = Rule(frozenset({"rollback"}), frozenset({"releases"}), "default")
    tokens = {"a": User("ana"), "b": User("bob", rules=(rule,))}
    with ApiServer(tokens=tokens) as server:
        yield from between(server.url, "a", "b", None, "default")


def real(request: pytest.FixtureRequest) -> Iterator[Place]:
    plane = request.getfixturevalue("control_plane")
    namespace: str = request.getfixturevalue("namespace")
    plane.kubectl("apply", "-f", "-", stdin=ROLE, namespace=namespace)
    tokens = plane.token(), plane.token("bob")
    yield from between(plane.url, *tokens, str(plane.ca_file), namespace)


def between(url: str, admin: str, bob: str, ca: str | None, namespace: str) -> Iterator[Place]:
    ana, other = (HttpCluster.for_server(url, token, ca) for token in (admin, bob))
    yield Place(ana, other, bob, namespace)
    ana.close()
    other.close()


def test_a_token_says_who_somebody_is(place: Place) -> None:
    person = who_is(place.admin, place.token)
    assert person.name == "bob"
    assert "system:authenticated" in person.groups


def test_everyone_learns_who_they_are_to_the_cluster(place: Place) -> None:
    assert who_am_i(place.bob).name == "bob"
    assert "system:authenticated" in who_am_i(place.bob).groups
    assert who_am_i(place.admin).name != "bob"


@pytest.mark.parametrize("token", ["", "nobody"])
def test_a_token_that_nobody_has_is_refused(place: Place, token: str) -> None:
    with pytest.raises(Unauthorized):
        who_is(place.admin, token)


def test_rights_are_asked_by_verb_and_namespace(place: Place) -> None:
    bob = who_is(place.admin, place.token)
    assert may(place.admin, bob, Access("rollback", place.namespace))
    assert not may(place.admin, bob, Access("promote", place.namespace))
    assert not may(place.admin, bob, Access("rollback", "elsewhere"))


def test_everyone_can_ask_for_themselves(place: Place) -> None:
    assert may_i(place.bob, Access("rollback", place.namespace))
    assert not may_i(place.bob, Access("promote", place.namespace))
    assert may_i(place.admin, Access("promote", place.namespace))
