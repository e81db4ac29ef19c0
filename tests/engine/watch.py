"""I1 to I9, asked of the simulated world after every single write of the controller."""

from dataclasses import dataclass, field, replace
from typing import Self

from rollout.engine.plan import (
    Action,
    DeleteCandidate,
    DeleteRoute,
    ScaleCandidate,
    Select,
    SetWeight,
    Widen,
)
from rollout.resources.conditions import Condition, ConditionStatus
from rollout.resources.release import Phase, Release
from rollout.resources.rollout import CanaryStep
from rollout.resources.words import (
    FLUX_DISABLED,
    FLUX_NAME,
    FLUX_RECONCILE,
    POD_TEMPLATE_HASH,
    RESTORE,
    TRACK,
)
from rollout.resources.writes import Kind, Object
from rollout.simulate.world import World
from tests.engine.stories import Story


def ready(pod: Object) -> bool:
    """Whether a pod is ready and has not been told to stop."""
    conditions = pod.get("status", {}).get("conditions") or []
    told = "deletionTimestamp" in pod["metadata"]
    return not told and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def of_hash(world: World, hash_: str | None) -> list[Object]:
    """The pods of a pod-template-hash."""
    return [p for p in world.all(Kind.POD) if p["metadata"]["labels"][POD_TEMPLATE_HASH] == hash_]


def _has(pod: Object, hash_: str) -> bool:
    return bool(pod["metadata"]["labels"][POD_TEMPLATE_HASH] == hash_)


def weight(world: World) -> int:
    """The share that the canary routes ask for."""
    weights = [
        int(value)
        for ingress in world.all(Kind.INGRESS)
        for key, value in (ingress["metadata"].get("annotations") or {}).items()
        if key.endswith("/canary-weight")
    ]
    return max(weights, default=0)


def is_unsafe(condition: Condition) -> bool:
    """Whether the net below the planner had to hold a plan back."""
    return condition.type == "Safe" and condition.status is not ConditionStatus.TRUE


def full_size(world: World) -> int:
    """How many pods all traffic needs: as many as the target asks for, and one at least."""
    target = world.get(Kind.DEPLOYMENT, "web")
    return max(int(target["spec"]["replicas"]), 1) if target else 1


