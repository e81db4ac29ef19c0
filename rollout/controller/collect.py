"""Metrics on their own schedule: decisions never wait for them, they use what there is.

One account per active release: a provider, the ledger of what it said, and the last verdict.
What was counted is restored from status after a restart; the counting itself begins anew.
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import structlog

from rollout.analysis.evidence import Reference, Stage
from rollout.analysis.evidence_json import decode, encode
from rollout.analysis.judge import judge
from rollout.analysis.ledger import Ledger
from rollout.analysis.verdict import ReleaseVerdict, Verdict
from rollout.controller.caches import Caches
from rollout.controller.clock import utc_now
from rollout.controller.queue import Key
from rollout.controller.stages import look_at, stage_of
from rollout.metrics.addresses import AddressMap
from rollout.metrics.provider import MetricsProvider, PodAddress, Side, TrackQuery, pod_address
from rollout.metrics.registry import provider
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.release import Release, ReleaseStatus
from rollout.resources.words import POD_TEMPLATE_HASH
from rollout.resources.writes import Kind
from rollout.traffic.ingress import side_service_name

log = structlog.get_logger(__name__)

TICK: Final = 0.05
READERS: Final = 8
Providers = Callable[[RolloutPolicySpec, AddressMap], MetricsProvider]


@dataclass
class Account:
    """What is known of one release's metrics."""

    ledger: Ledger
    provider: MetricsProvider
    due: float = 0.0
    busy: bool = False
    stage: Stage | None = None
    verdict: ReleaseVerdict | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Collector:
    """Reads metrics of every active release and keeps its verdict."""

    def __init__(
        self,
        caches: Caches,
        wake: Callable[[Key, bool], None],
        addresses: AddressMap,
        providers: Providers = provider,
    ) -> None:
        """Prepare it. `wake` is told of a verdict that matters, and whether it is urgent."""
        self._caches = caches
        self._wake = wake
        self._addresses = addresses
        self._providers = providers
        self._accounts: dict[str, Account] = {}
        self._stopping = threading.Event()
        self._readers = ThreadPoolExecutor(READERS, "metrics")
        self._thread = threading.Thread(target=self._run, name="collector", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reading and give connections back."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(5.0)
        self._readers.shutdown(wait=False, cancel_futures=True)
        for account in self._accounts.values():
            account.provider.close()

    def verdict(self, release: Release) -> ReleaseVerdict | None:
        """Return the newest verdict of the stage that a release is in."""
        account = self._accounts.get(release.metadata.uid)
        if account is None:
            return None
        with account.lock:
            return account.verdict if account.stage == stage_of(release.status) else None

    def evidence(self, uid: str) -> dict[str, Any] | None:
        """Return what has been counted, in the form that status keeps."""
        account = self._accounts.get(uid)
        return None if account is None else encode(account.ledger.evidence)

    def _run(self) -> None:
        while not self._stopping.wait(TICK):
            try:
                self._tick()
            except Exception:
                log.exception("metrics could not be scheduled")

    def _tick(self) -> None:
        active = {}
        for raw in self._caches.list(Kind.RELEASE):
            if _is_judged(raw):
                release = Release.model_validate(raw)
                active[release.metadata.uid] = release
        for uid in self._accounts.keys() - active.keys():
            if not self._accounts[uid].busy:
                self._accounts.pop(uid).provider.close()
        for uid, release in active.items():
            self._schedule(uid, release)

    def _schedule(self, uid: str, release: Release) -> None:
        resolved = release.status.resolved
        if resolved is None:
            return
        account = self._accounts.get(uid)
        if account is None:
            account = self._open(release.status, resolved.policy)
            self._accounts[uid] = account
        if account.busy or time.monotonic() < account.due:
            return
        account.busy = True
        account.due = time.monotonic() + resolved.policy.interval.total_seconds()
        self._readers.submit(self._read, account, release)

    def _open(self, status: ReleaseStatus, policy: RolloutPolicySpec) -> Account:
        ledger = Ledger(policy)
        if status.evidence:
            ledger = Ledger(policy, decode(status.evidence))
        return Account(ledger, self._providers(policy, self._addresses))

    def _read(self, account: Account, release: Release) -> None:
        try:
            outcome = account.provider.sample(self._query(release), utc_now())
            self._judge(account, release, outcome, utc_now())
        except Exception:
            log.exception("metrics could not be read", release=release.metadata.name)
        finally:
            account.busy = False

    def _judge(self, account: Account, release: Release, outcome: Any, now: datetime) -> None:
        raw = self._caches.get(Kind.RELEASE, release.metadata.namespace, release.metadata.name)
        if raw is None:
            return
        status = Release.model_validate(raw).status
        stage = stage_of(status)
        if stage is None or status.resolved is None:
            return
        before, was = account.verdict, account.stage
        ledger = account.ledger
        if stage.reference is Reference.BEFORE and ledger.evidence.before is None:
            ledger = Ledger(ledger.policy, ledger.evidence.frozen(), ledger.counting)
        ledger = ledger.take(outcome, stage)
        verdict = judge(ledger.policy, ledger.evidence, look_at(stage, status), now)
        with account.lock:
            account.ledger, account.stage, account.verdict = ledger, stage, verdict
        if was != stage or _matters(before, verdict):
            key = (release.metadata.namespace, release.spec.rollout)
            self._wake(key, verdict.verdict is Verdict.FAIL)

    def _query(self, release: Release) -> TrackQuery:
        status = release.status
        resolved = status.resolved
        service = resolved.traffic.services[0] if resolved and resolved.traffic.services else ""
        hashes = status.hashes
        space = release.metadata.namespace
        return TrackQuery(
            namespace=space,
            stable=Side(hashes.stable or "", service, self._pods(space, hashes.stable)),
            candidate=Side(
                hashes.candidate or "",
                side_service_name(service),
                self._pods(space, hashes.candidate),
            ),
        )

    def _pods(self, namespace: str, hash_: str | None) -> tuple[PodAddress, ...]:
        pods = self._caches.list(Kind.POD, namespace)
        mine = (p for p in pods if _labels(p).get(POD_TEMPLATE_HASH) == hash_ is not None)
        found = (pod_address(pod) for pod in mine)
        return tuple(address for address in found if address is not None)


def _labels(pod: Mapping[str, Any]) -> Mapping[str, str]:
    return pod["metadata"].get("labels") or {}


def _is_judged(release: Mapping[str, Any]) -> bool:
    phase = (release.get("status") or {}).get("phase")
    return phase in {"Progressing", "Paused", "Promoting", "Baking"}


def _matters(before: ReleaseVerdict | None, now: ReleaseVerdict) -> bool:
    """Whether a decision may hang on the difference."""
    if before is None or before.verdict is not now.verdict:
        return True
    return now.verdict is Verdict.FAIL or before.overdue is not now.overdue
