"""The words in which stories of commits are told: moments, deeds, ends.

The Rollout has `trigger: Template`; a commit is a change of the Deployment's template.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rollout.analysis.verdict import Reason, ReleaseVerdict, Verdict
from rollout.resources.release import Phase, Release, ReleaseStatus
from rollout.resources.words import LATCH, POD_TEMPLATE_HASH, RESTORE, RETRY
from rollout.resources.writes import Kind
from rollout.simulate.world import Judge, World
from tests.build import canary, deployment, ingress, release, rollout, service
from tests.engine.stories import Act, delete, edit
from tests.engine.stories import Story as Plain

Moment = Callable[[World], bool]


@dataclass(frozen=True)
class Critic(Judge):
    """A judge who finds some versions bad, from some weight on."""

    bad: frozenset[str] = frozenset()

    def verdict(self, status: ReleaseStatus, now: datetime) -> ReleaseVerdict | None:
        """Judge a release by what it ships."""
        said = super().verdict(status, now)
        if said is None or said.verdict is not Verdict.FAIL or tag_of(status) in self.bad:
            return said
        return ReleaseVerdict(Verdict.PASS, Reason.NOT_WORSE, "simulated: fine", now)


def tag_of(status: ReleaseStatus) -> str:
    """Tag of what a release ships."""
    return status.resolved.image.rpartition(":")[2] if status.resolved else ""


@dataclass(frozen=True)
class End:
    """How one release must have ended."""

    tag: str
    phase: Phase
    reason: str


@dataclass(frozen=True)
class Deed:
    """Something that somebody does once, when something holds."""

    when: Moment
    act: Act


@dataclass(frozen=True)
class Story:
    """What is done to the service, and what becomes of it."""

    name: str
    deeds: tuple[Deed, ...]
    ends: tuple[End, ...]
    """All releases that there must have been, in order; of one deleted nothing is left."""
    template: str
    """Tag that the Deployment's template must have at the end."""
    serves: str
    """Tag of the pods that must serve at the end."""
    paused: bool = True
    judge: Critic = field(default_factory=Critic)
    strategy: dict[str, Any] = field(default_factory=canary)
    spec: dict[str, Any] = field(default_factory=lambda: {"trigger": "Template"})
    noted: bool = True
    """Whether the Deployment bears the note of how its owner had it."""
    before: bool = False
    """Whether its owner had paused the Deployment."""
    deleted: bool = False
    """Whether the Rollout is deleted."""
    warns: tuple[str, ...] = ()
    """Of what people must have been warned while no release ran, each once."""
    replicas: int = 4
    scaled: bool = False
    forgiving: bool = False

    @property
    def watched(self) -> Plain:
        """What the watch must know of it."""
        return Plain(
            self.name,
            Phase.SUCCEEDED,
            "",
            replicas=self.replicas,
            scaled=self.scaled,
            forgiving=self.forgiving,
            in_place=self.in_place,
            paused=self.before,
        )

    @property
    def in_place(self) -> bool:
        """Whether the target rolls while it serves."""
        return self.spec.get("adoption") == "InPlace"

    def objects(self) -> tuple[dict[str, Any], ...]:
        """What is there at first: a service that runs, and its Rollout."""
        return (
            deployment(),
            service(),
            ingress(),
            rollout(strategy=self.strategy, **self.spec),
        )


def commit(tag: str) -> Act:
    """Change the image in the Deployment's template, as any tool does."""
    return edit(f"registry.local/web:{tag}")


def shipped(release_: Release) -> str:
    """Tag that a release was asked to ship."""
    if release_.spec.version is not None:
        return release_.spec.version
    template = release_.spec.template or {}
    return str(template["spec"]["containers"][0]["image"]).rpartition(":")[2]


def releases(world: World) -> list[Release]:
    """All releases, the oldest first."""
    return sorted(
        world.releases(), key=lambda r: (str(r.metadata.creation_timestamp), r.metadata.name)
    )


def newest(world: World, tag: str) -> Release | None:
    """The newest release of a tag."""
    mine = [r for r in releases(world) if shipped(r) == tag]
    return mine[-1] if mine else None


def held(world: World) -> bool:
    """When the Deployment is paused by us, and nothing runs."""
    target = world.get(Kind.DEPLOYMENT, "web")
    assert target is not None
    noted = RESTORE in (target["metadata"].get("annotations") or {})
    return noted and bool(target["spec"].get("paused")) and idle(world)


def whole_again(world: World) -> bool:
    """When the Deployment has only pods of the released template, and is paused again."""
    target = world.get(Kind.DEPLOYMENT, "web")
    assert target is not None
    adopted = any(r.status.hashes.adopted and not r.status.committed for r in releases(world))
    return adopted and bool(target["spec"].get("paused"))


