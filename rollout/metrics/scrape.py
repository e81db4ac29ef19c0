"""Counters straight from the pods: for people without Prometheus.

All pods are read at once, each with a short timeout, and each once however many releases or
metrics want something of it. A pod that cannot be read is unreadable, which is not the same as one
that counted nothing: its counters stay where they were.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from rollout.analysis.counts import Missing, Outcome
from rollout.analysis.signals import Track
from rollout.metrics.addresses import AddressMap
from rollout.metrics.bounded import FetchError, fetch
from rollout.metrics.compile import Part, parts
from rollout.metrics.provider import Ask, PodAddress
from rollout.metrics.samples import Gathering, Sample
from rollout.resources.provider import ScrapeProvider

MOST_AT_ONCE: Final = 128
ACCEPT: Final = {"Accept": "text/plain;version=0.0.4"}
OK: Final = 200


@dataclass(frozen=True)
class Page:
    """What a pod shows, or why it could not be read."""

    text: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Seen:
    """What a page says of a track's pod."""

    track: Track
    pod: PodAddress
    samples: tuple[Sample, ...] = ()
    problem: str = ""


class Scrape:
    """Reads the counters of all releases from their pods' own metrics pages."""

    def __init__(self, provider: ScrapeProvider, addresses: AddressMap) -> None:
        self._addresses = addresses
        self._timeout = provider.timeout.total_seconds()
        self._runner = asyncio.Runner()
        self._at_once = asyncio.Semaphore(MOST_AT_ONCE)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=MOST_AT_ONCE)
        # Pods are reached directly, whatever proxy the environment names.
        self._client = httpx.AsyncClient(headers=ACCEPT, trust_env=False, limits=limits)

    def sample(self, asks: Sequence[Ask], at: datetime) -> list[Outcome]:
        """Read all pods now; `at` is the moment that the readings are dated."""
        wanted = dict.fromkeys(
            pod for ask in asks for track in Track for pod in ask.query.side(track).pods
        )
        pages = self._runner.run(self._pages(wanted))
        return [_outcome(ask, pages, at) for ask in asks]

    def close(self) -> None:
        """Close the connections."""
        self._runner.run(self._client.aclose())
        self._runner.close()

    async def _pages(self, pods: Iterable[PodAddress]) -> dict[PodAddress, Page]:
        found = list(pods)
        pages = await asyncio.gather(*(self._page(pod) for pod in found))
        return dict(zip(found, pages, strict=True))

    async def _page(self, pod: PodAddress) -> Page:
        if pod.problem:
            return Page(problem=pod.problem)
        try:
            async with self._at_once:
                return Page(await self._read(pod))
        except (FetchError, ValueError) as error:
            return Page(problem=str(error) or type(error).__name__)

    async def _read(self, pod: PodAddress) -> str:
        host = self._addresses.reach(pod.ip)
        url = f"http://{f'[{host}]' if ':' in host else host}:{pod.port}{pod.path}"
        answer = await fetch(self._client, url, self._timeout)
        if answer.status != OK:
            raise ValueError(f"{pod.path} answers {answer.status}")
        return answer.body.decode()


def _outcome(ask: Ask, pages: dict[PodAddress, Page], at: datetime) -> Outcome:
    pods = [(track, pod) for track in Track for pod in ask.query.side(track).pods]
    if not pods:
        return Missing(at, "there are no pods to read")
    wanted = parts(ask.policy)
    gathering = Gathering(wanted)
    seen = [_seen(track, pod, pages[pod], wanted) for track, pod in pods]
    for one in seen:
        _add(gathering, one)
    _remark_unreadable(gathering, seen)
    return gathering.reading(at)


def _seen(track: Track, pod: PodAddress, page: Page, wanted: tuple[Part, ...]) -> Seen:
    if page.problem:
        return Seen(track, pod, problem=page.problem)
    try:
        return Seen(track, pod, tuple(samples(page.text, wanted, track, pod.name)))
    except (ValueError, LookupError) as error:
        return Seen(track, pod, problem=str(error))


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


def _add(gathering: Gathering, seen: Seen) -> None:
    if not seen.problem:
        gathering.targets.add(seen.pod.name)
    for sample in seen.samples:
        gathering.add(sample)


def _name(line: str) -> str:
    return line.partition("{")[0].partition(" ")[0]


def _remark_unreadable(gathering: Gathering, seen: list[Seen]) -> None:
    for track in Track:
        own = [one for one in seen if one.track is track]
        failed = [one for one in own if one.problem]
        if failed:
            first = f"{failed[0].pod.name}: {failed[0].problem}"
            gathering.remark(track, f"{len(failed)} of {len(own)} pods could not be read ({first})")
        elif not own:
            gathering.remark(track, "it has no pods")
