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
from rollout.resources.release import Phase, Release
from rollout.resources.words import (
    EPOCH,
    FLUX_DISABLED,
    FLUX_NAME,
    FLUX_RECONCILE,
    LATCH,
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


@dataclass
class Watch:
    """Asserts the rules after each write, and remembers what it has seen."""

    world: World
    story: Story
    failed_at: int | None = None
    highest: int = 0
    sent: set[str] = field(default_factory=set)
    heard: int = 0
    """Complaints that were looked at."""
    excused: set[str] = field(default_factory=set)
    """Complaints that `adoption: InPlace` is documented to cost."""

    def __call__(self, action: Action) -> None:
        self.one_release_is_active()
        release = self.current()
        if release is None:
            return
        self.traffic_has_ready_pods(action)
        self.stable_has_its_share(action, release)
        self.weight_is_allowed(action, release)
        self.share_is_allowed(action, release)
        self.stable_is_whole(release)
        self.traffic_moves_before_pods(action, release)
        self.touched_is_written_down(release)
        self.only_known_versions_serve(release)
        self.services_are_narrowed(release)
        self.natively_stopped(release)
        assert self.complaints() == [], "a request was lost: " + str(self.complaints())

    def fork(self, world: World) -> Self:
        """The same watch over a world that goes its own way."""
        return replace(self, world=world, sent=set(self.sent), excused=set(self.excused))

    def current(self) -> Release | None:
        """The release that runs."""
        return self.world.release("web-v2")

    def one_release_is_active(self) -> None:
        """I6, also of two Rollouts that share a Deployment."""
        releases = [Release.model_validate(raw) for raw in self.world.all(Kind.RELEASE)]
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

    def services_are_narrowed(self, release: Release) -> None:
        """I2: no candidate pod gets a request by its labels alone."""
        candidates = [p for p in self.world.all(Kind.POD) if TRACK in p["metadata"]["labels"]]
        alive = [p for p in candidates if "deletionTimestamp" not in p["metadata"]]
        before = {Phase.PREPARING, Phase.PROGRESSING}
        if not alive or release.status.phase not in before or self.story.meddled:
            return
        for service in self.world.all(Kind.SERVICE):
            if "shared" in release.status.marks and self.carries(service, release):
                continue
            name, selector = service["metadata"]["name"], service["spec"]["selector"]
            assert POD_TEMPLATE_HASH in selector, f"I2: Service {name} is wide"

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
        status, resolved = release.status, release.status.resolved
        where = status.paused_from.phase if status.paused_from else status.phase
        in_bake = where is Phase.BAKING and self.story.in_place
        if isinstance(action, ScaleCandidate) and not (where is Phase.PROGRESSING or in_bake):
            assert where in {Phase.PROMOTING, Phase.ROLLING_BACK}, f"I2: {action} while {where}"
            return
        assert where is Phase.PROGRESSING or in_bake, f"I2: {action} while {where}"
        assert resolved is not None
        assert resolved.strategy.canary is not None
        step = resolved.strategy.canary.steps[status.step].weight
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

    def traffic_has_ready_pods(self, action: Action) -> None:
        """I1, I9."""
        if isinstance(action, Select):
            pods = of_hash(self.world, action.hash)
            assert any(map(ready, pods)) or self.stays(action), f"I1: {action}"
        if isinstance(action, SetWeight) and action.weight > 0:
            candidates = [p for p in self.world.all(Kind.POD) if TRACK in p["metadata"]["labels"]]
            assert any(map(ready, candidates)), f"I1: {action}"
            assert self.story.candidate_traffic, f"the candidate got traffic: {action}"

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
        where = release.status.paused_from
        phase = where.phase if where else release.status.phase
        in_bake = phase is Phase.BAKING and self.story.in_place
        assert phase is Phase.PROGRESSING or in_bake, f"I2: {action}"
        resolved = release.status.resolved
        assert resolved is not None
        assert resolved.strategy.canary is not None
        allowed = resolved.strategy.canary.steps[release.status.step].weight
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


def all_is_given_back(world: World, story: Story, before: dict[str, Object]) -> None:
    """I5 at the end: what the user owned is as it was, and nothing of ours is left."""
    for key, old in before.items():
        kind, name = key.split("/")
        new = world.get(Kind[kind], name)
        if new is None and story.gone and kind == "DEPLOYMENT":
            continue
        assert new is not None, f"{key} is gone"
        notes = new["metadata"].get("annotations") or {}
        if not story.edited:
            assert RESTORE not in notes, key
        assert LATCH not in notes, key
        assert EPOCH not in notes, key
        if kind == "SERVICE":
            assert new["spec"]["selector"] == old["spec"]["selector"], key
            flux = (old["metadata"].get("annotations") or {}).get(FLUX_RECONCILE)
            assert notes.get(FLUX_RECONCILE) == flux, key
        if kind == "DEPLOYMENT":
            paused = story.paused or story.edited
            assert bool(new["spec"].get("paused")) == paused, key
    for ours in (Kind.DEPLOYMENT, Kind.SERVICE, Kind.INGRESS):
        expected = {*before, *story.extra} - ({"DEPLOYMENT/web"} if story.gone else set())
        kept = {key.split("/")[1] for key in expected if key.startswith(ours.name + "/")}
        assert {str(o["metadata"]["name"]) for o in world.all(ours)} == kept
    for service in world.all(Kind.SERVICE):
        assert POD_TEMPLATE_HASH not in service["spec"]["selector"], "a Service stays narrowed"
    for rollout in world.all(Kind.ROLLOUT):
        assert EPOCH not in (rollout["metadata"].get("annotations") or {}), "the Rollout is stamped"
