"""Whether the metrics that a policy rests on are there: of both tracks, of stable while idle."""

from collections.abc import Iterator
from datetime import datetime

from rollout.analysis.counts import CounterId, Failed, Missing, Outcome, Reading
from rollout.analysis.signals import TOTAL, Track
from rollout.commands.doctor.finding import Finding, Level, ok, problem, warning
from rollout.engine.snapshot import Snapshot
from rollout.metrics.addresses import AddressMap
from rollout.metrics.credentials import Keys
from rollout.metrics.provider import Ask, MetricsProvider, Side, TrackQuery, pod_address
from rollout.metrics.registry import provider
from rollout.resources.objects import labels_of
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.provider import ScrapeProvider
from rollout.resources.words import POD_TEMPLATE_HASH
from rollout.traffic.side import side_service_name
from rollout.translation.objects import Objects
from rollout.translation.snapshots import snapshot

INSIDE = (
    "run `rollout doctor` inside the cluster, or watch the condition MetricsAvailable of a release"
)


def measured(
    objects: Objects, addresses: AddressMap, keys: Keys, now: datetime
) -> Iterator[Finding]:
    """Read once what the policy wants, as the controller would, and say what is not there."""
    view = snapshot(objects)
    check = f"{objects.release['spec']['rollout']}: metrics"
    if view.target is None:
        return
    query = query_of(objects, view)
    found = list(_unreadable(check, view, query))
    if not found:
        source = provider(view.policy, addresses, keys)
        found = list(_read(check, view, query, source, now))
    yield from found


def query_of(objects: Objects, view: Snapshot) -> TrackQuery:
    """Say whose counters are wanted: those of the release that runs, else of what serves."""
    hashes = view.release.status.hashes
    serving = view.target.populated[0].hash if view.target and view.target.populated else ""
    service = view.carriers[0] if view.carriers else ""
    aside = side_service_name(service) if service else ""
    return TrackQuery(
        namespace=objects.namespace,
        stable=_side(objects, hashes.stable or serving, service),
        candidate=_side(objects, hashes.candidate or "", aside, service),
    )


def _side(objects: Objects, hash_: str, service: str, route: str = "") -> Side:
    pods = [
        pod_address(pod)
        for pod in objects.pods
        if hash_ and labels_of(pod).get(POD_TEMPLATE_HASH) == hash_
    ]
    return Side(hash_, service, tuple(pod for pod in pods if pod is not None), route)


def _unreadable(check: str, view: Snapshot, query: TrackQuery) -> Iterator[Finding]:
    """Find pods whose metrics nobody could read, wherever they are asked from."""
    if not isinstance(view.policy.provider, ScrapeProvider):
        return
    pods = [*query.stable.pods, *query.candidate.pods]
    if not pods:
        yield warning(check, "there are no pods to read", "start some, and look again")
    bad = [pod for pod in pods if pod.problem]
    if bad:
        said, _, mend = bad[0].problem.rpartition(": ")
        yield problem(check, f"{len(bad)} of {len(pods)} pods: {said}", mend)


def _read(
    check: str, view: Snapshot, query: TrackQuery, source: MetricsProvider, now: datetime
) -> Iterator[Finding]:
    try:
        outcome = source.sample([Ask(view.policy, query)], now)[0]
    finally:
        source.close()
    tracks = [track for track in Track if query.side(track).pods]
    yield from _told(check, view.policy, outcome, tracks)


def _told(
    check: str, policy: RolloutPolicySpec, outcome: Outcome, tracks: list[Track]
) -> Iterator[Finding]:
    match outcome:
        case Failed(reason=reason):
            yield _failed(check, reason)
        case Missing(reason=reason):
            mend = "let the pods be scraped, or correct the provider's trackMatchers"
            yield problem(check, reason, mend)
        case Reading():
            found = [one for track in tracks for one in _of_track(check, policy, outcome, track)]
            yield from found
            if all(one.level is Level.OK for one in found) and Track.CANDIDATE not in tracks:
                yield ok(check, "the candidate's can be looked at while a release runs")


def _failed(check: str, reason: str) -> Finding:
    """A provider, or a Secret, that we cannot reach may be one that the controller can."""
    if "does not answer" in reason or "cannot be read" in reason:
        return warning(check, f"{reason}; from here", INSIDE)
    return problem(check, reason, "correct spec.provider of the policy")


def _of_track(
    check: str, policy: RolloutPolicySpec, reading: Reading, track: Track
) -> Iterator[Finding]:
    counted = {one.name for one in policy.metrics} - {one.name for one in policy.value_metrics}
    lacking = [m for m in sorted(counted) if not reading.counters.get(CounterId(track, m, TOTAL))]
    remark = reading.remarks.get(track, "")
    if lacking and not reading.targets:
        yield warning(check, f"{track.value}: {remark}; from here", INSIDE)
    elif lacking:
        mend = (
            "send it a request, which is when many libraries begin to show a counter; then show "
            "these counters, or name others in the policy's metrics"
        )
        yield problem(check, f"{track.value}: no {', '.join(lacking)}: {remark}", mend)
    else:
        names = ", ".join(sorted(counted)) or "values"
        yield ok(check, f"{track.value}: {names} are counted")
