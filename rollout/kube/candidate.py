"""At most one controller acts: leadership by a Lease, safe when calls hang or clocks differ.

The client library's elector keeps two leaders alive when the API server dies or freezes: it
checks its deadline only between calls, and its calls have no bound. The rules here:

- Whether we lead is a comparison with the clock, made anew at each question. No thread has to
  run and no call has to return for leadership to end.
- We lead for `renew` seconds from *before* the request that renewed was sent. Others wait for
  `lease` seconds from *after* they saw it. The difference is what a write in flight may take.
- Durations are measured on this machine's steady clock, which also counts suspended time.
  Times in the Lease are for people: no two clocks are ever compared.
- Whatever goes wrong is a failed try. Giving up early is safe, holding on is not.

One window stays open, as in every elector of this kind: when a Lease is deleted by hand, a
candidate that has never seen it takes over at once, beside a leader that has up to `renew`
seconds left. Writes are fenced by resourceVersions for such cases.
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from rollout.kube.cluster import RemoteCluster
from rollout.kube.errors import NotFound
from rollout.resources.writes import Create, Kind, Object, Patch, PatchType

Clock: TypeAlias = Callable[[], float]
MICROSECONDS: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


def steady() -> float:
    """Seconds that only go forward, also while the machine sleeps (where the system can tell)."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def wall() -> datetime:
    """Date and time for people to read."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Durations:
    """How long leadership lasts, in seconds; raises ValueError where the order is wrong.

    `lease`: how long others wait after the last renewal they saw. `renew`: how long we lead
    after a renewal. `retry`: the time between tries.
    """

    lease: float = 15.0
    renew: float = 10.0
    retry: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.retry < self.renew < self.lease:
            raise ValueError(
                f"lease durations must satisfy 0 < retry < renew < lease, got retry={self.retry}, "
                f"renew={self.renew}, lease={self.lease}: lengthen the lease or shorten the others"
            )

    @property
    def call(self) -> float:
        """How long one call may take, in seconds: so that a second try fits before the end."""
        return self.renew / 2


@dataclass(frozen=True)
class Record:
    """What a Lease says, and when we saw this version of it for the first time."""

    version: str
    holder: str
    lease_seconds: float
    seen_at: float


class Candidate:
    """One contender for a Lease, without a thread: each `attempt` is one try.

    `term` counts the times that it began to lead. Safe to ask from many threads; attempts are
    made from one.
    """

    def __init__(
        self,
        cluster: RemoteCluster,
        namespace: str,
        name: str,
        identity: str,
        durations: Durations,
        *,
        clock: Clock = steady,
        now: Callable[[], datetime] = wall,
    ) -> None:
        self.identity = identity
        self.record: Record | None = None
        self._cluster = cluster.within(durations.call)
        self._place = (namespace, name)
        self._durations = durations
        self._clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._deadline = -math.inf
        self._term = 0
        self._transitions = 0
        self._retired = False
        self._lease: Object | None = None

    def valid_for(self) -> float:
        """Seconds of leadership left, 0 when not leading."""
        with self._lock:
            return max(0.0, self._deadline - self._clock())

    @property
    def epoch(self) -> str:
        """Which leadership this is, of all that the Lease has seen: no other has the same.

        The number counts them; the identity tells them apart when the Lease was deleted.
        """
        return f"{self._transitions}/{self.identity}"

    def term(self) -> int:
        """Which time of leading this is, counted from 1; 0 when not leading."""
        with self._lock:
            return self._term if self._deadline > self._clock() else 0

    def retire(self) -> None:
        """Stop leading now and never lead again, whatever calls in flight may bring."""
        with self._lock:
            self._retired, self._deadline = True, -math.inf

    def attempt(self) -> bool:
        """Try once to get or keep the Lease; raises ClusterError when that cannot be told."""
        began = self._clock()
        held, self._lease = self._lease, None
        lease = held or self._read()
        if self._belongs_to_another():
            return False
        self._lease = self._create() if lease is None else self._renew(lease)
        self._observe(self._lease)
        self._transitions = int(self._lease["spec"].get("leaseTransitions") or 0)
        return self._lead_since(began)

    def release(self, seconds: float) -> None:
        """Empty the Lease where it is ours, so that the next one need not wait for its end."""
        self.retire()
        cluster = self._cluster.within(seconds / 2)
        lease = cluster.get(Kind.LEASE, *self._place)
        if lease["spec"].get("holderIdentity") == self.identity:
            now = self._now().strftime(MICROSECONDS)
            freed = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": now}
            cluster.apply(self._patch(lease, freed))

    def _read(self) -> Object | None:
        try:
            lease = self._cluster.get(Kind.LEASE, *self._place)
        except NotFound as error:
            if error.kind_is_missing:
                raise
            return None
        self._observe(lease)
        return lease

    def _observe(self, lease: Object) -> None:
        version = lease["metadata"]["resourceVersion"]
        if self.record is None or self.record.version != version:
            spec = lease.get("spec") or {}
            lasts = spec.get("leaseDurationSeconds") or self._durations.lease
            holder = spec.get("holderIdentity") or ""
            self.record = Record(version, holder, lasts, self._clock())

    def _belongs_to_another(self) -> bool:
        record = self.record
        if record is None or record.holder in ("", self.identity):
            return False
        return self._clock() < record.seen_at + record.lease_seconds

    def _create(self) -> Object:
        namespace, name = self._place
        body = {
            "apiVersion": Kind.LEASE.value.api_version,
            "kind": Kind.LEASE.value.kind,
            "metadata": {"namespace": namespace, "name": name},
            "spec": self._spec(transitions=0, acquire=True),
        }
        return self._cluster.apply(Create(Kind.LEASE, namespace, body))

    def _renew(self, lease: Object) -> Object:
        spec = lease.get("spec") or {}
        ours = spec.get("holderIdentity") == self.identity
        transitions = (spec.get("leaseTransitions") or 0) + (not ours)
        wanted = self._spec(transitions=transitions, acquire=not ours)
        return self._cluster.apply(self._patch(lease, wanted))

    def _spec(self, *, transitions: int, acquire: bool) -> dict[str, Any]:
        now = self._now().strftime(MICROSECONDS)
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": math.ceil(self._durations.lease),
            "renewTime": now,
            "leaseTransitions": transitions,
            **({"acquireTime": now} if acquire else {}),
        }

    def _patch(self, lease: Object, spec: Object) -> Patch:
        version = lease["metadata"]["resourceVersion"]
        body = {"metadata": {"resourceVersion": version}, "spec": spec}
        return Patch(Kind.LEASE, *self._place, PatchType.MERGE, body)

    def _lead_since(self, began: float) -> bool:
        with self._lock:
            if self._retired:
                return False
            now = self._clock()
            if self._deadline <= now:  # nobody was told that we lead, so this is a new term
                self._term += 1
            self._deadline = began + self._durations.renew
            return self._deadline > now
