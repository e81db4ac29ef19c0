"""A Reconciler over a simulated cluster: everything is real but the server, the pods and time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from rollout.controller.fence import Fence
from rollout.controller.follow import Heard
from rollout.controller.metrics import Metrics
from rollout.controller.observe import Observer
from rollout.controller.queue import Key
from rollout.controller.reconcile import Decide, Reconciler
from rollout.controller.record import Record
from rollout.controller.writer import Writer
from rollout.engine.planner import plan
from rollout.kube.cluster import Cluster, ObjectList
from rollout.kube.errors import NotFound
from rollout.kube.events import EventLevel
from rollout.resources.release import Release
from rollout.resources.rollout import Rollout
from rollout.resources.writes import Create, Delete, Kind, Object, Patch, PatchType, Write
from rollout.simulate.cluster import OUR_KINDS, SimulatedCluster
from rollout.simulate.kubelet import Behaviour, VirtualKubelet

SPACE: Final = "shop"
START: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
KEY: Final = Key(SPACE, "web")


@dataclass
class Bounded:
    """A cluster with something in the way of its writes; notes how each was bounded."""

    cluster: Cluster
    before: Callable[[Write], None] = lambda _: None
    after: Callable[[Write], None] = lambda _: None
    bounds: list[float] = field(default_factory=list)
    sent: list[Write] = field(default_factory=list)

    def within(self, seconds: float) -> Self:
        self.bounds.append(seconds)
        return self

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        return self.cluster.get(kind, namespace, name)

    def list(
        self, kind: Kind, namespace: str | None = None, label_selector: str = ""
    ) -> ObjectList:
        return self.cluster.list(kind, namespace, label_selector)

    def apply(self, write: Write) -> Object:
        self.before(write)
        answer = self.cluster.apply(write)
        self.sent.append(write)
        self.after(write)
        return answer


@dataclass
class Direct:
    """Caches that are never behind. `hidden` kinds cannot be read."""

    cluster: Cluster
    hidden: set[Kind] = field(default_factory=set)
    answers: list[Object] = field(default_factory=list)
    gone: list[Delete] = field(default_factory=list)

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        try:
            return self.cluster.get(kind, namespace, name)
        except NotFound:
            return None

    def list(self, kind: Kind, namespace: str | None) -> tuple[Object, ...]:
        if not self.readable(kind):
            return ()
        return self.cluster.list(kind, namespace).items

    def readable(self, kind: Kind) -> bool:
        return kind not in {*self.hidden, Kind.HORIZONTAL_POD_AUTOSCALER}

    def updated(self, answer: Object) -> None:
        self.answers.append(answer)

    def deleted(self, write: Delete) -> None:
        self.gone.append(write)


@dataclass
class Lead:
    """Leadership that lasts for so many more questions."""

    questions: float = float("inf")
    seconds: float = 8.0

    def valid_for(self) -> float:
        self.questions -= 1
        return self.seconds if self.questions >= 0 else 0.0


@dataclass(frozen=True)
class Told:
    reason: str
    note: str
    level: EventLevel


@dataclass
class Teller:
    """Remembers the Events."""

    told: list[Told] = field(default_factory=list)

    def record(
        self,
        regarding: Object,  # noqa: ARG002 - part of the protocol
        reason: str,
        note: str,
        *,
        level: EventLevel = EventLevel.NORMAL,
    ) -> None:
        self.told.append(Told(reason, note, level))

    @property
    def reasons(self) -> list[str]:
        return [told.reason for told in self.told]


@dataclass
class Ears:
    """What metrics say, as the test has it."""

    says: Callable[[Release], Heard] = lambda _: Heard()
    attended: list[Release] = field(default_factory=list)

    def attend(self, release: Release) -> None:
        self.attended.append(release)

    def heard(self, release: Release) -> Heard:
        return self.says(release)


class Rig:
    """One Reconciler, its cluster, and virtual time."""

    def __init__(self, objects: Iterable[Object], decide: Decide = plan) -> None:
        self.time = START
        self.simulated = SimulatedCluster(
            lambda: self.time, namespaces=(SPACE,), custom_kinds=OUR_KINDS
        )
        self.kubelet = VirtualKubelet(self.simulated, lambda _: Behaviour(startup=1.0))
        self.cluster = Bounded(self.simulated)
        self.view = Direct(self.simulated)
        self.lead, self.teller, self.ears, self.metrics = Lead(), Teller(), Ears(), Metrics()
        self.writer = Writer(self.cluster, self.lead, self.view, self.metrics)
        self.record = Record(self.writer, self.teller, lambda: self.time)
        self.terminating = False
        self.epoch = "1/rig"
        self.reconciler = Reconciler(
            observer=Observer(self.view, lambda _: self.terminating),
            decide=decide,
            writer=self.writer,
            fence=Fence(self.writer, lambda: self.epoch),
            record=self.record,
            hearing=self.ears,
            metrics=self.metrics,
            now=lambda: self.time,
        )
        for body in objects:
            self.create(body)
        self.pass_time(30)

    def create(self, body: Object) -> Object:
        kind = next(kind for kind in Kind if kind.value.kind == body["kind"])
        return self.simulated.apply(Create(kind, SPACE, body))

    def patch(self, kind: Kind, name: str, body: Any, subresource: str | None = None) -> Object:
        return self.simulated.apply(Patch(kind, SPACE, name, PatchType.MERGE, body, subresource))

    def pass_time(self, seconds: float) -> None:
        """Let time go by, with everything that pods and control loops do meanwhile."""
        end = self.time + timedelta(seconds=seconds)
        self.kubelet.quiesce()
        while (due := self.kubelet.next_due()) is not None and due < end:
            self.time = max(due, self.time) + timedelta(milliseconds=1)
            self.kubelet.quiesce()
        self.time = max(self.time, end)
        self.kubelet.quiesce()

    def release(self, name: str = "web-v2") -> Release:
        return Release.model_validate(self.simulated.get(Kind.RELEASE, SPACE, name))

    def rollout(self, name: str = "web") -> Rollout:
        return Rollout.model_validate(self.simulated.get(Kind.ROLLOUT, SPACE, name))

    def run(self, until: Callable[["Rig"], bool], seconds: float = 300) -> None:
        """Carry out passes, letting time go by, until something holds; fails when it never does."""
        end = self.time + timedelta(seconds=seconds)
        while not until(self):
            status = self.release().status
            assert self.time < end, f"still {status.phase}: {status.message}"
            result = self.reconciler.reconcile(KEY)
            self.kubelet.quiesce()
            if not result.written:
                self.pass_time(0.5)
