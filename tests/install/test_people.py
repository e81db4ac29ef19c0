"""The roles for people add themselves to Kubernetes' own: who has `view` sees releases."""

from typing import Final

import pytest

from rollout.commands.doctor.rights import ACT, DISCARD, OF_A_PERSON, Right
from tests import build
from tests.controlplane.access import Access
from tests.install.grounds import until
from tests.install.installed import apply, install_rights

pytestmark = [pytest.mark.system, pytest.mark.controlplane]
REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
READ: Final = ("get", "list", "watch")
WRITE: Final = ("create", "update", "patch", "delete")
ACTIONS: Final = ("promote", "promoteFull", "pause", "resume", "rollback", "retry")
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


READING: Final = (
    Right("", "pods/log", ("get",), "logs"),
    Right("events.k8s.io", "events", ("list", "watch"), "events"),
    Right("autoscaling", "horizontalpodautoscalers", ("list",), "hpa"),
    *(right for right in OF_A_PERSON if set(right.verbs) <= {"get", "list"}),
)
"""What `rollout ops` and the runbook read, and what a start reads."""
STOPPING: Final = (*READING, Right("rollout.dev", "releases", ("patch", "pause", "rollback"), ACT))
SHIPPING: Final = (*READING, *(right for right in OF_A_PERSON if right.purpose != DISCARD))
HANDS: Final = (
    *SHIPPING,
    *OF_A_PERSON,
    Right("apps", "deployments/scale", ("patch",), "scale"),
    Right("", "pods/exec", ("get", "create"), "exec"),
    Right("", "pods/portforward", ("get", "create"), "port-forward"),
    Right("", "services", ("patch",), "move traffic by hand"),
    Right("networking.k8s.io", "ingresses", ("patch",), "move traffic by hand"),
)


@pytest.mark.parametrize(
    ("roles", "rights", "lacks"),
    [
        (("view",), READING, ("patch", "releases")),
        (("rollout-on-call", "view"), STOPPING, ("create", "releases")),
        (("rollout-edit", "view"), SHIPPING, ("patch", "deployments")),
        (("edit",), HANDS, ("get", "nodes")),
        (("rollout-on-call",), (), ("list", "pods")),
        (("rollout-edit",), (), ("list", "rollouts")),
    ],
)
def test_roles_add_up_as_the_security_page_says(
    control_plane: Access,
    namespace: str,
    roles: tuple[str, ...],
    rights: tuple[Right, ...],
    lacks: tuple[str, str],
) -> None:
    install_rights(control_plane)
    for role in roles:
        bound = ("create", "rolebinding", f"carol-{role}", f"--clusterrole={role}", "--user=carol")
        control_plane.kubectl(*bound, namespace=namespace)
    probe = "create" if roles == ("rollout-edit",) else "list"
    until(lambda: may(control_plane, namespace, probe, "releases"), "the roles are joined")
    asked = [(verb, of.resource, of.group) for of in rights for verb in of.verbs]
    assert [one for one in asked if not may(control_plane, namespace, *one)] == []
    group = next((of.group for of in HANDS if of.resource == lacks[1]), "")
    assert not may(control_plane, namespace, *lacks, group)


def may(plane: Access, namespace: str, verb: str, kind: str, group: str = "rollout.dev") -> bool:
    resource, _, part = kind.partition("/")
    asked = {"verb": verb, "group": group, "resource": resource, "subresource": part}
    asked["namespace"] = namespace
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
