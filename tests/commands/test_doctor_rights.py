"""Rights that are lacking, of people and of the controller, each with the rule that gives it."""

import json
from pathlib import Path

import pytest

from rollout.commands.doctor.examine import Visit, examine
from rollout.commands.doctor.finding import Level
from rollout.commands.doctor.rights import OF_A_PERSON, OF_NO_NAMESPACE, OF_THE_CONTROLLER, of_lease
from rollout.kube.client import HttpCluster
from rollout.sandbox.apiserver import ApiServer
from rollout.sandbox.apiserver.users import EVERYTHING, User
from tests.commands.people import bind, doctor_of_bob, peopled, run_as_bob
from tests.commands.ward import ACCOUNT, NOW, TOKENS, Ward, ward
from tests.controlplane.access import Access as ControlPlane
from tests.defined import define

__all__ = ["peopled", "ward"]
pytestmark = pytest.mark.system
ACT = "act on one that runs"
ACTIONS = "take the actions of these names"
START = "start one"
MAKE = "make a Rollout, by init or a first start"
DISCARD = "discard an edit"


def test_rights_that_a_person_lacks_are_named_with_the_rule_that_gives_them(ward: Ward) -> None:
    found = [f for f in ward.bad("reader") if f.check == "rights"]
    assert {f.level for f in found} == {Level.WARNING}
    said = {f.message.partition(", which is needed to ")[2]: f for f in found}
    assert list(said) == [
        "act on one that runs",
        "take the actions of these names",
        "start one",
        "make a Rollout, by init or a first start",
        "discard an edit",
    ]
    assert said["start one"].message == (
        "you may not create releases.rollout.dev in namespace default, which is needed to start one"
    )
    assert said["start one"].mend == (
        "if that is wanted: have ClusterRole rollout-edit bound to you in namespace default, or a "
        'Role with {apiGroups: ["rollout.dev"], resources: [releases], verbs: [create]}'
    )


def test_who_may_not_even_look_has_a_problem(ward: Ward) -> None:
    found = [f for f in ward.visit("starter") if f.check == "rights"]
    assert found[0].level is Level.PROBLEM
    assert found[0].message == (
        "you may not get, list releases.rollout.dev and list rollouts.rollout.dev in namespace "
        "default, which is needed to look at releases"
    )
    assert found[0].mend == ("have ClusterRole rollout-view bound to you in namespace default")
    (start,) = (f for f in found if "needed to start one" in f.message)
    assert start.mend == (
        "if that is wanted: have ClusterRoles rollout-edit and view bound to you in namespace "
        "default"
    )
    assert "in namespace default you may act on one that runs" in found[-1].message


@pytest.mark.controlplane
@pytest.mark.parametrize(
    ("role", "probe", "lacks"),
    [
        ("view", "list releases.rollout.dev", [ACT, ACTIONS, START, MAKE, DISCARD]),
        ("edit", "create releases.rollout.dev", []),
        ("rollout-edit view", "list releases.rollout.dev", [DISCARD]),
        ("rollout-view", "list releases.rollout.dev", [ACT, ACTIONS, START, MAKE, DISCARD]),
        ("rollout-on-call", "rollback releases.rollout.dev", [ACTIONS, START, MAKE, DISCARD]),
    ],
)
def test_each_role_for_people_is_well_and_says_what_it_does_not_give(
    peopled: ControlPlane,
    namespace: str,
    tmp_path: Path,
    *,
    role: str,
    probe: str,
    lacks: list[str],
) -> None:
    bind(peopled, namespace, role, probe)
    done = doctor_of_bob(peopled, namespace, tmp_path)
    found = json.loads(done.stdout)
    rights = [finding for finding in found if finding["check"] == "rights"]
    assert [one["message"].partition(", which is needed to ")[2] for one in rights[:-1]] == lacks
    assert rights[-1]["level"] == "ok"
    assert [finding for finding in found if finding["level"] == "problem"] == []
    assert done.returncode == 0


@pytest.mark.controlplane
def test_who_may_not_do_something_is_told_where_to_learn_what_is_lacking(
    peopled: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    bind(peopled, namespace, "rollout-on-call", "rollback releases.rollout.dev")
    refused = run_as_bob(peopled, namespace, tmp_path, "ops", "pods")
    assert refused.returncode == 1
    assert refused.stderr.startswith("rollout: not allowed: ")
    assert refused.stderr.endswith("; `rollout doctor` names the role that has it\n")
    assert "cannot " in refused.stderr


def test_rights_that_the_controller_lacks_are_named(ward: Ward) -> None:
    found = ward.bad(as_controller=True)
    assert {f.check for f in found} == {"controller rights"}
    said = "\n".join(f.message for f in found)
    assert f"{ACCOUNT} may not patch releases/status.rollout.dev in namespace default" in said
    assert "may not watch, create, patch, delete services in namespace default" in said
    assert (
        "may not create leases.coordination.k8s.io and watch, patch leases.coordination.k8s.io "
        "rollout-controller in namespace rollout-system, which is needed to lead alone"
    ) in said
    mended = "\n".join(f.mend for f in found)
    assert "verbs: [watch, patch], resourceNames: [rollout-controller]}" in mended


def test_an_account_that_may_do_all_is_well() -> None:
    strong = User("system:serviceaccount:default:rollout", rules=EVERYTHING)
    with ApiServer(tokens={**TOKENS, "own": strong}) as server:
        cluster = HttpCluster.for_server(server.url, "admin")
        define(cluster)
        visit = Visit("default", as_controller=True, account="default:rollout")
        found = [f for f in examine(cluster, visit, NOW) if f.check == "controller rights"]
        cluster.close()
    assert [f.level for f in found] == [Level.OK]


def test_every_right_has_its_purpose() -> None:
    rights = (*OF_A_PERSON, *OF_THE_CONTROLLER, *OF_NO_NAMESPACE, *of_lease("rollout-controller"))
    assert all(right.purpose and right.verbs for right in rights)
