"""The roles for people add themselves to Kubernetes' own: who has `view` sees releases."""

from typing import Final

import pytest

from tests import build
from tests.controlplane.access import Access
from tests.install.grounds import until
from tests.install.installed import apply, install_rights

pytestmark = [pytest.mark.system, pytest.mark.controlplane]
REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
READ: Final = ("get", "list", "watch")
WRITE: Final = ("create", "update", "patch", "delete")
ACTIONS: Final = ("promote", "promoteFull", "pause", "resume", "rollback")
KINDS: Final = ("releases", "rollouts", "rolloutpolicies")
EVERY: Final = {(v, k) for k in KINDS for v in (*READ, *WRITE)} | {(v, KINDS[0]) for v in ACTIONS}
MAY: Final = {
    "view": {(verb, kind) for kind in KINDS for verb in READ},
    "edit": EVERY,
    "admin": EVERY,
    "rollout-on-call": {(verb, kind) for kind in KINDS for verb in READ}
    | {(verb, "releases") for verb in ("patch", "pause", "resume", "rollback")},
}


@pytest.mark.parametrize("role", MAY)
def test_each_role_gives_what_it_says_and_no_more(
    control_plane: Access, namespace: str, role: str
) -> None:
    install_rights(control_plane)
    bound = ("create", "rolebinding", "carol", f"--clusterrole={role}", "--user=carol")
    control_plane.kubectl(*bound, namespace=namespace)
    until(lambda: may(control_plane, namespace, "list", "releases"), "the roles are joined")
    found = {(verb, kind) for verb, kind in EVERY if may(control_plane, namespace, verb, kind)}
    assert found == MAY[role]


def may(plane: Access, namespace: str, verb: str, kind: str) -> bool:
    asked = {"verb": verb, "group": "rollout.dev", "resource": kind, "namespace": namespace}
    with plane.client("carol") as client:
        answer = client.post(REVIEWS, json={"spec": {"resourceAttributes": asked}})
    return bool(answer.json()["status"]["allowed"])


def test_who_may_only_view_sees_a_release_and_changes_nothing(
    control_plane: Access, namespace: str
) -> None:
    install_rights(control_plane)
    bound = ("create", "rolebinding", "carol", "--clusterrole=view", "--user=carol")
    control_plane.kubectl(*bound, namespace=namespace)
    release = build.release()
    release["metadata"]["namespace"] = namespace
    apply(control_plane, [release])
    until(lambda: may(control_plane, namespace, "list", "releases"), "the roles are joined")
    seen = control_plane.kubectl("get", "rel", "-o", "name", user="carol", namespace=namespace)
    assert seen.stdout == "release.rollout.dev/web-v2\n"
    done = control_plane.kubectl(
        *("delete", "rel", "web-v2"), user="carol", namespace=namespace, check=False
    )
    assert 'cannot delete resource "releases" in API group "rollout.dev"' in done.stderr
