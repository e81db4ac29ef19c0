"""Whether the metrics that a policy rests on are there: of both tracks, of stable while idle."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from rollout.analysis.counts import CounterId, Failed, Missing, Outcome, Reading
from rollout.analysis.signals import TOTAL, Track
from rollout.commands.doctor import credentials
from rollout.commands.doctor.finding import Finding, Level, ok, problem, warning
from rollout.engine.snapshot import Snapshot
from rollout.metrics.addresses import AddressMap
from rollout.metrics.credentials import Keys
from rollout.metrics.provider import Ask, MetricsProvider, Side, TrackQuery
from rollout.metrics.query import side_of, track_query
from rollout.metrics.registry import provider
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.provider import ScrapeProvider
from rollout.traffic.side import side_service_name
from rollout.translation.objects import Objects
from rollout.translation.snapshots import snapshot

INSIDE: Final = (
    "run `rollout doctor` inside the cluster, or watch the condition MetricsAvailable of a release"
)
SILENT: Final = (
    "send it a request, which is when many libraries begin to show a counter; then show these "
    "counters, or name others in the policy's metrics"
)
CLOSED: Final = (
    "let its pods serve metrics at the port and path of their prometheus.io annotations, as those "
    "of the other version do (`kubectl port-forward pod/NAME PORT` shows them)"
)
NOT_SCRAPED: Final = (
    "let Prometheus scrape its pods as those of the other version, which begins an interval or two "
    "after they start, or correct the provider's trackMatchers"
)


@dataclass(frozen=True)
class Source:
    """What is asked for a Rollout's metrics, and what about."""

    check: str
    policy: RolloutPolicySpec
    query: TrackQuery
    tracks: tuple[Track, ...]
    """Those whose counters are wanted now."""
    early: bool
    """Whether the candidate gets no requests yet."""
    provider: MetricsProvider
    now: datetime

    @property
    def counted(self) -> set[str]:
        """The metrics that count requests."""
        return {one.name for one in self.policy.metrics} - {
            one.name for one in self.policy.value_metrics
        }

    def sample(self) -> Outcome:
        """Read all, once."""
        return self._sample(self.policy, self.query)

    def is_read(self, track: Track) -> bool:
        """Whether anything of a track is read, with or without counters: asked for it alone."""
        nobody, query = Side("", ""), self.query
        stable = query.stable if track is Track.STABLE else nobody
        candidate = query.candidate if track is Track.CANDIDATE else nobody
        metrics = tuple(one for one in self.policy.metrics if one.name in self.counted)
        policy = self.policy.model_copy(update={"metrics": metrics})
        found = self._sample(policy, replace(query, stable=stable, candidate=candidate))
        return isinstance(found, Reading) and bool(found.targets)

    def _sample(self, policy: RolloutPolicySpec, query: TrackQuery) -> Outcome:
        return self.provider.sample([Ask(policy, query)], self.now)[0]


def measured(
    objects: Objects, addresses: AddressMap, keys: Keys, now: datetime
) -> Iterator[Finding]:
    """Read once what the policy wants, as the controller would, and say what is not there."""
    view = snapshot(objects)
    check = f"{objects.release['spec']['rollout']}: metrics"
    if view.target is None:
        return
    query = query_of(objects, view)
    found = [
        *_unreadable(check, view, query),
        *credentials.unseen(check, view.policy, objects.namespace, keys),
    ]
    if not found:
        early = not view.release.status.weight.applied
        asked = provider(view.policy, addresses, keys)
        found = _read(Source(check, view.policy, query, _tracks(view, query), early, asked, now))
    yield from found


def _tracks(view: Snapshot, query: TrackQuery) -> tuple[Track, ...]:
    """Leave out what has no pods; after the cutover the judge wants nothing new of stable."""
    cut_over = "cutover" in view.release.status.marks
    wanted = (Track.CANDIDATE,) if cut_over else tuple(Track)
    return tuple(track for track in wanted if query.side(track).pods)


def query_of(objects: Objects, view: Snapshot) -> TrackQuery:
    """Say whose counters are wanted: those of the release that runs, else of what serves."""
    if view.release.status.hashes.stable is not None:
        return track_query(view.release, objects.pods)
    serving = view.target.populated[0].hash if view.target and view.target.populated else None
    service = view.carriers[0] if view.carriers else ""
    aside = side_service_name(service) if service else ""
    return TrackQuery(
        namespace=objects.namespace,
        stable=side_of(serving, service, objects.pods),
        candidate=side_of(None, aside, (), service),
    )


def _unreadable(check: str, view: Snapshot, query: TrackQuery) -> Iterator[Finding]:
    """Find pods whose metrics nobody could read, wherever they are asked from."""
    if not isinstance(view.policy.provider, ScrapeProvider):
        return
    if not (query.stable.pods or query.candidate.pods):
        yield warning(check, "there are no pods to read", "start some, and look again")
    for track in Track:
        own = query.side(track).pods
        bad = [pod for pod in own if pod.problem]
        if bad:
            said, _, mend = bad[0].problem.rpartition(": ")
            yield problem(check, f"{track}: {len(bad)} of {len(own)} pods: {said}", mend)


def _read(source: Source) -> list[Finding]:
    try:
        return list(_told(source, source.sample()))
    finally:
        source.provider.close()


def _told(source: Source, outcome: Outcome) -> Iterator[Finding]:
    match outcome:
        case Failed(reason=reason):
            yield _failed(source.check, reason)
        case Missing(reason=reason):
            mend = "let the pods be scraped, or correct the provider's trackMatchers"
            tracks = " and ".join(source.tracks)
            yield problem(source.check, f"{tracks}: {reason}" if tracks else reason, mend)
        case Reading():
            found = [one for track in source.tracks for one in _of_track(source, outcome, track)]
            yield from found
            if all(one.level is Level.OK for one in found):
                yield from _well(source)


def _well(source: Source) -> Iterator[Finding]:
    yield from credentials.borrowed(source.check, source.policy, source.query.namespace)
    if Track.CANDIDATE not in source.tracks:
        yield ok(source.check, "the candidate's can be looked at while a release runs")


def _failed(check: str, reason: str) -> Finding:
    """A provider that we cannot reach may be one that the controller can."""
    if "does not answer" in reason:
        return warning(check, f"{reason}; from here", INSIDE)
    return problem(check, reason, "correct spec.provider of the policy")


def _of_track(source: Source, reading: Reading, track: Track) -> Iterator[Finding]:
    counted = sorted(source.counted)
    lacking = [m for m in counted if not reading.counters.get(CounterId(track, m, TOTAL))]
    remark, names = reading.remarks.get(track, ""), ", ".join(counted) or "values"
    if not lacking and not remark:
        yield ok(source.check, f"{track}: {names} are counted")
    elif not lacking:
        yield warning(source.check, f"{track}: {names} are counted, but {remark}", CLOSED)
    elif not reading.targets:
        yield warning(source.check, f"{track}: {remark}; from here", INSIDE)
    elif remark:  # without one it is the other track that has the metric left out of both
        early = track is Track.CANDIDATE and source.early
        said = f"{track}: no {', '.join(lacking)}: {remark}"
        make, when = (warning, "; it gets no requests yet") if early else (problem, "")
        yield make(source.check, said + when, _way_to_hear(source, track))


def _way_to_hear(source: Source, track: Track) -> str:
    """Tell a track that shows nothing from one that nobody reads, though the other is read."""
    if source.is_read(track):
        return SILENT
    return CLOSED if isinstance(source.policy.provider, ScrapeProvider) else NOT_SCRAPED
