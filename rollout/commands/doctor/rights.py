"""Rights, asked of the cluster itself: what a person needs, and what the controller does."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from rollout.commands.doctor.finding import Finding, Level, ok, warning
from rollout.kube.cluster import Cluster
from rollout.kube.errors import Forbidden
from rollout.kube.reviews import Access, Person, may, may_i
from rollout.resources.words import GROUP

PERSON: Final = "rights"
CONTROLLER: Final = "controller rights"
EVERYWHERE: Final = ""


@dataclass(frozen=True)
class Right:
    """Verbs on a resource, and what they are needed for."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    purpose: str
    level: Level = Level.PROBLEM
    name: str = ""
    """The one object that it is about; empty for all."""


LOOK: Final = ("get", "list")
FOLLOW: Final = ("list", "watch")
CHANGE: Final = (*FOLLOW, "create", "patch", "delete")
ACTIONS: Final = ("promote", "promoteFull", "pause", "resume", "rollback")

OF_A_PERSON: Final = (
    Right(GROUP, "releases", (*LOOK, "create", "patch"), "start, look and act"),
    Right(GROUP, "rollouts", LOOK, "start and look"),
    Right(GROUP, "rolloutpolicies", ("list",), "start"),
    Right("apps", "deployments", LOOK, "start, and see what would stand against it"),
    Right("apps", "replicasets", ("list",), "start and undo"),
    Right("", "pods", ("list",), "start, and see what serves"),
    Right("", "services", ("list",), "start"),
    Right("networking.k8s.io", "ingresses", ("list",), "start"),
    Right(GROUP, "rollouts", ("create",), "init --apply and a first start", Level.WARNING),
    Right("apps", "deployments", ("patch",), "discard-edit", Level.WARNING),
    Right(GROUP, "releases", ACTIONS, "the actions of the same names", Level.WARNING),
)
"""What the command line asks of the cluster in a person's name."""

OF_THE_CONTROLLER: Final = (
    Right(GROUP, "releases", ("get", *FOLLOW, "patch", "delete"), "carry releases out"),
    Right(
        GROUP,
        "releases",
        ("create",),
        "start for people who use the HTTP API, and with trigger Template",
        Level.WARNING,
    ),
    Right(GROUP, "rollouts", (*FOLLOW, "patch"), "follow Rollouts"),
    Right(
        GROUP,
        "rollouts",
        ("get", "create", "delete"),
        "start for people who use the HTTP API",
        Level.WARNING,
    ),
    Right(GROUP, "releases/status", ("patch",), "remember where a release is"),
    Right(GROUP, "rollouts/status", ("patch",), "say what a Rollout does"),
    Right(GROUP, "rolloutpolicies", FOLLOW, "judge"),
    Right("apps", "deployments", CHANGE, "make candidates, and hold targets"),
    Right(
        "apps",
        "deployments",
        ("get",),
        "show one to people who use the HTTP API",
        Level.WARNING,
    ),
    Right("apps", "replicasets", FOLLOW, "know which template serves"),
    Right("", "pods", FOLLOW, "know which pods are ready"),
    Right("", "services", CHANGE, "move traffic"),
    Right("networking.k8s.io", "ingresses", CHANGE, "move traffic by weight"),
    Right("autoscaling", "horizontalpodautoscalers", FOLLOW, "size candidates", Level.WARNING),
    Right("events.k8s.io", "events", ("create", "patch"), "tell of releases", Level.WARNING),
)
"""What the controller asks of a namespace that it serves."""

OF_NO_NAMESPACE: Final = (
    Right("", "namespaces", ("get",), "hold nothing back in one that is deleted", Level.WARNING),
    Right(
        "networking.k8s.io",
        "ingressclasses",
        FOLLOW,
        "know which Ingresses honour weights",
        Level.WARNING,
    ),
    Right(
        "authentication.k8s.io",
        "tokenreviews",
        ("create",),
        "know who calls the HTTP API",
        Level.WARNING,
    ),
    Right(
        "authorization.k8s.io",
        "subjectaccessreviews",
        ("create",),
        "know what those who call the HTTP API may do",
        Level.WARNING,
    ),
)
"""What it asks of the whole cluster."""


def of_person(cluster: Cluster, namespace: str) -> Iterator[Finding]:
    """Say what the person who asks may not do."""
    lacking = list(
        _lacking(OF_A_PERSON, namespace, lambda access: may_i(cluster, access), PERSON, "you")
    )
    yield from lacking
    if not lacking:
        yield ok(PERSON, f"you may start, act and look in namespace {namespace}")


def of_lease(name: str) -> tuple[Right, ...]:
    """Say what the controller asks of its own namespace: RBAC cannot bound a create by name."""
    leases = partial(Right, "coordination.k8s.io", "leases", purpose="lead alone")
    return (leases(("create",)), leases(("get", "watch", "patch"), name=name))


def of_account(cluster: Cluster, namespace: str, account: str, lease: str) -> Iterator[Finding]:
    """Say what a service account, named `namespace:name`, may not do that the controller does."""
    name = f"system:serviceaccount:{account}"
    home = account.partition(":")[0]
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{home}", "system:authenticated")
    person = Person(name, groups)
    asked = (
        (OF_THE_CONTROLLER, namespace),
        (OF_NO_NAMESPACE, EVERYWHERE),
        (of_lease(lease), home),
    )
    try:
        lacking = [
            finding
            for rights, space in asked
            for finding in _lacking(
                rights, space, lambda access: may(cluster, person, access), CONTROLLER, name
            )
        ]
    except Forbidden as error:
        mend = "ask somebody who may create subjectaccessreviews (authorization.k8s.io)"
        yield warning(CONTROLLER, f"you may not ask what others may do: {error}", mend)
        return
    yield from lacking
    if not lacking:
        yield ok(CONTROLLER, f"{name} may do all that the controller does in {namespace}")


def _lacking(
    rights: Iterable[Right],
    namespace: str,
    allowed: Callable[[Access], bool],
    check: str,
    who: str,
) -> Iterator[Finding]:
    for right in rights:
        asked = [
            Access(verb, namespace, right.resource, right.name, group=right.group)
            for verb in right.verbs
        ]
        missing = [access.verb for access in asked if not allowed(access)]
        if missing:
            yield _missing(right, missing, namespace, check, who)


def _missing(right: Right, verbs: list[str], space: str, check: str, who: str) -> Finding:
    what = f"{right.resource}.{right.group}" if right.group else right.resource
    where = f" in namespace {space}" if space else ""
    one = f", resourceNames: [{right.name}]" if right.name else ""
    rule = (
        f'{{apiGroups: ["{right.group}"], resources: [{right.resource}], '
        f"verbs: [{', '.join(verbs)}]{one}}}"
    )
    kind = "Role" if space else "ClusterRole"
    return Finding(
        check,
        right.level,
        f"{who} may not {', '.join(verbs)} {what}{where}, which is needed to {right.purpose}",
        f"add {rule} to a {kind} that is bound to {who}",
    )