def step_size(step: CanaryStep, full: int) -> int:
    """How many pods a step needs where routes have the weight: its own word, or its weight."""
    said = step.replicas or f"{step.weight}%"
    percent, counted = said.removesuffix("%"), not said.endswith("%")
    return max(int(said) if counted else -(-full * int(percent) // 100), 1)


def current_step(release: Release) -> CanaryStep:
    """The canary step that a release is at."""
    resolved = release.status.resolved
    assert resolved is not None
    assert resolved.strategy.canary is not None
    return resolved.strategy.canary.steps[release.status.step]


def where_in(release: Release) -> Phase:
    """The phase that a release is in, or was in before it was paused."""
    where = release.status.paused_from
    return where.phase if where else release.status.phase


@dataclass
class Watch:
    """Asserts the rules after each write, and remembers what it has seen."""

    world: World
    story: Story
    heard: int = 0
    """Complaints that were looked at."""
    excused: set[str] = field(default_factory=set)
    """Complaints that `adoption: InPlace` is documented to cost."""
    asked: int | None = field(init=False)
    """Replicas that people have asked for; None where there is no target."""
    ingresses: tuple[Object, ...] | None = None
    """The user's own, as they were."""

    def __post_init__(self) -> None:
        self.asked = self.asked_for()
        if self.ingresses is None:
            self.ingresses = self.world.all(Kind.INGRESS)

    def __call__(self, action: Action) -> None:
        self.one_release_is_active()
        self.people_decide_the_size(action)
        release = self.current()
        if release is None:
            return
        self.traffic_has_ready_pods(action, release)
        self.stable_has_its_share(action, release)
        self.weight_is_allowed(action, release)
        self.share_is_allowed(action, release)
        self.stable_is_whole(release)
        self.traffic_moves_before_pods(action, release)
        self.touched_is_written_down(release)
        self.paused_is_written_down(release)
        self.ingresses_are_untouched(action)
        self.only_known_versions_serve(release)
        self.services_are_narrowed(release)
        self.natively_stopped(release)
        assert self.complaints() == [], "a request was lost: " + str(self.complaints())

    def fork(self, world: World) -> Self:
        """The same watch over a world that goes its own way."""
        return replace(self, world=world, excused=set(self.excused))

    def current(self) -> Release | None:
        """The release that runs."""
        return self.world.release("web-v2")

    def one_release_is_active(self) -> None:
        """I6, also of two Rollouts that share a Deployment. No plan of any was held as unsafe."""
        releases = self.world.releases()
        held = [c.message for one in releases for c in one.status.conditions if is_unsafe(c)]
        assert held == [], f"a plan would have broken a rule: {held}"
        active = [
            one.metadata.name
            for one in releases
            if one.status.phase is not Phase.PENDING and not one.status.phase.ended
        ]
        assert len(active) <= 1, f"I6: {active}"

    def complaints(self) -> list[str]:
        """Requests that were lost by us."""
        found = self.world.sight.complaints
        if self.story.outage:
            found = [said for said in found if "has no ready pod" not in said]
        if self.story.forgiving:
            found = [said for said in found if "stops while" not in said]
        return [said for said in found if said not in self.excused]

    def natively_stopped(self, release: Release) -> None:
        """In place, the target's own pods stop with requests on them, from when it rolls on.

        The candidate's never do, and nothing does before the template is written.
        """
        found = self.world.sight.complaints
        new, self.heard = found[self.heard :], len(found)
        if self.story.in_place and "written" in release.status.marks:
            ours = f"({release.status.hashes.candidate})"
            self.excused |= {said for said in new if "stops while" in said and ours not in said}

    def people_decide_the_size(self, action: Action) -> None:
        """Nothing of ours writes the target's replicas."""
        assert self.asked_for() == self.asked, f"{action} has changed the target's replicas"

    def people_have_acted(self) -> None:
        """Take the target's size as it is for what people want."""
        self.asked = self.asked_for()

    def asked_for(self) -> int | None:
        """Replicas that the target asks for."""
        target = self.world.get(Kind.DEPLOYMENT, "web")
        return int(target["spec"]["replicas"]) if target else None

    def services_are_narrowed(self, release: Release) -> None:
        """I2, I9: while the candidate has pods, none gets a request by its labels alone.

        A Service is wide where pods make the share, and when the target is gone: nothing else is
        left to serve then.
        """
        candidates = [p for p in self.world.all(Kind.POD) if TRACK in p["metadata"]["labels"]]
        alive = [p for p in candidates if "deletionTimestamp" not in p["metadata"]]
        phase = release.status.phase
        if not alive or phase is Phase.PENDING or phase.ended:
            return
        if self.story.meddled or self.asked is None:
            return
        for service in self.world.all(Kind.SERVICE):
            if self.shares(service, release) or self.is_shown_no_more(service, release):
                continue
            name, selector = service["metadata"]["name"], service["spec"]["selector"]
            assert POD_TEMPLATE_HASH in selector, f"I2: Service {name} is wide in {phase}"

    def shares(self, service: Object, release: Release) -> bool:
        """Whether a Service may select both versions now."""
        marks = release.status.marks
        return "shared" in marks and "retreated" not in marks and self.carries(service, release)

    def is_shown_no_more(self, service: Object, release: Release) -> bool:
        """Whether it is a preview Service that has been given back while the candidate answers."""
        resolved, phase = release.status.resolved, release.status.phase
        blue_green = resolved.strategy.blue_green if resolved else None
        shown = blue_green is not None and service["metadata"]["name"] == blue_green.preview_service
        return shown and phase in {Phase.ADOPTING, Phase.ROLLING_BACK}

    def carries(self, service: Object, release: Release) -> bool:
        """Whether a Service carries a share that pods make."""
        resolved = release.status.resolved
        named = resolved.traffic.services if resolved else []
        return not self.story.weighted and service["metadata"]["name"] in named

    def share_is_allowed(self, action: Action, release: Release) -> None:
        """I2 where pods make the share: no write of ours makes it larger than the step's.

        From Promoting on all traffic may go to the candidate.
        """
        grows = isinstance(action, ScaleCandidate) and action.replicas > 0
        if not (isinstance(action, Widen) or grows) or not self.is_shared(action):
            return
        status, where = release.status, where_in(release)
        in_bake = where is Phase.BAKING and self.story.in_place
        if isinstance(action, ScaleCandidate) and not (where is Phase.PROGRESSING or in_bake):
            assert where in {Phase.PROMOTING, Phase.ROLLING_BACK}, f"I2: {action} while {where}"
            return
        assert where is Phase.PROGRESSING or in_bake, f"I2: {action} while {where}"
        step = current_step(release).weight
        stable = sum(map(ready, of_hash(self.world, status.hashes.stable)))
        candidate = sum(map(ready, of_hash(self.world, status.hashes.candidate)))
        wanted = action.replicas if isinstance(action, ScaleCandidate) else candidate
        assert wanted > 0, f"I1: {action}"
        assert wanted * 100 <= step * (wanted + stable), f"I2: {action} for {step} %"
        verdict = status.verdict
        assert verdict is None or verdict.result != "Fail", f"I2: {action} after a Fail"

    def is_shared(self, action: Action) -> bool:
        """Whether the Services select the candidate's pods beside stable's, or will at once."""
        shared = [
            service
            for service in self.world.all(Kind.SERVICE)
            if POD_TEMPLATE_HASH not in service["spec"]["selector"]
        ]
        return isinstance(action, Widen) or (bool(shared) and not self.story.meddled)

    def traffic_has_ready_pods(self, action: Action, release: Release) -> None:
        """I1, I9: each version has the ready pods that its share needs."""
        if isinstance(action, Select):
            found = sum(map(ready, of_hash(self.world, action.hash)))
            wanted = self.pods_for_all(action, release)
            assert found >= wanted or self.stays(action), f"I1: {found} of {wanted} for {action}"
        if isinstance(action, SetWeight | Widen) and action.weight > 0:
            found = sum(map(ready, of_hash(self.world, release.status.hashes.candidate)))
            wanted = self.pods_for_share(action, release)
            assert found >= wanted, f"I1: {found} of {wanted} for {action}"
            assert self.story.candidate_traffic, f"the candidate got traffic: {action}"

    def pods_for_all(self, action: Select, release: Release) -> int:
        """How many pods a Service needs that selects one version.

        On the way back, and where all traffic is already, those that there are serve better than
        none; stable's number is held to I3.
        """
        status, full = release.status, full_size(self.world)
        resolved, hashes = status.resolved, status.hashes
        shown = resolved.strategy.blue_green if resolved else None
        if shown is not None and action.service == shown.preview_service:
            return (shown.preview_replicas or full) if action.hash == hashes.candidate else 1
        forward = not action.latch and not self.story.outage
        return full if forward and action.hash in {hashes.candidate, hashes.adopted} else 1

    def pods_for_share(self, action: SetWeight | Widen, release: Release) -> int:
        """How many candidate pods a share needs: by weight, or as many as make it."""
        step, full = current_step(release), full_size(self.world)
        if isinstance(action, Widen):
            return max(step.weight * full // (100 - step.weight), 1)
        return step_size(step, full)

    def stays(self, action: Select) -> bool:
        """Whether a Service had these pods before, and no others: users see no difference."""
        others = [p for p in self.world.all(Kind.POD) if not _has(p, action.hash)]
        return self.story.outage and (action.latch or not others)

    def stable_has_its_share(self, action: Action, release: Release) -> None:
        """I1 over stable: its share is not raised while only the candidate is ready."""
        if not isinstance(action, SetWeight) or action.weight > 0:
            return
        stable = any(map(ready, of_hash(self.world, release.status.hashes.stable)))
        candidate = any(map(ready, of_hash(self.world, release.status.hashes.candidate)))
        theirs = self.story.scaled or self.story.gone
        assert stable or not candidate or theirs, f"I1: {action} without ready stable pods"

    def weight_is_allowed(self, action: Action, release: Release) -> None:
        """I2."""
        if not isinstance(action, SetWeight) or action.weight == 0:
            return
        phase = where_in(release)
        in_bake = phase is Phase.BAKING and self.story.in_place
        assert phase is Phase.PROGRESSING or in_bake, f"I2: {action}"
        allowed = current_step(release).weight
        assert action.weight <= allowed, f"I2: {action}, allowed {allowed}"
        verdict = release.status.verdict
        assert verdict is None or verdict.result != "Fail", f"I2: {action} after a Fail"

    def stable_is_whole(self, release: Release) -> None:
        """I3."""
        status = release.status
        before = {Phase.PREPARING, Phase.PROGRESSING, Phase.PROMOTING, Phase.BAKING, Phase.PAUSED}
        if status.phase not in before or status.hashes.stable is None:
            return
        if self.story.scaled or self.story.outage:
            return
        if status.paused_from and status.paused_from.phase is Phase.ADOPTING:
            return
        alive = [p for p in of_hash(self.world, status.hashes.stable) if ready(p)]
        assert len(alive) == self.story.replicas, f"I3: {len(alive)} stable pods in {status.phase}"

    def traffic_moves_before_pods(self, action: Action, release: Release) -> None:
        """I4."""
        if isinstance(action, DeleteCandidate | DeleteRoute) or (
            isinstance(action, ScaleCandidate) and action.replicas == 0
        ):
            assert weight(self.world) == 0, f"I4: {action}"
            if isinstance(action, DeleteRoute):
                return
            for service in self.world.all(Kind.SERVICE):
                pinned = service["spec"]["selector"].get(POD_TEMPLATE_HASH)
                ours = (service["metadata"].get("labels") or {}).get("rollout.dev/rollout")
                assert ours or pinned != release.status.hashes.candidate, f"I4: {action}"

    def touched_is_written_down(self, release: Release) -> None:
        """I5: whoever reads a touched object can repair it."""
        for service in self.world.all(Kind.SERVICE):
            labels = service["metadata"].get("labels") or {}
            if "rollout.dev/rollout" in labels:
                continue
            pinned = POD_TEMPLATE_HASH in service["spec"]["selector"] and self.story.notes
            notes = service["metadata"].get("annotations") or {}
            assert not pinned or RESTORE in notes, f"I5: {service['metadata']['name']}"
            assert not pinned or release.status.restore, "I5: nothing was written down"
            left = notes.get(FLUX_RECONCILE) == FLUX_DISABLED
            assert not pinned or FLUX_NAME not in labels or left, "Flux will widen it"

    def paused_is_written_down(self, release: Release) -> None:
        """I5: a target that we have paused says how it was, and so does the release."""
        target, status = self.world.get(Kind.DEPLOYMENT, "web"), release.status
        if target is None or not target["spec"].get("paused"):
            return
        if status.phase is Phase.PENDING or status.phase.ended:
            return
        edges = {Phase.PREPARING, Phase.ADOPTING, Phase.ROLLING_BACK}
        if self.story.paused and status.phase in edges:
            return  # it is paused before we come, and after we have gone
        notes = target["metadata"].get("annotations") or {}
        assert RESTORE in notes or not self.story.notes, "I5: Deployment web"
        saved = [one.name for one in status.restore if one.kind == "Deployment"]
        assert saved == ["web"] or status.resolved is None, (
            "I5: the Deployment was not written down"
        )

    def ingresses_are_untouched(self, action: Action) -> None:
        """I5: a share never changes the user's own Ingress, not even for a moment."""
        for own in self.ingresses or ():
            found = self.world.get(Kind.INGRESS, own["metadata"]["name"])
            assert found == own, f"I5: {action} has changed Ingress {own['metadata']['name']}"

    def only_known_versions_serve(self, release: Release) -> None:
        """I8."""
        self.wide_services_select_known_versions(release)
        hashes = release.status.hashes
        known = {hashes.stable, hashes.candidate, hashes.adopted} - {None}
        for service in self.world.all(Kind.SERVICE):
            pinned = service["spec"]["selector"].get(POD_TEMPLATE_HASH)
            theirs = pinned == "deadbeef" or release.status.reason == "TargetTakenOver"
            aside = release.status.ending and release.status.ending.reason == "TargetTakenOver"
            assert pinned in {None, *known} or not known or theirs or aside, f"I8: {pinned}"

    def wide_services_select_known_versions(self, release: Release) -> None:
        """I8 where a Service selects both versions: a third one gets nothing.

        An edit that rolls natively before anybody can pause it is the exception, in a target
        that serves as it is.
        """
        resolved = release.status.resolved
        if resolved is None or self.story.edits or self.story.weighted_surge:
            return
        if release.status.phase.ended:
            return
        for pod in self.world.all(Kind.POD):
            image = str(pod["spec"]["containers"][0]["image"])
            wide = any(
                POD_TEMPLATE_HASH not in service["spec"]["selector"]
                for service in self.world.all(Kind.SERVICE)
            )
            known = image in {resolved.image, resolved.stable_image}
            assert known or not wide or not ready(pod), f"I8: a wide Service selects {image}"
