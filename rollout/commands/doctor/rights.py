"""Rights, asked of the cluster itself: what a person needs, and what the controller does."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
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
    namespaced: bool = True


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
    Right(GROUP, "rollouts", (*FOLLOW, "patch"), "follow Rollouts"),
    Right(GROUP, "releases/status", ("patch",), "remember where a release is"),
    Right(GROUP, "rollouts/status", ("patch",), "say what a Rollout does"),
    Right(GROUP, "rolloutpolicies", FOLLOW, "judge"),
    Right("apps", "deployments", CHANGE, "make candidates, and hold targets"),
    Right("apps", "replicasets", FOLLOW, "know which template serves"),
    Right("", "pods", FOLLOW, "know which pods are ready"),
    Right("", "services", CHANGE, "move traffic"),
    Right("networking.k8s.io", "ingresses", CHANGE, "move traffic by weight"),
    Right("autoscaling", "horizontalpodautoscalers", FOLLOW, "size candidates", Level.WARNING),
    Right("events.k8s.io", "events", ("create", "patch"), "tell of releases", Level.WARNING),
    Right(
        "networking.k8s.io",
        "ingressclasses",
        FOLLOW,
        "know which Ingresses honour weights",
        Level.WARNING,
        namespaced=False,
    ),
)
"""What the controller asks of the cluster, beside its Lease."""


def of_person(cluster: Cluster, namespace: str) -> Iterator[Finding]:
    """Say what the person who asks may not do."""
    lacking = list(
        _lacking(OF_A_PERSON, namespace, lambda access: may_i(cluster, access), PERSON, "you")
    )
    yield from lacking
    if not lacking:
        yield ok(PERSON, f"you may start, act and look in namespace {namespace}")


def of_account(cluster: Cluster, namespace: str, account: str, leases: str) -> Iterator[Finding]:
    """Say what a service account, named `namespace:name`, may not do that the controller does."""
    name = f"system:serviceaccount:{account}"
    home = account.partition(":")[0]
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{home}", "system:authenticated")
    person = Person(name, groups)
    lease = Right("coordination.k8s.io", "leases", ("create",), "lead alone")
    try:
        lacking = [
            *_lacking(
                OF_THE_CONTROLLER,
                namespace,
                lambda access: may(cluster, person, access),
                CONTROLLER,
                name,
            ),
            *_lacking([lease], leases, lambda a: may(cluster, person, a), CONTROLLER, name),
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
        space = namespace if right.namespaced else EVERYWHERE
        asked = [Access(v, space, right.resource, group=right.group) for v in right.verbs]
        missing = [access.verb for access in asked if not allowed(access)]
        if missing:
            yield _missing(right, missing, space, check, who)


def _missing(right: Right, verbs: list[str], space: str, check: str, who: str) -> Finding:
    what = f"{right.resource}.{right.group}" if right.group else right.resource
    where = f" in namespace {space}" if space else ""
    rule = (
        f'{{apiGroups: ["{right.group}"], resources: [{right.resource}], '
        f"verbs: [{', '.join(verbs)}]}}"
    )
    kind = "Role" if space else "ClusterRole"
    return Finding(
        check,
        right.level,
        f"{who} may not {', '.join(verbs)} {what}{where}, which is needed to {right.purpose}",
        f"add {rule} to a {kind} that is bound to {who}",
    )
