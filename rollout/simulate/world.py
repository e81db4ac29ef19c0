"""A whole release in virtual time: cluster, kubelet, routers, judge, and the real decision code.

The world can be cut after any single write, and goes on from the cluster alone, as a controller
that was killed and started again does. It watches what the routers send where, so that a test can
ask of every moment: was a request lost, did a pod stop while a router may still have sent to it?
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rollout.analysis.evidence import Reference
from rollout.analysis.verdict import Reason, ReleaseVerdict, Verdict
from rollout.engine.plan import Action, Commit, Enter, Event, Plan, SaveRestore
from rollout.engine.planner import plan
from rollout.engine.trigger import Tending
from rollout.kube.errors import Conflict, NotFound
from rollout.resources.policy import Then
from rollout.resources.release import Phase, Release, ReleaseStatus
from rollout.resources.writes import Create, Delete, Kind, Object, Patch, PatchType, Write
from rollout.simulate.cluster import OUR_KINDS, SimulatedCluster
from rollout.simulate.kubelet import Behaviour, VirtualKubelet
from rollout.translation.epochs import stamps
from rollout.translation.objects import Objects
from rollout.translation.snapshots import snapshot
from rollout.translation.tending import tended
from rollout.translation.writes import writes

NAMESPACE: Final = "shop"
START: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
LAG: Final = timedelta(milliseconds=500)
"""How long routers may go on sending to where they sent before."""


LONGEST: Final = timedelta(minutes=10)
"""How long a story may take."""


@dataclass(frozen=True)
class Judge:
    """What metrics would say: when the candidate is seen to be bad, or that nothing is seen."""

    bad_from: int = 101
    """Smallest weight at which the candidate is seen to be bad."""
    bad_in_bake: bool = False
    """The candidate is seen to be bad in the bake alone, whatever its share."""
    silent: bool = False
    """Metrics have nothing to say, ever."""
    unreadable: bool = False
    """Metrics cannot be read, ever."""
    takes: timedelta = timedelta(seconds=2)
    """Time at a weight until there is enough evidence."""
    hold: timedelta = timedelta(seconds=10)
    then: Then = Then.PAUSE

    def verdict(self, status: ReleaseStatus, now: datetime) -> ReleaseVerdict | None:
        """Judge a release at its current step or bake."""
        weight, since = _stage(status)
        if since is None:
            return None
        since = max(since, status.marks.get("resumed", since))
        if self.silent or self.unreadable:
            deadline = since + self.hold
            return _said(
                Verdict.ERROR if self.unreadable else Verdict.NO_DATA,
                Reason.PROVIDER if self.unreadable else Reason.NO_REQUESTS,
                now,
                since=since,
                deadline=deadline,
                then=self.then,
            )
        if now < since + self.takes:
            return _said(Verdict.UNDECIDED, Reason.FEW_REQUESTS, now)
        baking = status.phase is Phase.BAKING
        bad = weight >= self.bad_from or (self.bad_in_bake and baking)
        return _said(Verdict.FAIL if bad else Verdict.PASS, Reason.WORSE, now)


def _stage(status: ReleaseStatus) -> tuple[int, datetime | None]:
    marks = status.marks
    if "cutover" in marks:
        return 100, marks["cutover"]
    if status.phase is Phase.PROGRESSING and "weight" not in marks:
        return 0, status.since
    return status.weight.applied, marks.get("weight")


def _said(
    verdict: Verdict,
    reason: Reason,
    now: datetime,
    *,
    since: datetime | None = None,
    deadline: datetime | None = None,
    then: Then | None = None,
) -> ReleaseVerdict:
    return ReleaseVerdict(
        verdict=verdict,
        reason=reason,
        message=f"simulated: {reason}",
        at=now,
        reference=Reference.CONCURRENT,
        since=since,
        deadline=deadline,
        then=then,
    )


@dataclass(frozen=True)
class Done:
    """One write that was carried out, and the world's time then."""

    at: datetime
    action: str


@dataclass
class Sight:
    """What routers send where, over time."""

    sent: dict[str, datetime] = field(default_factory=dict)
    """Pod: when it last was a destination."""
    complaints: list[str] = field(default_factory=list)
    stopped: set[str] = field(default_factory=set)

    def fork(self) -> "Sight":
        """The same, to go its own way."""
        return Sight(dict(self.sent), list(self.complaints), set(self.stopped))


def _nothing(*_: object) -> None:
    """Nobody wants to know."""


