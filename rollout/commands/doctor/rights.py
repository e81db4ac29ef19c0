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


FOLLOW: Final = ("list", "watch")
CHANGE: Final = (*FOLLOW, "create", "patch", "delete")
ACTIONS: Final = ("promote", "promoteFull", "pause", "resume", "rollback")

LOOK: Final = "look at releases"
ACT: Final = "act on one that runs"
START: Final = "start one"
DISCARD: Final = "discard an edit"
_STARTING: Final = partial(Right, purpose=START, level=Level.WARNING)

OF_A_PERSON: Final = (
    Right(GROUP, "releases", ("get", "list"), LOOK),
    Right(GROUP, "rollouts", ("list",), LOOK),
    Right(GROUP, "releases", ("patch",), ACT, Level.WARNING),
    Right(GROUP, "releases", ACTIONS, "take the actions of these names", Level.WARNING),
    _STARTING(GROUP, "releases", ("create",)),
    _STARTING(GROUP, "rollouts", ("get",)),
    _STARTING(GROUP, "rolloutpolicies", ("list",)),
    _STARTING("apps", "deployments", ("get", "list")),
    _STARTING("apps", "replicasets", ("list",)),
    _STARTING("", "pods", ("list",)),
    _STARTING("", "services", ("list",)),
    _STARTING("networking.k8s.io", "ingresses", ("list",)),
    Right(
        GROUP, "rollouts", ("create",), "make a Rollout, by init or a first start", Level.WARNING
    ),
    Right("apps", "deployments", ("patch",), DISCARD, Level.WARNING),
)
"""What the command line asks of the cluster in a person's name.

Who may only look is no problem: each of the roles for people gives what its holders are to do.
"""

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
    Right("", "namespaces", ("get",), "hold nothing back while it is deleted", Level.WARNING),
)
"""What the controller asks of a namespace that it serves."""

OF_NO_NAMESPACE: Final = (
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
    """Say what the person who asks may do, and what not."""
    asked = _Asked(PERSON, "you", lambda access: may_i(cluster, access), by_role=True)
    lacking = list(asked.lacking(OF_A_PERSON, namespace))
    yield from _told(asked, lacking, namespace)
    unmet = {one.right.purpose for one in lacking}
    met = [p for p in dict.fromkeys(right.purpose for right in OF_A_PERSON) if p not in unmet]
    if met:
        yield ok(PERSON, f"in namespace {namespace} you may {', '.join(met)}")


def of_lease(name: str) -> tuple[Right, ...]:
    """Say what the controller asks of its own namespace: RBAC cannot bound a create by name."""
    leases = partial(Right, "coordination.k8s.io", "leases", purpose="lead alone")
    return (leases(("create",)), leases(("get", "watch", "patch"), name=name))


def of_account(
    cluster: Cluster, namespace: str, account: str, lease: str, more: Iterable[Right] = ()
) -> Iterator[Finding]:
    """Say what a service account, named `namespace:name`, may not do that the controller does.

    `more` is asked in the namespace beside what the role of the installation gives.
    """
    name = f"system:serviceaccount:{account}"
    home = account.partition(":")[0]
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{home}", "system:authenticated")
    person = Person(name, groups)
    asked = _Asked(CONTROLLER, name, lambda access: may(cluster, person, access))
    spaces = (
        ((*OF_THE_CONTROLLER, *more), namespace),
        (OF_NO_NAMESPACE, EVERYWHERE),
        (of_lease(lease), home),
    )
    try:
        found = [
            finding
            for rights, space in spaces
            for finding in _told(asked, asked.lacking(rights, space), space)
        ]
    except Forbidden as error:
        mend = "ask somebody who may create subjectaccessreviews (authorization.k8s.io)"
        yield warning(CONTROLLER, f"you may not ask what others may do: {error}", mend)
        return
    yield from found
    if not found:
        yield ok(CONTROLLER, f"{name} may do all that the controller does in {namespace}")


@dataclass(frozen=True)
class _Lacking:
    """Verbs of a right that somebody does not have."""

    right: Right
    verbs: list[str]

    @property
    def what(self) -> str:
        """The verbs and the resource, in words."""
        of = self.right
        resource = f"{of.resource}.{of.group}" if of.group else of.resource
        return f"{', '.join(self.verbs)} {resource}{f' {of.name}' if of.name else ''}"

    @property
    def role(self) -> str:
        """The role for people that has them: one of ours, or of Kubernetes' own."""
        of = self.right
        looks = set(of.verbs) <= {"get", "list"}
        if of.group != GROUP:
            return "view" if looks else "edit"
        if of.purpose == ACT:
            return "rollout-on-call"
        return "rollout-view" if looks else "rollout-edit"

    @property
    def rule(self) -> str:
        """The rule of a Role that gives them."""
        of = self.right
        one = f", resourceNames: [{of.name}]" if of.name else ""
        return (
            f'{{apiGroups: ["{of.group}"], resources: [{of.resource}], '
            f"verbs: [{', '.join(self.verbs)}]{one}}}"
        )


@dataclass(frozen=True)
class _Asked:
    """Whose rights are asked for, and how."""

    check: str
    who: str
    allowed: Callable[[Access], bool]
    by_role: bool = False
    """Whether roles for people have what is lacking."""

    def lacking(self, rights: Iterable[Right], namespace: str) -> Iterator[_Lacking]:
        """Ask for each verb by itself."""
        for right in rights:
            asked = [
                Access(verb, namespace, right.resource, right.name, group=right.group)
                for verb in right.verbs
            ]
            missing = [access.verb for access in asked if not self.allowed(access)]
            if missing:
                yield _Lacking(right, missing)


def _told(asked: _Asked, lacking: Iterable[_Lacking], space: str) -> Iterator[Finding]:
    """Word what is lacking for one purpose as one finding."""
    by_purpose = dict[tuple[str, Level], list[_Lacking]]()
    for one in lacking:
        by_purpose.setdefault((one.right.purpose, one.right.level), []).append(one)
    for (purpose, level), ones in by_purpose.items():
        what = " and ".join(one.what for one in ones)
        where = f" in namespace {space}" if space else ""
        mend = _by_roles(ones, where) if asked.by_role else _by_rules(ones, asked.who, space)
        yield Finding(
            asked.check,
            level,
            f"{asked.who} may not {what}{where}, which is needed to {purpose}",
            mend if level is Level.PROBLEM else f"if that is wanted: {mend}",
        )


def _by_rules(lacking: Iterable[_Lacking], who: str, space: str) -> str:
    rules = " and ".join(one.rule for one in lacking)
    return f"add {rules} to a {'Role' if space else 'ClusterRole'} that is bound to {who}"


def _by_roles(lacking: list[_Lacking], where: str) -> str:
    """Name the roles that have it; a single rule as well, for who wants no more than that."""
    roles = list(dict.fromkeys(one.role for one in lacking))
    if "view" in roles:  # Kubernetes has joined ours into it
        roles = [role for role in roles if role != "rollout-view"]
    kind = "ClusterRole" if len(roles) == 1 else "ClusterRoles"
    mend = f"have {kind} {' and '.join(roles)} bound to you{where}"
    return f"{mend}, or a Role with {lacking[0].rule}" if len(lacking) == 1 else mend
