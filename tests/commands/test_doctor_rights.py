"""Rights that are lacking, of people and of the controller, each with the rule that gives it."""

import pytest

from rollout.commands.doctor.examine import Visit, examine
from rollout.commands.doctor.finding import Level
from rollout.commands.doctor.rights import OF_A_PERSON, OF_NO_NAMESPACE, OF_THE_CONTROLLER, of_lease
from rollout.kube.client import HttpCluster
from rollout.resources.crd import definitions
from rollout.resources.writes import Create, Kind
from rollout.sandbox.apiserver import ApiServer
from rollout.sandbox.apiserver.users import EVERYTHING, User
from tests.commands.ward import ACCOUNT, NOW, TOKENS, Ward, ward

__all__ = ["ward"]
pytestmark = pytest.mark.system


def test_rights_that_a_person_lacks_are_named_with_the_rule_that_gives_them(ward: Ward) -> None:
    found = [f for f in ward.bad("reader") if f.check == "rights"]
    first = found[0]
    assert first.level is Level.PROBLEM
    assert "you may not create, patch releases.rollout.dev in namespace default" in first.message
    rule = '{apiGroups: ["rollout.dev"], resources: [releases], verbs: [create, patch]}'
    assert rule in first.mend
    assert [f.level for f in found[1:]] == [Level.WARNING] * 3
    assert "discard-edit" in found[2].message


def test_rights_that_the_controller_lacks_are_named(ward: Ward) -> None:
    found = ward.bad(as_controller=True)
    assert {f.check for f in found} == {"controller rights"}
    said = "\n".join(f.message for f in found)
    assert f"{ACCOUNT} may not patch releases/status.rollout.dev in namespace default" in said
    assert "may not watch, create, patch, delete services in namespace default" in said
    assert "may not create leases.coordination.k8s.io in namespace rollout-system" in said
    mended = "\n".join(f.mend for f in found)
    assert "verbs: [watch, patch], resourceNames: [rollout-controller]}" in mended


def test_an_account_that_may_do_all_is_well() -> None:
    strong = User("system:serviceaccount:default:rollout", rules=EVERYTHING)
    with ApiServer(tokens={**TOKENS, "own": strong}) as server:
        cluster = HttpCluster.for_server(server.url, "admin")
        for body in definitions():
            cluster.apply(Create(Kind.CUSTOM_RESOURCE_DEFINITION, "", body))
        visit = Visit("default", as_controller=True, account="default:rollout")
        found = [f for f in examine(cluster, visit, NOW) if f.check == "controller rights"]
        cluster.close()
    assert [f.level for f in found] == [Level.OK]


def test_every_right_has_its_purpose() -> None:
    rights = (*OF_A_PERSON, *OF_THE_CONTROLLER, *OF_NO_NAMESPACE, *of_lease("rollout-controller"))
    assert all(right.purpose and right.verbs for right in rights)
