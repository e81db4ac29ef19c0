"""Every dial that `rollout sandbox up` prints turns the program that its pods run."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from rollout.sandbox import example
from rollout.sandbox.processes import end
from rollout.sandbox.service.dials import FORMS
from tests.controlplane.ports import ADDRESS, PortLease

pytestmark = [pytest.mark.system, pytest.mark.timeout(90)]

RUN: Final = """
import json, sys
from rollout.sandbox.service.programs import find
raise SystemExit(find(sys.argv[1]).run(json.loads(sys.argv[2])))
"""
TAGS: Final = {
    "errors": "v2-errors100",
    "slow": "v2-slow100x300",
    "startup": "v2-startup2",
    "crash": "v2-crash1",
    "neverready": "v2-neverready",
    "linger": "v2-linger2",
    "overload": "v2-overload5",
}
Pod = subprocess.Popen[bytes]


@contextmanager
def pod(dial: str, folder: Path) -> Iterator[tuple[Pod, httpx.Client]]:
    """Run the program of the practice cluster's pods, with one dial turned in its tag."""
    with PortLease(1) as lease:
        (port,) = lease.ports
        order = {
            "version": TAGS[dial],
            "pod": "web-1",
            "host": ADDRESS,
            "port": port,
            "environment": {"LOG_LEVEL": "ERROR"},
            "names": str(folder / "names.json"),
            "namespace": "default",
            "command": [],
        }
        command = [sys.executable, "-c", RUN, example.NAME, json.dumps(order)]
        with (
            subprocess.Popen(command) as process,
            httpx.Client(base_url=f"http://{ADDRESS}:{port}", trust_env=False) as client,
        ):
            try:
                yield process, client
            finally:
                end(process, 5.0)


def alive(client: httpx.Client) -> bool:
    try:
        return client.get("/health").is_success
    except httpx.TransportError:
        return False


def until(holds: Callable[[], bool]) -> float:
    """Wait until something holds; gives how long that took, in seconds."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < 30
        time.sleep(0.05)
    return time.monotonic() - began


def fails(_: Pod, client: httpx.Client) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.headers["x-dialled"]) == (500, "error")


def is_slow(_: Pod, client: httpx.Client) -> None:
    assert client.get("/").elapsed.total_seconds() >= 0.3


def is_not_ready(_: Pod, client: httpx.Client) -> None:
    assert client.get("/ready").status_code == httpx.codes.SERVICE_UNAVAILABLE


def ends_by_itself(process: Pod, _: httpx.Client) -> None:
    assert process.wait(20) == 1


def breaks_under_load_alone(_: Pod, client: httpx.Client) -> None:
    answers = [client.get("/").status_code for _ in range(20)]
    assert answers == [200] * 10 + [500] * 10
    assert client.get("/health").is_success
    time.sleep(2.1)
    assert client.get("/").is_success


def serves_on_when_told_to_stop(process: Pod, client: httpx.Client) -> None:
    process.send_signal(signal.SIGTERM)
    assert until(lambda: not alive(client)) > 1.5
    process.wait(20)


LOOKS: Final[dict[str, Callable[[Pod, httpx.Client], None]]] = {
    "errors": fails,
    "slow": is_slow,
    "crash": ends_by_itself,
    "neverready": is_not_ready,
    "linger": serves_on_when_told_to_stop,
    "overload": breaks_under_load_alone,
}


def test_every_dial_has_its_look() -> None:
    assert {*LOOKS, "startup"} == set(FORMS) == set(TAGS)
    for name, tag in TAGS.items():
        assert re.fullmatch(rf"v2-{name}[0-9x]*", tag)


@pytest.mark.parametrize("dial", LOOKS)
def test_a_printed_dial_turns_the_program(dial: str, tmp_path: Path) -> None:
    with pod(dial, tmp_path) as (process, client):
        if dial != "crash":  # which may come before it serves
            until(lambda: alive(client))
        LOOKS[dial](process, client)


def test_a_slow_start_is_as_slow_as_dialled(tmp_path: Path) -> None:
    with pod("startup", tmp_path) as (_, client):
        assert until(lambda: alive(client)) >= 2
