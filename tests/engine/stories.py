"""What can happen to a release, as data: who does what when, and how it must end.

Each story is played in the simulated world, and cut after every single write.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from rollout.resources.release import Phase, Release
from rollout.resources.writes import Delete, Kind, Object
from rollout.simulate.kubelet import Behaviour
from rollout.simulate.world import NAMESPACE, Judge, World
from tests.build import blue_green, canary, deployment, ingress, release, rollout, service, shop

When = Callable[[World, Release], bool]
Act = Callable[[World], None]


@dataclass(frozen=True)
class Deed:
    """Something that somebody does once, when something holds."""

    when: When
    act: Act


@dataclass(frozen=True)
class Written:
    """What somebody does behind a write, in the middle of a pass."""

    phase: Phase
    action: str
    act: Act


@dataclass(frozen=True)
class Story:
    """A release and what becomes of it."""

    name: str
    end: Phase
    reason: str
    strategy: dict[str, Any] = field(default_factory=canary)
    judge: Judge = field(default_factory=Judge)
    behaviour: Callable[[Object], Behaviour] = lambda _: Behaviour(startup=1.0)
    deeds: tuple[Deed, ...] = ()
    replicas: int = 4
    cluster: Callable[..., tuple[dict[str, Any], ...]] = shop
    image: str | None = None
    """Tag that the target must run at the end; None: by the end phase."""
    edited: bool = False
    """Whether an edit of the user waits on a paused target at the end."""
    waits: str | None = None
    """Reason of the pause at which the story ends, instead of an end phase."""
    scaled: bool = False
    """Whether the user scales the target (then its own pods may stop while they serve)."""
    candidate_traffic: bool = True
    """Whether the candidate may ever get a request."""
    outage: bool = False
    """Whether somebody else leaves a Service without ready pods."""
    gone: bool = False
    """Whether somebody deletes the target."""
    paused: bool = False
    """Whether the user keeps the target paused."""
    notes: bool = True
    """Whether our notes stay on what the user owns."""
    extra: tuple[str, ...] = ()
    """What somebody creates meanwhile, as KIND/name."""
    displaced: str | None = None
    """Tag of the edit that status must keep."""
    forgiving: bool = False
    """Whether pods that somebody else's update stops may still have requests."""
    meddled: bool = False
    """Whether somebody touches what selects pods: then a Service may be wide for a moment."""
    after: Written | None = None
    """A write of the controller, and what somebody does right behind it, whatever it does next."""
    always: Act | None = None
    """What somebody does after each write of the controller."""
    weighted: bool = True
    """Whether a share is a weight; else the Services select both versions and pods make it."""
    in_place: bool = False
    """Whether the target rolls while it serves: then its own pods stop with requests on them."""
    tells: tuple[str, ...] = ()
    """Of what the timeline must tell, where nothing is cut."""
    edits: bool = False
    """Whether an edit of the target rolls natively before anybody can pause it."""

    @property
    def weighted_surge(self) -> bool:
        """Whether no Service of this story ever selects both versions by our doing."""
        return self.weighted and not self.in_place


def in_phase(phase: Phase, *, marked: str | None = None) -> When:
    """When the release is in a phase (and something was read back)."""
    return lambda _, r: r.status.phase is phase and (marked is None or marked in r.status.marks)


def at_weight(weight: int) -> When:
    """When the candidate has a share."""
    return lambda _, r: r.status.weight.applied == weight


def waiting(reason: str) -> When:
    """When the release is paused for a reason."""
    return lambda _, r: r.status.phase is Phase.PAUSED and r.status.reason == reason


def act(type_: str, number: int = 1) -> Act:
    """Ask for something, as a person does."""

    def ask(world: World) -> None:
        body = {
            "id": f"{type_}-{number}",
            "type": type_,
            "by": "ana",
            "reason": "because",
            "at": "2026-01-01T12:00:00Z",
        }
        world.patch(Kind.RELEASE, "web-v2", {"spec": {"action": body}})

    return ask


