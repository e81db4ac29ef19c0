"""Callers inside the cluster: they go to the Service, and so to pods, without passing the edge."""

import random
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

import httpx

from rollout.kube.client import HttpCluster
from rollout.metrics.addresses import AddressMap
from rollout.resources.writes import Kind
from rollout.sandbox.practice import ADDRESSES

LOOK_SECONDS: Final = 0.5
"""How often the addresses behind the Service are looked up, as kube-proxy follows them."""

CALLERS: Final = 8
"""They call at the same time, so that one slow answer does not hold the others up."""

TIMEOUT: Final = 5.0
SERVICE: Final = "web"


class Inside:
    """Sends so many requests a second to the pods behind a Service. Use it as a context."""

    def __init__(self, cluster: HttpCluster, namespace: str, rate: float) -> None:
        self.lost: list[str] = []
        self._cluster, self._namespace, self._rate = cluster, namespace, rate
        self._addresses = AddressMap.parse(ADDRESSES)
        self._urls: list[str] = []
        self._looked = 0.0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._sent = [0] * CALLERS
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name="inside", daemon=True)
            for number in range(CALLERS)
        ]

    @property
    def sent(self) -> int:
        """Requests so far."""
        return sum(self._sent)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Send no more."""
        self._ended.set()
        for thread in self._threads:
            thread.join(2 * TIMEOUT)

    def _run(self, number: int) -> None:
        due = time.monotonic()
        with httpx.Client(timeout=TIMEOUT, trust_env=False) as client:
            while not self._ended.wait(max(0.0, due - time.monotonic())):
                due += CALLERS / self._rate
                self._send(client)
                self._sent[number] += 1

    def _send(self, client: httpx.Client) -> None:
        try:
            url = random.choice(self._found())  # noqa: S311 - as good as kube-proxy's
            client.get(url).raise_for_status()
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller has lost a request
            self.lost.append(str(error))

    def _found(self) -> list[str]:
        with self._lock:
            if time.monotonic() - self._looked > LOOK_SECONDS:
                self._urls = list(self._look_up())
                self._looked = time.monotonic()
            return self._urls

    def _look_up(self) -> Iterator[str]:
        label = f"kubernetes.io/service-name={SERVICE}"
        for one in self._cluster.list(Kind.ENDPOINT_SLICE, self._namespace, label).items:
            for endpoint in one.get("endpoints") or ():
                for port in one.get("ports") or ():
                    if endpoint.get("conditions", {}).get("ready"):
                        address = self._addresses.reach(endpoint["addresses"][0])
                        yield f"http://{address}:{port['port']}/"
