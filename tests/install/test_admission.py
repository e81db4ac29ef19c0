"""Two people of different rights: kubectl and the command line obey one set of rules.

bob is on call (he may pause, resume and roll back), alice has Kubernetes' own `edit` role.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx
import pytest

from rollout.kube.client import HttpCluster
from rollout.kube.errors import Forbidden, Invalid
from rollout.resources.writes import Create, Kind, Object, Patch, PatchType
from tests import build, forked
from tests.controlplane.access import Access
from tests.install.installed import ACCOUNT, account_token, give_rights, install_rights

pytestmark = [pytest.mark.system, pytest.mark.controlplane]
AT: Final = "2026-01-01T00:00:00Z"
Done = subprocess.CompletedProcess[str]


class Place:
    """A namespace in which the Release web-v2 runs, and the people there."""

    def __init__(self, plane: Access, namespace: str) -> None:
        self.plane, self.namespace = plane, namespace
        ca = str(plane.ca_file)
        self.admin = HttpCluster.for_server(plane.url, plane.token(), ca)
        self.controller = HttpCluster.for_server(plane.url, account_token(plane), ca)

    def kubectl(self, user: str, *arguments: str, stdin: str | None = None) -> Done:
        """Run kubectl as somebody."""
        return self.plane.kubectl(
            *arguments, user=user, namespace=self.namespace, stdin=stdin, check=False
        )

    def patch(self, user: str, action: Object | None, *options: str) -> Done:
        """Write an action (None: take it away) with kubectl."""
        body = json.dumps({"spec": {"action": action}})
        return self.kubectl(user, "patch", "rel", "web-v2", "--type=merge", "-p", body, *options)

    def rollout(self, user: str, *arguments: str) -> Done:
        """Run our command line as somebody."""
        place = ("-n", self.namespace, "--context", user)
        words = (*place, "--kubeconfig", str(self.plane.kubeconfig), *arguments)
        return forked.run(words, {**os.environ, "ROLLOUT_USER": "somebody-else"}, 50)

    @property
    def action(self) -> Object | None:
        """What the Release is asked now."""
        found: Object | None = self.admin.get(Kind.RELEASE, self.namespace, "web-v2")["spec"].get(
            "action"
        )
        return found

    def close(self) -> None:
        """Close both connections."""
        self.admin.close()
        self.controller.close()


@pytest.fixture
def place(control_plane: Access, namespace: str) -> Iterator[Place]:
    install_rights(control_plane)
    give_rights(control_plane, namespace)
    for user, role in (("alice", "edit"), ("bob", "rollout-on-call")):
        control_plane.kubectl(
            *("create", "rolebinding", user, f"--clusterrole={role}", f"--user={user}"),
            namespace=namespace,
        )
    found = Place(control_plane, namespace)
    kinds = {kind.value.kind: kind for kind in Kind}
    for body in build.shop():
        found.admin.apply(Create(kinds[body["kind"]], namespace, body))
    status = {"status": {"phase": "Progressing"}}
    found.admin.apply(Patch(Kind.RELEASE, namespace, "web-v2", PatchType.MERGE, status, "status"))
    until(lambda: found.kubectl("alice", "auth", "can-i", "promote", "rel").returncode == 0)
    account = f"--as={ACCOUNT}"
    until(lambda: found.kubectl("admin", "auth", "can-i", "patch", "rel", account).returncode == 0)
    yield found
    found.close()


def until(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not claim():
        assert time.monotonic() < deadline, "not within 30 s"
        time.sleep(0.05)


def action(type_: str, by: str, id_: str = "a1") -> dict[str, Any]:
    return {"id": id_, "type": type_, "by": by, "at": AT}


@pytest.mark.parametrize(
    ("user", "verb"), [("alice", "promote"), ("alice", "rollback"), ("bob", "rollback")]
)
def test_whoever_has_the_verb_may_act(place: Place, user: str, verb: str) -> None:
    done = place.patch(user, action(verb, user))
    assert done.returncode == 0, done.stderr
    assert place.action == {**action(verb, user), "reason": ""}


@pytest.mark.parametrize("verb", ["promote", "promoteFull"])
def test_without_the_verb_kubectl_is_refused_with_the_rule_to_add(place: Place, verb: str) -> None:
    done = place.patch("bob", action(verb, "bob"))
    assert done.returncode == 1
    assert f'"bob" may not {verb} release web-v2 in namespace {place.namespace}' in done.stderr
    assert f'the verb "{verb}" on releases.rollout.dev is missing' in done.stderr
    rule = f"{{apiGroups: [rollout.dev], resources: [releases], verbs: [{verb}]}}"
    assert rule in done.stderr
    assert place.action is None


def test_the_rule_that_a_refusal_shows_is_the_one_that_helps(place: Place) -> None:
    said = place.patch("bob", action("promote", "bob")).stderr
    rule = said[said.index("{apiGroups") :].strip()
    named = "metadata: {name: more}, apiVersion: rbac.authorization.k8s.io/v1"
    role = f"{{kind: Role, {named}, rules: [{rule}]}}"
    place.plane.kubectl("apply", "-f", "-", stdin=role, namespace=place.namespace)
    bind = ("create", "rolebinding", "more", "--role=more", "--user=bob")
    place.plane.kubectl(*bind, namespace=place.namespace)
    until(lambda: place.patch("bob", action("promote", "bob")).returncode == 0)


def test_nobody_acts_under_another_name(place: Place) -> None:
    for forged in ("alice", "", "system:serviceaccount:rollout-system:rollout-controller"):
        done = place.patch("bob", action("rollback", forged))
        assert done.returncode == 1
        assert f'spec.action.by is "{forged}", but it is "bob" who asks' in done.stderr
    assert place.patch("admin", action("rollback", "alice")).returncode == 1, "not even they"
    assert place.action is None


def test_a_person_in_anothers_clothes_acts_as_that_other(place: Place) -> None:
    done = place.patch("admin", action("promote", "bob"), "--as=bob")
    assert done.returncode == 1
    assert '"bob" may not promote' in done.stderr
    assert place.patch("admin", action("pause", "bob"), "--as=bob").returncode == 0


def test_what_leaves_the_action_alone_passes(place: Place) -> None:
    assert place.patch("alice", action("promote", "alice")).returncode == 0
    before = place.action
    assert place.kubectl("bob", "label", "rel", "web-v2", "seen=yes").returncode == 0
    for finalizers in (["example.com/mine"], []):
        body = json.dumps({"metadata": {"finalizers": finalizers}})
        merge = ("--type=merge", "-p", body)
        assert place.kubectl("bob", "patch", "rel", "web-v2", *merge).returncode == 0
    shown = place.kubectl("alice", "get", "rel", "web-v2", "-o", "json").stdout
    assert place.kubectl("alice", "replace", "-f", "-", stdin=shown).returncode == 0
    assert place.action == before
    assert place.kubectl("alice", "delete", "rel", "web-v2").returncode == 0


def test_a_waiting_action_is_taken_away_only_by_those_who_could_give_it(place: Place) -> None:
    assert place.patch("alice", action("promote", "alice")).returncode == 0
    done = place.patch("bob", None)
    assert done.returncode == 1
    assert '"bob" may not promote' in done.stderr
    assert place.patch("alice", None).returncode == 0
    assert place.action is None


def test_a_release_is_started_in_the_own_name_and_with_the_right_to_act(place: Place) -> None:
    def start(user: str, **spec: Any) -> Done:
        body = build.release()
        body["metadata"] = {"name": "web-v3"}
        body["spec"] = {"rollout": "web", "version": "v3", **spec}
        return place.kubectl(user, "create", "-f", "-", stdin=json.dumps(body))

    done = start("alice", by="bob")
    assert done.returncode == 1
    assert 'spec.by is "bob", but it is "alice" who asks: write that name' in done.stderr
    assert start("alice", action=action("promote", "bob")).returncode == 1
    assert start("bob").returncode == 1, "on call starts nothing"
    assert start("alice", by="alice", action=action("pause", "alice")).returncode == 0


@pytest.fixture
def carol(place: Place) -> str:
    """Somebody who ships, as a pipeline does: creates releases and changes Rollouts, no more."""
    rights = (
        "--verb=get,list,create,patch",
        "--resource=releases.rollout.dev,rollouts.rollout.dev",
    )
    place.plane.kubectl("create", "role", "ships", *rights, namespace=place.namespace)
    bind = ("create", "rolebinding", "carol", "--role=ships", "--user=carol")
    place.plane.kubectl(*bind, namespace=place.namespace)
    until(lambda: place.kubectl("carol", "auth", "can-i", "create", "rel").returncode == 0)
    return "carol"


def ship(place: Place, user: str, **spec: Any) -> Done:
    body = build.release()
    body["metadata"] = {"generateName": "web-v3-"}
    body["spec"] = {"rollout": "web", "version": "v3", **spec}
    return place.kubectl(user, "create", "-f", "-", stdin=json.dumps(body))


INLINE: Final = {"inline": {"metrics": [{"name": "errors", "kind": "Ratio"}]}}
AT_MINE: Final = {
    "inline": {
        **INLINE["inline"],
        "provider": {
            "kind": "Prometheus",
            "address": "http://mine.example.com",
            "bearerToken": {"secretRef": {"name": "prometheus", "key": "token"}},
        },
    }
}


def test_the_fast_path_needs_the_right_to_promote_fully(place: Place, carol: str) -> None:
    assert ship(place, carol).returncode == 0
    done = ship(place, carol, fast=True)
    assert done.returncode == 1
    assert '"carol" may not start a release on the fast path (spec.fast: true)' in done.stderr
    assert "resources: [releases], verbs: [promoteFull]}" in done.stderr
    assert ship(place, "alice", fast=True).returncode == 0


def test_who_may_not_write_policies_names_no_provider_inline(place: Place, carol: str) -> None:
    assert ship(place, carol, overrides={"policy": INLINE}).returncode == 0
    done = ship(place, carol, overrides={"policy": AT_MINE})
    assert done.returncode == 1
    assert 'spec.overrides.policy.inline.provider: "carol" may not name a metrics' in done.stderr
    assert "resources: [rolloutpolicies], verbs: [create]}" in done.stderr
    assert ship(place, "alice", overrides={"policy": AT_MINE}).returncode == 0


def test_nor_in_a_rollout_unless_it_is_there_already(place: Place, carol: str) -> None:
    def name(user: str, policy: Any, **spec: Any) -> Done:
        body = json.dumps({"spec": {"policy": policy, **spec}})
        return place.kubectl(user, "patch", "ro", "web", "--type=merge", "-p", body)

    done = name(carol, {"name": None, **AT_MINE})
    assert done.returncode == 1
    assert 'spec.policy.inline.provider: "carol" may not name a metrics provider' in done.stderr
    assert name("alice", {"name": None, **AT_MINE}).returncode == 0
    assert name(carol, AT_MINE, historyLimit=5).returncode == 0


def test_the_controller_writes_actions_for_others(place: Place) -> None:
    body = {"spec": {"action": action("promote", "zoe")}}
    write = Patch(Kind.RELEASE, place.namespace, "web-v2", PatchType.MERGE, body)
    assert place.controller.apply(write)["spec"]["action"]["by"] == "zoe"
    with pytest.raises(Invalid):
        place.controller.apply(
            Patch(Kind.RELEASE, place.namespace, "web-v2", PatchType.MERGE, {"spec": {"by": "x"}})
        )


def test_another_account_of_the_same_name_is_not_the_controller(place: Place) -> None:
    account = ("rollout-controller", "-n", place.namespace)
    place.plane.kubectl("create", "serviceaccount", *account)
    subject = f"--serviceaccount={place.namespace}:rollout-controller"
    bind = ("create", "rolebinding", "same", "--clusterrole=rollout-on-call", subject)
    place.plane.kubectl(*bind, namespace=place.namespace)
    token = place.plane.kubectl("create", "token", *account).stdout.strip()
    path = f"/apis/rollout.dev/v1alpha1/namespaces/{place.namespace}/releases/web-v2"
    with place.plane.client() as client:
        answer = client.patch(
            path,
            json={"spec": {"action": action("promote", "zoe")}},
            headers={
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/merge-patch+json",
            },
        )
    assert answer.status_code == httpx.codes.FORBIDDEN
    assert 'spec.action.by is "zoe"' in answer.json()["message"]


def test_status_is_written_by_the_controller_alone(place: Place) -> None:
    body = {"status": {"phase": "Succeeded"}}
    write = Patch(Kind.RELEASE, place.namespace, "web-v2", PatchType.MERGE, body, "status")
    for user in ("alice", "bob"):
        plane = place.plane
        with (
            HttpCluster.for_server(plane.url, plane.token(user), str(plane.ca_file)) as cluster,
            pytest.raises(Forbidden, match='cannot patch resource "releases/status"'),
        ):
            cluster.apply(write)
    assert place.controller.apply(write)["status"]["phase"] == "Succeeded"


def test_the_command_line_obeys_the_same_rules(place: Place) -> None:
    refused = place.rollout("bob", "promote", "--reason", "looks good")
    assert refused.returncode == 1
    assert "rollout: not allowed: " in refused.stderr
    assert 'the verb "promote" on releases.rollout.dev is missing' in refused.stderr
    assert place.action is None
    done = place.rollout("bob", "rollback", "--reason", "latency")
    assert done.returncode == 0, done.stderr
    assert place.action is not None
    assert (place.action["type"], place.action["by"]) == ("rollback", "bob")


def test_whoever_may_edit_starts_and_promotes_by_the_command_line(place: Place) -> None:
    assert place.rollout("alice", "promote").returncode == 0
    assert place.action is not None
    assert (place.action["type"], place.action["by"]) == ("promote", "alice")
    place.kubectl("alice", "delete", "rel", "web-v2")
    done = place.rollout("alice", "start", "v3", "--rollout", "web")
    assert done.returncode == 0, done.stderr
    (release,) = place.admin.list(Kind.RELEASE, place.namespace).items
    assert release["spec"]["by"] == "alice"