def idle(world: World) -> bool:
    """When no release is open."""
    return all(r.status.phase.ended for r in releases(world))


def while_(tag: str, phase: Phase, *, mark: str | None = None, reason: str | None = None) -> Moment:
    """When the release of a tag is in a phase."""

    def when(world: World) -> bool:
        found = newest(world, tag)
        if found is None or found.status.phase is not phase:
            return False
        marked = mark is None or mark in found.status.marks
        return marked and reason in {None, found.status.reason}

    return when


def weighed(tag: str, weight: int) -> Moment:
    """When the candidate of a tag has a share."""

    def when(world: World) -> bool:
        found = newest(world, tag)
        return found is not None and found.status.weight.applied == weight

    return when


def ended(tag: str, phase: Phase) -> Moment:
    """When the newest release of a tag has ended so, and nothing runs."""
    return lambda world: while_(tag, phase)(world) and idle(world)


def remembered(world: World) -> bool:
    """When a template is remembered that was taken back, and nothing runs."""
    raw = world.get(Kind.ROLLOUT, "web")
    return raw is not None and "rejected" in (raw.get("status") or {}) and idle(world)


def forgotten(world: World) -> bool:
    """When nothing is remembered, and nothing runs."""
    return idle(world) and not remembered(world)


def ask(tag: str, type_: str, number: int = 1) -> Act:
    """Ask something of the release of a tag, as a person does."""

    def do(world: World) -> None:
        found = newest(world, tag)
        assert found is not None
        at = "2026-01-01T12:00:00Z"
        body = {"id": f"{type_}-{number}", "type": type_, "by": "ana", "reason": "b", "at": at}
        world.patch(Kind.RELEASE, found.metadata.name, {"spec": {"action": body}})

    return do


def start(name: str, tag: str) -> Act:
    """Start a release by hand."""
    return lambda world: (world.create(release(name, tag)), None)[1]


def narrow_again(world: World) -> None:
    """Have the Service select the pods that serve, as a tool does that saw it so a moment ago."""
    (serving,) = (s for s in world.all(Kind.REPLICA_SET) if s["spec"].get("replicas"))
    hash_ = serving["metadata"]["labels"][POD_TEMPLATE_HASH]
    world.patch(Kind.SERVICE, "web", {"spec": {"selector": {POD_TEMPLATE_HASH: hash_}}})


def wide(world: World) -> bool:
    """When the Service selects all pods, and nothing runs."""
    found = world.get(Kind.SERVICE, "web")
    assert found is not None
    return idle(world) and POD_TEMPLATE_HASH not in found["spec"]["selector"]


def retry(world: World) -> None:
    """Have the template that was taken back tried again, by a word on the Rollout alone."""
    raw = world.get(Kind.ROLLOUT, "web")
    assert raw is not None
    notes = {RETRY: raw["status"]["rejected"]["release"]}
    world.patch(Kind.ROLLOUT, "web", {"metadata": {"annotations": notes}})


def drop(tag: str) -> Act:
    """Delete the release of a tag."""

    def do(world: World) -> None:
        found = newest(world, tag)
        assert found is not None
        delete(Kind.RELEASE, found.metadata.name)(world)

    return do


def to_command(world: World) -> None:
    """Have releases started by command from now on."""
    world.patch(Kind.ROLLOUT, "web", {"spec": {"trigger": "Command"}})


def lose_notes(world: World) -> None:
    """Remove our notes, as a careless replace does."""
    body = {"metadata": {"annotations": {RESTORE: None, LATCH: None}}}
    world.patch(Kind.DEPLOYMENT, "web", body)


def good(tag: str) -> End:
    """It went out."""
    return End(tag, Phase.SUCCEEDED, "Succeeded")


def bad(tag: str) -> End:
    """It was found to be bad."""
    return End(tag, Phase.ROLLED_BACK, "VerdictFail")


def superseded(tag: str) -> End:
    """A newer one took its place."""
    return End(tag, Phase.SUPERSEDED, "Superseded")


def by_person(tag: str) -> End:
    """A person took it back."""
    return End(tag, Phase.ROLLED_BACK, "RolledBackByPerson")


def reverted(tag: str) -> End:
    """The earlier template came back."""
    return End(tag, Phase.ROLLED_BACK, "StableTemplateWritten")


FIRST = Deed(held, commit("v2"))
BAD2 = Critic(bad_from=1, bad=frozenset({"v2"}))
ROLLS = while_("v2", Phase.ADOPTING, mark="templated")
EDITED = while_("v2", Phase.PAUSED, reason="EditWaiting")
SUPERSEDE = {"onNewRelease": "Supersede"}
IN_PLACE = {"trigger": "Template", "adoption": "InPlace"}