def scale(replicas: int) -> Act:
    """Scale the target, as an autoscaler does."""

    def do(world: World) -> None:
        # A scale-down stops pods that serve; that is the user's own doing.
        world.forgiven.update(
            str(p["metadata"]["name"])
            for p in world.all(Kind.POD)
            if "rollout.dev/track" not in p["metadata"]["labels"]
        )
        world.patch(Kind.DEPLOYMENT, "web", {"spec": {"replicas": replicas}})

    return do


def edit(image: str = "registry.local/web:v9") -> Act:
    """Set another image on the target, as `kubectl set image` does."""
    containers = [{"name": "web", "image": image, "ports": [{"containerPort": 8080}]}]
    body = {"spec": {"template": {"spec": {"containers": containers}}}}
    return lambda world: (world.patch(Kind.DEPLOYMENT, "web", body), None)[1]


def unpause(world: World) -> None:
    """Unpause the target by hand."""
    world.patch(Kind.DEPLOYMENT, "web", {"spec": {"paused": None}})


def widen(world: World) -> None:
    """Apply the user's own Service again."""
    world.patch(Kind.SERVICE, "web", {"spec": {"selector": {"pod-template-hash": None}}})


def delete(kind: Kind, name: str) -> Act:
    """Delete an object."""

    def do(world: World) -> None:
        world.cluster.apply(Delete(kind, NAMESPACE, name))
        world.kubelet.quiesce()

    return do


def never_ready(pod: Object) -> Behaviour:
    """The candidate never gets ready; stable is fine."""
    new = pod["spec"]["containers"][0]["image"].endswith(":v2")
    return Behaviour(startup=1.0, ready=not new)


def crashing(pod: Object) -> Behaviour:
    """The candidate gets ready and crashes, again and again."""
    new = pod["spec"]["containers"][0]["image"].endswith(":v2")
    return Behaviour(startup=0.5, crash_after=3.0 if new else None)


def two_services(strategy: dict[str, Any] | None = None, replicas: int = 4) -> Any:
    """A second Service, and a second Ingress, on the same pods."""
    return (
        deployment(replicas=replicas),
        service(),
        service("web-internal"),
        ingress(),
        ingress("web-internal", "web-internal"),
        rollout(strategy=strategy),
        release(),
    )


def fast_shop(strategy: dict[str, Any] | None = None, replicas: int = 4) -> Any:
    """The earlier version is shipped on the fast path: a whole template, as `undo` does it."""
    template = deployment(image="registry.local/web:v2")["spec"]["template"]
    asked = release(template=template, fast=True)
    del asked["spec"]["version"]
    return (*shop(strategy=strategy, replicas=replicas)[:-1], asked)


def previewed_fast_shop(strategy: dict[str, Any] | None = None, replicas: int = 4) -> Any:
    """The same with a preview Service of the user's, which the fast path leaves alone."""
    return (*fast_shop(strategy, replicas), service("preview"))


def without_ingress(strategy: dict[str, Any] | None = None, replicas: int = 4) -> Any:
    """The same where the Ingress of a canary has gone: the fast path needs none."""
    return tuple(o for o in fast_shop(strategy, replicas) if o["kind"] != "Ingress")


def stable_never_ready(pod: Object) -> Behaviour:
    """The version that serves is not ready at all: what a person flees from."""
    old = pod["spec"]["containers"][0]["image"].endswith(":v1")
    return Behaviour(startup=1.0, ready=not old)


PAUSED_LONG = timedelta(seconds=3)

