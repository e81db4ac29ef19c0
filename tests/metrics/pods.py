"""Sample pods: real HTTP servers on loopback that show counters as services do."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server

from rollout.metrics.addresses import AddressMap
from rollout.metrics.provider import PodAddress, Side, TrackQuery

ADDRESSES: Final = AddressMap.parse("10.244.250.0/24=127.244.250.0/24")
_numbers: Final = count(1)


class SamplePod:
    """A pod that counts the requests it is told of."""

    def __init__(self, hash_: str, buckets: tuple[float, ...] = (0.25, 1.0)) -> None:
        number = next(_numbers)
        self.name = f"web-{hash_}-{number:05d}"
        self.ip = f"10.244.250.{1 + number % 250}"
        self._buckets = buckets
        self._port = 0
        self.start()

    @property
    def address(self) -> PodAddress:
        """The pod as a provider is told of it."""
        return PodAddress(self.name, self.ip, self._port)

    @property
    def reached(self) -> str:
        """Host and port at which it really listens."""
        return f"{ADDRESSES.reach(self.ip)}:{self._port}"

    def start(self) -> None:
        """Begin to serve, with counters at zero and the same port as before."""
        registry = CollectorRegistry()
        self._requests = Counter(
            "http_requests", "Requests.", ["code", "method"], registry=registry
        )
        self._seconds = Histogram(
            "http_request_duration_seconds", "Times.", buckets=self._buckets, registry=registry
        )
        self._server, self._thread = start_http_server(
            self._port, ADDRESSES.reach(self.ip), registry=registry
        )
        self._port = self._server.server_port
        self._serves = True

    def stop(self) -> None:
        """Stop serving, if it does."""
        if self._serves:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(5)
            self._serves = False

    def restart(self) -> None:
        """Lose all counts, as a process that crashed does."""
        self.stop()
        self.start()

    def serve(self, requests: int, code: int = 200, seconds: float = 0.01) -> None:
        """Count requests with an answer and a time."""
        for _ in range(requests):
            self._requests.labels(str(code), "get").inc()
            self._seconds.observe(seconds)


class Pods:
    """The pods of one test, by track."""

    def __init__(self) -> None:
        self.stable: list[SamplePod] = []
        self.candidate: list[SamplePod] = []

    def add(self, track: str, buckets: tuple[float, ...] = (0.25, 1.0)) -> SamplePod:
        """Start a pod on a track."""
        pod = SamplePod(f"{track}hash", buckets)
        getattr(self, track).append(pod)
        return pod

    @property
    def all(self) -> list[SamplePod]:
        """The pods of both tracks."""
        return [*self.stable, *self.candidate]

    def query(self) -> TrackQuery:
        """What a provider is asked."""
        return TrackQuery(
            namespace="shop",
            stable=Side("stablehash", "web", tuple(p.address for p in self.stable)),
            candidate=Side(
                "candidatehash", "web-candidate", tuple(p.address for p in self.candidate)
            ),
        )


@contextmanager
def pods() -> Iterator[Pods]:
    """Give a test its pods, and stop them afterwards."""
    own = Pods()
    try:
        yield own
    finally:
        with ThreadPoolExecutor() as stopping:
            list(stopping.map(SamplePod.stop, own.all))
