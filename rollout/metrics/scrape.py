"""Counters straight from the pods: for people without Prometheus.

All pods are read at once, each with a short timeout. A pod that cannot be read is unreadable,
which is not the same as one that counted nothing: its counters stay where they were.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from rollout.analysis.counts import Missing, Outcome
from rollout.analysis.signals import Track
from rollout.metrics.addresses import AddressMap
from rollout.metrics.compile import Part, parts
from rollout.metrics.provider import PodAddress, TrackQuery
from rollout.metrics.samples import Gathering, Sample
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.provider import ScrapeProvider

MOST_AT_ONCE: Final = 32
LARGEST_PAGE: Final = 16 * 1024 * 1024
ACCEPT: Final = {"Accept": "text/plain;version=0.0.4"}


@dataclass(frozen=True)
class Page:
    """What a pod shows, or why it could not be read."""

    track: Track
    pod: PodAddress
    samples: tuple[Sample, ...] = ()
    problem: str = ""


class Scrape:
    """Reads a policy's counters from the pods' own metrics pages."""

    def __init__(
        self, policy: RolloutPolicySpec, provider: ScrapeProvider, addresses: AddressMap
    ) -> None:
        self._parts = parts(policy)
        self._addresses = addresses
        self._timeout = provider.timeout.total_seconds()
        # Pods are reached directly, whatever proxy the environment names.
        self._client = httpx.Client(timeout=self._timeout, headers=ACCEPT, trust_env=False)
        self._pool = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="scrape")

    def sample(self, query: TrackQuery, at: datetime) -> Outcome:
        """Read all pods now; `at` is the moment that the reading is dated."""
        pods = [(track, pod) for track in Track for pod in query.side(track).pods]
        if not pods:
            return Missing(at, "there are no pods to read")
        gathering = Gathering(self._parts)
        pages = list(self._pool.map(lambda found: self._page(*found), pods))
        for page in pages:
            _add(gathering, page)
        _remark_unreadable(gathering, pages)
        return gathering.reading(at)

    def close(self) -> None:
        """Close connections and end the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._client.close()

    def _page(self, track: Track, pod: PodAddress) -> Page:
        if pod.problem:
            return Page(track, pod, problem=pod.problem)
        try:
            found = samples(self._read(pod), self._parts, track, pod.name)
            return Page(track, pod, tuple(found))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            return Page(track, pod, problem=str(error) or type(error).__name__)

    def _read(self, pod: PodAddress) -> str:
        """Read a page whole within the timeout, also when it trickles."""
        host = self._addresses.reach(pod.ip)
        url = f"http://{f'[{host}]' if ':' in host else host}:{pod.port}{pod.path}"
        deadline, page = time.monotonic() + self._timeout, bytearray()
        with self._client.stream("GET", url) as answer:
            if answer.status_code != httpx.codes.OK:
                raise ValueError(f"{pod.path} answers {answer.status_code}")
            for piece in answer.iter_bytes():
                page += piece
                if time.monotonic() > deadline or len(page) > LARGEST_PAGE:
                    raise ValueError(f"{pod.path} is too slow or too large")
        return page.decode()


def samples(page: str, wanted: tuple[Part, ...], track: Track, target: str) -> Iterator[Sample]:
    """Give the samples of a metrics page that belong to a part.

    Lines are chosen by name before they are parsed: pages are long, and we want little of them.
    Raises ValueError for a line that cannot be read.
    """
    names = {part.series for part in wanted}
    lines = [line for line in page.splitlines() if _name(line) in names]
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        for found in family.samples:
            for part in wanted:
                if part.series == found.name and part.matches(found.labels):
                    yield Sample(track, part, target, found.labels, found.value)


def _add(gathering: Gathering, page: Page) -> None:
    if not page.problem:
        gathering.targets.add(page.pod.name)
    for sample in page.samples:
        gathering.add(sample)


def _name(line: str) -> str:
    return line.partition("{")[0].partition(" ")[0]


def _remark_unreadable(gathering: Gathering, pages: list[Page]) -> None:
    for track in Track:
        own = [page for page in pages if page.track is track]
        failed = [page for page in own if page.problem]
        if failed:
            first = f"{failed[0].pod.name}: {failed[0].problem}"
            gathering.remark(track, f"{len(failed)} of {len(own)} pods could not be read ({first})")
        elif not own:
            gathering.remark(track, "it has no pods")
