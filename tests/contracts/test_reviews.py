"""The cluster says who somebody is and what they may do: the practice one, and a real one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from rollout.kube.client import HttpCluster
from rollout.kube.errors import Unauthorized
from rollout.kube.reviews import Access, UnknownToken, may, may_i, who_am_i, who_is
from rollout.resources.writes import Create, Object, Write
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


AUDIENCE = "rollout"
NOT_OURS = ("", "https://elsewhere.example")


@dataclass(frozen=True)
class Place:
    """A cluster with an administrator, and with bob, who may roll back in one namespace.

    The token `ours` was made for our audience, and for no other.
    """

    admin: HttpCluster
    bob: HttpCluster
    token: str
    ours: str
    namespace: str


@pytest.fixture(params=["practice", pytest.param("real", marks=pytest.mark.controlplane)])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    opened = practice() if request.param == "practice" else real(request)
    yield from opened


def practice() -> Iterator[Place]:
    rule = Rule(frozenset({"rollback"}), frozenset({"releases"}), "default")
    caller = User("system:serviceaccount:default:caller", audiences=frozenset({AUDIENCE}))
    tokens = {"a": User("ana"), "b": User("bob", rules=(rule,)), "c": caller}
    with ApiServer(tokens=tokens) as server:
        yield from between(server.url, ("a", "b", "c"), None, "default")


def real(request: pytest.FixtureRequest) -> Iterator[Place]:
    plane = request.getfixturevalue("control_plane")
    namespace: str = request.getfixturevalue("namespace")
    plane.kubectl("apply", "-f", "-", stdin=ROLE, namespace=namespace)
    plane.kubectl("create", "serviceaccount", "caller", namespace=namespace)
    made = plane.kubectl("create", "token", "caller", f"--audience={AUDIENCE}", namespace=namespace)
    tokens = plane.token(), plane.token("bob"), made.stdout.strip()
    yield from between(plane.url, tokens, str(plane.ca_file), namespace)


def between(
    url: str, tokens: tuple[str, str, str], ca: str | None, namespace: str
) -> Iterator[Place]:
    ana, other = (HttpCluster.for_server(url, token, ca) for token in tokens[:2])
    yield Place(ana, other, *tokens[1:], namespace)
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


def test_a_token_for_our_audience_is_known_to_us_and_to_nobody_else(place: Place) -> None:
    person = who_is(place.admin, place.ours, AUDIENCE)
    assert person.name == f"system:serviceaccount:{place.namespace}:caller"
    for audience in NOT_OURS:
        with pytest.raises(UnknownToken):
            who_is(place.admin, place.ours, audience)


def test_a_token_for_the_cluster_is_not_one_for_our_audience(place: Place) -> None:
    with pytest.raises(UnknownToken):
        who_is(place.admin, place.token, AUDIENCE)


class Deaf:
    """A cluster that hears of no audiences: it vouches for tokens of its own."""

    def apply(self, write: Write) -> Object:
        assert isinstance(write, Create)
        return {**write.body, "status": {"authenticated": True, "user": {"username": "bob"}}}


def test_a_cluster_that_does_not_confirm_the_audience_vouches_for_nobody() -> None:
    deaf: Any = Deaf()
    assert who_is(deaf, "b").name == "bob"
    with pytest.raises(UnknownToken, match="the token is not meant for the audience rollout"):
        who_is(deaf, "b", AUDIENCE)


def test_rights_are_asked_by_verb_and_namespace(place: Place) -> None:
    bob = who_is(place.admin, place.token)
    assert may(place.admin, bob, Access("rollback", place.namespace))
    assert not may(place.admin, bob, Access("promote", place.namespace))
    assert not may(place.admin, bob, Access("rollback", "elsewhere"))


def test_everyone_can_ask_for_themselves(place: Place) -> None:
    assert may_i(place.bob, Access("rollback", place.namespace))
    assert not may_i(place.bob, Access("promote", place.namespace))
    assert may_i(place.admin, Access("promote", place.namespace))