STORIES: tuple[Story, ...] = (
    Story("canary promoted", Phase.SUCCEEDED, "Succeeded"),
    Story("canary bad at once", Phase.ROLLED_BACK, "VerdictFail", judge=Judge(bad_from=1)),
    Story("canary bad at half", Phase.ROLLED_BACK, "VerdictFail", judge=Judge(bad_from=50)),
    Story("canary bad in the bake", Phase.ROLLED_BACK, "VerdictFail", judge=Judge(bad_from=100)),
    Story(
        "candidate never ready",
        Phase.ROLLED_BACK,
        "ProgressDeadlineExceeded",
        behaviour=never_ready,
        candidate_traffic=False,
    ),
    Story(
        "candidate crashes in a loop",
        Phase.ROLLED_BACK,
        "ProgressDeadlineExceeded",
        behaviour=crashing,
    ),
    Story("blue-green promoted", Phase.SUCCEEDED, "Succeeded", strategy=blue_green()),
    Story(
        "blue-green bad after the cutover",
        Phase.ROLLED_BACK,
        "VerdictFail",
        strategy=blue_green(),
        judge=Judge(bad_from=100),
    ),
    Story("two services and ingresses", Phase.SUCCEEDED, "Succeeded", cluster=two_services),
    Story(
        "two services and ingresses, bad in the bake",
        Phase.ROLLED_BACK,
        "VerdictFail",
        cluster=two_services,
        judge=Judge(bad_from=100),
    ),
    Story("one replica", Phase.SUCCEEDED, "Succeeded", replicas=1),
    Story(
        "steps with a size of their own",
        Phase.SUCCEEDED,
        "Succeeded",
        strategy=canary(
            steps=[
                {"weight": 5, "minDuration": "3s", "replicas": "60%"},
                {"weight": 20, "minDuration": "3s", "replicas": 4},
            ]
        ),
    ),
    *(
        Story(
            f"rollback by a person while {phase}",
            Phase.ROLLED_BACK,
            "RolledBackByPerson",
            deeds=(Deed(in_phase(phase), act("rollback")),),
        )
        for phase in (Phase.PREPARING, Phase.PROGRESSING, Phase.PROMOTING, Phase.BAKING)
    ),
    Story(
        "rollback by a person while Pending waits",
        Phase.CANCELLED,
        "CancelledByPerson",
        deeds=(Deed(in_phase(Phase.PENDING), act("rollback")),),
    ),
    Story(
        "rollback by a person after the cutover",
        Phase.ROLLED_BACK,
        "RolledBackByPerson",
        deeds=(Deed(in_phase(Phase.PROMOTING, marked="cutover"), act("rollback")),),
    ),
    Story(
        "rollback by a person while the target rolls",
        Phase.ROLLED_BACK,
        "RolledBackByPerson",
        deeds=(Deed(in_phase(Phase.ADOPTING, marked="templated"), act("rollback")),),
    ),
    Story(
        "rollback by a person while the target takes over",
        Phase.ROLLED_BACK,
        "RolledBackByPerson",
        deeds=(Deed(in_phase(Phase.ADOPTING, marked="adopted"), act("rollback")),),
    ),
    Story(
        "rollback by a person once committed is refused",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(lambda _, r: r.status.committed, act("rollback")),),
    ),
    Story(
        "paused and resumed",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(
            Deed(at_weight(20), act("pause")),
            Deed(waiting("PausedByPerson"), act("resume")),
        ),
    ),
    Story(
        "rolled back while paused",
        Phase.ROLLED_BACK,
        "RolledBackByPerson",
        deeds=(
            Deed(at_weight(20), act("pause")),
            Deed(waiting("PausedByPerson"), act("rollback")),
        ),
    ),
    Story(
        "bad while paused",
        Phase.ROLLED_BACK,
        "VerdictFail",
        judge=Judge(bad_from=20),
        deeds=(Deed(at_weight(20), act("pause")),),
    ),
    Story(
        "promoted past a step",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(at_weight(20), act("promote")),),
    ),
    Story(
        "promoted in full",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(at_weight(20), act("promoteFull")),),
    ),
    Story(
        "approved",
        Phase.SUCCEEDED,
        "Succeeded",
        strategy=canary(steps=[{"weight": 20, "minDuration": "2s", "approval": {}}]),
        deeds=(Deed(waiting("Approval"), act("promote")),),
    ),
    Story(
        "resume does not approve",
        Phase.ROLLED_BACK,
        "ApprovalTimedOut",
        strategy=canary(
            steps=[{"weight": 20, "minDuration": "2s", "approval": {"timeout": "10s"}}]
        ),
        deeds=(Deed(waiting("Approval"), act("resume")),),
    ),
    Story(
        "approval times out",
        Phase.ROLLED_BACK,
        "ApprovalTimedOut",
        strategy=canary(
            steps=[{"weight": 20, "minDuration": "2s", "approval": {"timeout": "10s"}}]
        ),
    ),
    Story("no metrics for ever", Phase.PAUSED, "NoData", judge=Judge(silent=True), waits="NoData"),
    Story(
        "no metrics, promoted in full by a person",
        Phase.PAUSED,
        "NoData",
        judge=Judge(silent=True),
        deeds=(Deed(waiting("NoData"), act("promoteFull")),),
        waits="NoData",
    ),
    Story(
        "scaled up in mid-release",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(at_weight(20), scale(6)),),
        scaled=True,
    ),
    Story(
        "scaled down in mid-release",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(at_weight(20), scale(2)),),
        scaled=True,
    ),
    Story(
        "edited in mid-release, resumed",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(at_weight(20), edit()), Deed(waiting("EditWaiting"), act("resume"))),
    ),
    Story(
        "edited in mid-release, rolled back",
        Phase.ROLLED_BACK,
        "RolledBackByPerson",
        deeds=(Deed(at_weight(20), edit()), Deed(waiting("EditWaiting"), act("rollback"))),
        edited=True,
    ),
    Story(
        "unpaused once by hand",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(at_weight(20), unpause),),
    ),
    Story(
        "selector widened once",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(at_weight(20), widen),),
        meddled=True,
    ),
    Story(
        "Release deleted in mid-release",
        Phase.CANCELLED,
        "Deleted",
        deeds=(Deed(at_weight(20), delete(Kind.RELEASE, "web-v2")),),
    ),
    Story(
        "Release deleted in the bake",
        Phase.CANCELLED,
        "Deleted",
        deeds=(Deed(in_phase(Phase.BAKING), delete(Kind.RELEASE, "web-v2")),),
    ),
    Story(
        "Rollout deleted in mid-release",
        Phase.CANCELLED,
        "Deleted",
        deeds=(Deed(at_weight(20), delete(Kind.ROLLOUT, "web")),),
    ),
    Story(
        "Rollout deleted in the bake",
        Phase.CANCELLED,
        "Deleted",
        deeds=(Deed(in_phase(Phase.BAKING), delete(Kind.ROLLOUT, "web")),),
    ),
    Story(
        "fast, though the judge would say no",
        Phase.SUCCEEDED,
        "Succeeded",
        judge=Judge(bad_from=1),
        cluster=fast_shop,
    ),
    Story(
        "fast, blue-green", Phase.SUCCEEDED, "Succeeded", strategy=blue_green(), cluster=fast_shop
    ),
    Story(
        "fast, with a preview that is not needed",
        Phase.SUCCEEDED,
        "Succeeded",
        strategy=blue_green(previewService="preview", approval={}),
        cluster=previewed_fast_shop,
    ),
    Story("fast, without an Ingress", Phase.SUCCEEDED, "Succeeded", cluster=without_ingress),
    Story(
        "fast, away from a version that is not ready",
        Phase.SUCCEEDED,
        "Succeeded",
        behaviour=stable_never_ready,
        cluster=fast_shop,
        outage=True,
    ),
    Story(
        "fast, no room",
        Phase.PAUSED,
        "NoRoom",
        behaviour=never_ready,
        cluster=fast_shop,
        candidate_traffic=False,
        waits="NoRoom",
    ),
    Story(
        "fast, no room, rolled back",
        Phase.ROLLED_BACK,
        "RolledBackByPerson",
        behaviour=never_ready,
        cluster=fast_shop,
        candidate_traffic=False,
        deeds=(Deed(waiting("NoRoom"), act("rollback")),),
    ),
    *(
        Story(
            f"fast, rolled back by a person while {phase}",
            Phase.ROLLED_BACK,
            "RolledBackByPerson",
            cluster=fast_shop,
            deeds=(Deed(in_phase(phase), act("rollback")),),
        )
        for phase in (Phase.PREPARING, Phase.PROMOTING)
    ),
    Story(
        "fast, rolled back by a person after the cutover",
        Phase.ROLLED_BACK,
        "RolledBackByPerson",
        cluster=fast_shop,
        deeds=(Deed(in_phase(Phase.PROMOTING, marked="cutover"), act("rollback")),),
    ),
    Story(
        "fast, rolled back by a person while the target rolls",
        Phase.ROLLED_BACK,
        "RolledBackByPerson",
        cluster=fast_shop,
        deeds=(Deed(in_phase(Phase.ADOPTING, marked="templated"), act("rollback")),),
    ),
)