class World:
    """A cluster with one service, its load, and one release of it."""

    def __init__(
        self,
        objects: tuple[Object, ...],
        *,
        behaviour: Callable[[Object], Behaviour] = lambda _: Behaviour(startup=1.0),
        judge: Judge | None = None,
    ) -> None:
        """Create the objects and let the service come up."""
        self.time = START
        self.cluster = SimulatedCluster(self._now, namespaces=(NAMESPACE,), custom_kinds=OUR_KINDS)
        self.behaviour = behaviour
        self.kubelet = VirtualKubelet(self.cluster, behaviour)
        self.judge = judge or Judge()
        self.sight = Sight()
        self.done: list[Done] = []
        self.told: tuple[Event, ...] = ()
        """What was told of the Rollout while no release of it ran."""
        self.forgiven: set[str] = set()
        self.before_write: Callable[[], None] = _nothing
        self.after_write: Callable[[Action], None] = _nothing
        self._read: dict[str, tuple[Object, Release]] = {}
        self.watching = False
        self._looked: tuple[datetime, int] | None = None
        self.namespace_terminating = False
        for body in objects:
            self.create(body)
        self._come_up()

    def _now(self) -> datetime:
        return self.time

    def fork(self) -> "World":
        """The same world as of now, to go its own way; nobody hears of its writes yet."""
        twin = copy(self)
        twin.cluster = self.cluster.fork(twin._now)  # noqa: SLF001 - a copy of our own
        twin.kubelet = VirtualKubelet(twin.cluster, self.behaviour)
        twin.sight, twin.done = self.sight.fork(), list(self.done)
        twin.forgiven, twin._read = set(self.forgiven), dict(self._read)  # noqa: SLF001
        twin.before_write = twin.after_write = _nothing
        return twin

    def create(self, body: Object) -> Object:
        """Create an object in the world's namespace."""
        return self.cluster.apply(Create(_kind(body), NAMESPACE, body))

    def _come_up(self) -> None:
        self.kubelet.quiesce()
        while (due := self.kubelet.next_due()) is not None and due < START + timedelta(minutes=1):
            self.advance_to(due + timedelta(milliseconds=1))
        self.watching = True

    def advance_to(self, moment: datetime) -> None:
        """Let time pass; pods and control loops do what is due."""
        self.time = max(self.time, moment)
        self.look()
        self.kubelet.quiesce()
        self.look()

    def patch(self, kind: Kind, name: str, body: Any, subresource: str | None = None) -> Object:
        """Change an object, as somebody else than the controller."""
        write = Patch(kind, NAMESPACE, name, PatchType.MERGE, body, subresource)
        found = self.cluster.apply(write)
        self.kubelet.quiesce()
        return found

    def get(self, kind: Kind, name: str) -> Object | None:
        """Read an object; None when it is not there."""
        try:
            return self.cluster.get(kind, NAMESPACE, name)
        except NotFound:
            return None

    def all(self, kind: Kind) -> tuple[Object, ...]:
        """Read all objects of a kind."""
        return self.cluster.list(kind, NAMESPACE).items

    def release(self, name: str) -> Release | None:
        """Read a release; None when it is gone."""
        found = self.get(Kind.RELEASE, name)
        return None if found is None else self._parsed(found)

    def releases(self) -> list[Release]:
        """Read all releases."""
        return [self._parsed(raw) for raw in self.all(Kind.RELEASE)]

    def _parsed(self, raw: Object) -> Release:
        """Give the model of a Release; each of its states is read once."""
        name = str(raw["metadata"]["name"])
        known, release = self._read.get(name, (None, None))
        if release is None or known is not raw:
            release = Release.model_validate(raw)
            self._read[name] = raw, release
        return release

    def objects(self, name: str) -> Objects | None:
        """Read all that one pass looks at."""
        raw = self.get(Kind.RELEASE, name)
        if raw is None:
            return None
        release = self._parsed(raw)
        rollouts = self.all(Kind.ROLLOUT)
        mine = next((r for r in rollouts if r["metadata"]["name"] == release.spec.rollout), None)
        verdict = self.judge.verdict(release.status, self.time)
        return replace(self.around(raw, mine), verdict=verdict)

    def around(self, release: Object, rollout: Object | None) -> Objects:
        """Read all that a decision about a Release looks at, whether or not that one is there."""
        return Objects(
            release=release,
            rollout=rollout,
            rollouts=self.all(Kind.ROLLOUT),
            releases=self.all(Kind.RELEASE),
            deployments=self.all(Kind.DEPLOYMENT),
            replica_sets=self.all(Kind.REPLICA_SET),
            pods=self.all(Kind.POD),
            services=self.all(Kind.SERVICE),
            ingresses=self.all(Kind.INGRESS),
            ingress_classes=self.all(Kind.INGRESS_CLASS),
            autoscalers=self.all(Kind.HORIZONTAL_POD_AUTOSCALER),
            namespace_terminating=self.namespace_terminating,
        )

    def plan(self, name: str) -> tuple[Objects, Plan] | None:
        """Decide what comes next, as the controller does."""
        objects = self.objects(name)
        if objects is None:
            return None
        return objects, plan(snapshot(objects), self.time)

    def one_pass(self, name: str) -> tuple[int, Plan | None]:
        """Carry out one pass; gives the number of writes."""
        decided = self.plan(name)
        if decided is None:
            return 0, None
        objects, made = decided
        count = 0
        try:
            for action in made.actions:
                objects, written = self._carry_out(action, objects)
                count += written
            objects, written = self._record(objects, made)
        except (Conflict, NotFound):
            return count + 1, made
        return count + written, made

    def _record(self, objects: Objects, made: Plan) -> tuple[Objects, int]:
        if self.get(Kind.RELEASE, str(objects.release["metadata"]["name"])) is None:
            return objects, 0
        known = objects.parsed.status
        if known == made.status:
            return objects, 0
        return self._carry_out(Enter(made.status), objects)

    def _carry_out(self, action: Action, objects: Objects) -> tuple[Objects, int]:
        count, wanted = 0, writes(action, objects)
        for write in wanted:
            self.before_write()
            answer = self.cluster.apply(write)
            objects = objects.replace(answer)
            count += 1
            self.done.append(Done(self.time, _named(action)))
            self.look()
            self.after_write(action)
            if write is wanted[-1] and _unlike_deletes(writes(action, objects)):
                raise AssertionError(f"I7: {_named(action)} again would change something")
            self.kubelet.quiesce()
            self.look()
        return objects, count

    def tend(self, rollout: str) -> tuple[int, Tending]:
        """Do what a Rollout does while nothing of it runs; gives the number of writes."""
        raw = self.get(Kind.ROLLOUT, rollout)
        if raw is None:
            return 0, Tending()
        mine = [r for r in self.all(Kind.RELEASE) if r["spec"]["rollout"] == rollout]
        objects, tending = tended(self.around(raw, raw), mine, self.time)
        count = 0
        try:
            for action in tending.actions:
                objects, written = self._carry_out(action, objects)
                count += written
        except (Conflict, NotFound):
            return count + 1, tending
        self.told += tending.events
        return count, tending

    def live(
        self, rollout: str, *, until: Callable[[], bool], patience: timedelta = LONGEST
    ) -> None:
        """Go on with all releases of a Rollout, as its controller does, until something holds."""
        end = self.time + patience
        while not until():
            if self.time > end:
                said = [(one.status.phase, one.status.message) for one in self.releases()]
                raise TimeoutError(f"still {said}")
            written, moments = self.one_round(rollout)
            if not written:
                self._sleep(moments)

    def one_round(self, rollout: str) -> tuple[int, list[datetime]]:
        """Carry out a pass for each open release, and one for the Rollout itself."""
        written, moments = 0, list[datetime]()
        for name in self._open(rollout):
            count, made = self.one_pass(name)
            written += count
            moments += [made.look_again] if made is not None and made.look_again else []
        count, tending = self.tend(rollout)
        moments += [tending.look_again] if tending.look_again else []
        return written + count, moments

    def _open(self, rollout: str) -> list[str]:
        """Name the releases that have not ended, the one that runs first."""
        open_ = [
            r for r in self.releases() if r.spec.rollout == rollout and not r.status.phase.ended
        ]
        open_.sort(key=lambda r: (str(r.metadata.creation_timestamp), r.metadata.name))
        open_.sort(key=lambda r: r.status.phase is Phase.PENDING)
        return [r.metadata.name for r in open_]

    def take_over(self, name: str, epoch: str) -> None:
        """Begin as a new leader does: stamp the objects of a release that has begun."""
        objects = self.objects(name)
        if objects is not None and not objects.parsed.status.phase.ended:
            for patch in stamps(objects, epoch):
                self.cluster.apply(patch)
            self.kubelet.quiesce()

    def run(
        self,
        name: str,
        *,
        until: Callable[[Release | None], bool],
        patience: timedelta = LONGEST,
    ) -> Release | None:
        """Go on until something holds of the release. Raises TimeoutError when it never does."""
        end = self.time + patience
        while not until(found := self.release(name)):
            if self.time > end:
                said = found.status if found else None
                raise TimeoutError(f"still {said and said.phase}: {said and said.message}")
            written, made = self.one_pass(name)
            if not written:
                self._sleep([made.look_again] if made is not None and made.look_again else [])
        return self.release(name)

    def _sleep(self, moments: Iterable[datetime]) -> None:
        moments = [self.time + timedelta(seconds=1), *moments]
        due = self.kubelet.next_due()
        if due is not None:
            moments.append(due)
        self.advance_to(max(min(moments), self.time + timedelta(milliseconds=1)))

    def look(self) -> None:
        """See what the routers send where, and complain of what would lose a request."""
        looked = self.time, self.cluster.registry.store.version
        if not self.watching or looked == self._looked:
            return
        self._looked = looked
        pods = {str(p["metadata"]["name"]): p for p in self.all(Kind.POD)}
        for name in self._destinations(pods):
            self.sight.sent[name] = self.time
        for name, pod in pods.items():
            if "deletionTimestamp" in pod["metadata"] and name not in self.sight.stopped:
                self._stopped(name, pod)

    def _stopped(self, name: str, pod: Object) -> None:
        self.sight.stopped.add(name)
        last = self.sight.sent.get(name)
        if last is None or self.time - last >= LAG or name in self.forgiven:
            return
        hash_ = pod["metadata"]["labels"].get("pod-template-hash")
        self.sight.complaints.append(
            f"{self.time - START}: pod {name} ({hash_}) stops while routers may send to it"
        )

    def _destinations(self, pods: Mapping[str, Object]) -> Iterator[str]:
        if not self.all(Kind.INGRESS):
            yield from self._called(pods)
        for ingress in self.all(Kind.INGRESS):
            annotations = ingress["metadata"].get("annotations") or {}
            canary = _note(annotations, "canary") == "true"
            if canary and int(_note(annotations, "canary-weight") or 0) == 0:
                continue
            for service in _backends(ingress):
                ready = self._ready_of(service, pods)
                yield from ready
                if not ready and not (canary and self._waits_for(service, pods)):
                    self.sight.complaints.append(
                        f"{self.time - START}: Service {service} has no ready pod"
                    )

    def _called(self, pods: Mapping[str, Object]) -> Iterator[str]:
        """Where callers inside the cluster are sent, who know the Services alone."""
        for service in self.all(Kind.SERVICE):
            name = str(service["metadata"]["name"])
            ready = self._ready_of(name, pods)
            yield from ready
            if not ready:
                said = f"{self.time - START}: Service {name} has no ready pod"
                self.sight.complaints.append(said)

    def _waits_for(self, service: str, pods: Mapping[str, Object]) -> bool:
        """Whether the candidate has pods that stopped being ready by themselves."""
        found = self.get(Kind.SERVICE, service)
        selector = (found or {}).get("spec", {}).get("selector") or {}
        return any(_selected(pod, selector) for pod in pods.values())

    def _ready_of(self, service: str, pods: Mapping[str, Object]) -> list[str]:
        found = self.get(Kind.SERVICE, service)
        selector = (found or {}).get("spec", {}).get("selector") or {}
        return [name for name, pod in pods.items() if selector and _serves(pod, selector)]


def _selected(pod: Object, selector: Mapping[str, str]) -> bool:
    labels = pod["metadata"].get("labels") or {}
    told = "deletionTimestamp" in pod["metadata"]
    return not told and all(labels.get(key) == value for key, value in selector.items())


def _serves(pod: Object, selector: Mapping[str, str]) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return ready and _selected(pod, selector)


def _note(annotations: Mapping[str, str], name: str) -> str | None:
    return next((v for k, v in annotations.items() if k.endswith(f"/{name}")), None)


def _backends(ingress: Object) -> Iterator[str]:
    for rule in ingress["spec"].get("rules") or []:
        for path in (rule.get("http") or {}).get("paths") or []:
            service = path["backend"].get("service")
            if service:
                yield service["name"]


def _unlike_deletes(found: tuple[Write, ...]) -> bool:
    return any(not isinstance(write, Delete) for write in found)


def _kind(body: Object) -> Kind:
    return next(kind for kind in Kind if kind.value.kind == body["kind"])


def _named(action: Action) -> str:
    if isinstance(action, Enter | SaveRestore | Commit):
        return f"{type(action).__name__}({action.status.phase} {action.status.reason})"
    return repr(action)
