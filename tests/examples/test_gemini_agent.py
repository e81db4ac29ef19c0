"""The sample service: what it answers, limits, remembers and counts, and how its dials harm it."""

import asyncio
import json
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import TypeVar

import httpx
import pytest
from gemini_agent import ask, logs
from gemini_agent.__main__ import memory as memory_of
from gemini_agent.app import create_app
from gemini_agent.memory import Memory, Own
from gemini_agent.settings import Dials, Settings, read
from redis import Redis
from redis.exceptions import ConnectionError as RedisAwayError

from rollout.sandbox.processes import end, start_bound
from tests.controlplane.ports import ADDRESS, PortLease
from tests.debian import REDIS

T = TypeVar("T")
PROMPT = {"prompt": "who is there"}
PASSWORD = "open sesame"


class Away:
    """A Redis that is not there."""

    async def asked(self, client: str, window: int) -> int:
        raise RedisAwayError(f"{client} {window}")

    async def recall(self, key: str) -> str | None:
        raise RedisAwayError(key)

    async def keep(self, key: str, value: str) -> None:
        raise RedisAwayError(key + value)

    async def check(self) -> None:
        raise RedisAwayError("refused")

    async def close(self) -> None:
        pass


def asking(
    work: Callable[[httpx.AsyncClient], Awaitable[T]],
    settings: Settings | None = None,
    memory: Memory | None = None,
    chance: float = 0.5,
) -> T:
    """Do some work with a client of the service."""
    app = create_app(settings or Settings(version="v9"), memory or Own(), lambda: chance)

    async def run() -> T:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://agent") as client:
            return await work(client)

    return asyncio.run(run())


def get(
    path: str, settings: Settings | None = None, memory: Memory | None = None
) -> httpx.Response:
    return asking(lambda client: client.get(path), settings, memory)


def test_an_answer_names_its_version_and_is_given_once_per_prompt() -> None:
    async def twice(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [await client.post("/v1/generate", json=PROMPT) for _ in range(2)]

    first, second = asking(twice)
    assert first.headers["x-version"] == "v9"
    assert (first.json()["cached"], first.json()["tokens"]) == (False, 3)
    assert (second.json()["cached"], second.json()["tokens"]) == (True, 0)
    assert first.json()["text"] == second.json()["text"]


def test_without_caching_every_answer_is_new() -> None:
    async def twice(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [await client.post("/v1/generate", json=PROMPT) for _ in range(2)]

    answers = asking(twice, Settings(caching=False))
    assert [answer.json()["cached"] for answer in answers] == [False, False]


def test_an_answer_is_no_longer_than_asked_for_and_allowed() -> None:
    async def ask(client: httpx.AsyncClient) -> list[int]:
        wishes = [None, 2, 5]
        sent = [{**PROMPT, "max_tokens": wish} if wish else PROMPT for wish in wishes]
        return [(await client.post("/v1/generate", json=s)).json()["tokens"] for s in sent]

    assert asking(ask, Settings(max_tokens=2, caching=False)) == [2, 2, 2]


@pytest.mark.parametrize("body", [{}, {"prompt": ""}, {"prompt": "x", "max_tokens": 0}])
def test_a_prompt_that_is_none_is_refused(body: dict[str, object]) -> None:
    answer = asking(lambda client: client.post("/v1/generate", json=body))
    assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY


def test_a_client_that_asks_too_often_is_told_when_to_come_again() -> None:
    async def thrice(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [await client.post("/v1/generate", json=PROMPT) for _ in range(3)]

    *allowed, refused = asking(thrice, Settings(rate_limit=2, rate_window=3600))
    assert [answer.status_code for answer in allowed] == [200, 200]
    assert refused.status_code == httpx.codes.TOO_MANY_REQUESTS
    assert refused.headers["retry-after"] == "3600"
    assert refused.json()["detail"] == "more than 2 requests in 3600 s"


def test_a_pod_that_has_never_reached_redis_is_not_ready_but_answers_whom_it_must() -> None:
    away = Settings(redis_host="redis-master")
    answer = asking(lambda client: client.post("/v1/generate", json=PROMPT), away, Away())
    assert answer.json()["tokens"] == 3
    ready = get("/ready", away, Away())
    assert ready.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert ready.json()["status"] == "redis at redis-master does not answer"
    assert get("/health", away, Away()).is_success


class Leaving(Own):
    """A Redis that goes away after it was reached once."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False

    async def asked(self, client: str, window: int) -> int:
        return await Away().asked(client, window)

    async def recall(self, key: str) -> str | None:
        return await Away().recall(key)

    async def check(self) -> None:
        if self.away:
            await Away().check()
        self.away = True


def test_a_redis_that_goes_away_takes_no_pod_out_of_its_service() -> None:
    async def look(client: httpx.AsyncClient) -> list[httpx.Response]:
        ready = [await client.get("/ready") for _ in range(2)]
        return [*ready, *[await client.post("/v1/generate", json=PROMPT) for _ in range(3)]]

    answers = asking(look, Settings(redis_host="redis-master", rate_limit=1), Leaving())
    assert [answer.status_code for answer in answers] == [200] * 5


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of a real Redis that asks for a password."""
    folder = tmp_path_factory.mktemp("redis")
    place = ("--bind", ADDRESS, "--dir", str(folder), "--save", "", "--requirepass", PASSWORD)
    library = f"LD_LIBRARY_PATH={REDIS.libraries()}"
    with PortLease(1) as lease:
        (port,) = lease.ports
        server = str(REDIS.program("redis-server"))
        command = ["/usr/bin/env", library, server, *place, "--port", str(port)]
        process = start_bound(command, folder / "log")
        await_redis(port)
        yield port
        end(process)


def await_redis(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        with suppress(RedisAwayError), Redis(ADDRESS, port, password=PASSWORD) as redis:
            redis.ping()
            return
        assert time.monotonic() < deadline, "Redis does not answer"
        time.sleep(0.05)


@pytest.mark.system
def test_a_redis_with_a_password_is_used_by_who_knows_it(locked: int) -> None:
    place = {"REDIS_HOST": ADDRESS, "REDIS_PORT": str(locked)}
    known = read({**place, "REDIS_PASSWORD": PASSWORD})

    async def ready_and_twice(client: httpx.AsyncClient) -> list[httpx.Response]:
        ready = await client.get("/ready")
        return [ready, *[await client.post("/v1/generate", json=PROMPT) for _ in range(2)]]

    ready, _, again = asking(ready_and_twice, known, memory_of(known))
    assert ready.is_success
    assert again.json()["cached"] is True
    for guess in ("", "wrong"):
        guessed = read({**place, "REDIS_PASSWORD": guess})
        answer = asking(lambda c: c.get("/ready"), guessed, memory_of(guessed))
        assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("", 2, "ASK_URL: '' is not an address, such as http://gemini-agent/ready"),
        ("file:///etc/passwd", 2, "is not an address"),
        ("http://127.0.0.1:1/ready", 1, "Connection refused"),
    ],
)
def test_who_asks_is_told_why_there_is_no_answer(
    url: str,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(os.environ, "ASK_URL", url)
    assert ask.main() == code
    assert said in capsys.readouterr().err


def test_only_answers_to_people_are_counted() -> None:
    async def look(client: httpx.AsyncClient) -> str:
        for path in ("/", "/nowhere", "/ready", "/health", "/metrics"):
            await client.get(path)
        return (await client.get("/metrics")).text

    lines = asking(look).splitlines()
    counted = [line for line in lines if line.startswith("http_requests_total")]
    assert counted == [
        'http_requests_total{code="200",method="GET"} 1.0',
        'http_requests_total{code="404",method="GET"} 1.0',
    ]
    assert "http_request_duration_seconds_count 2.0" in lines


def test_metrics_can_be_off() -> None:
    answer = get("/metrics", Settings(metrics=False))
    assert answer.status_code == httpx.codes.NOT_FOUND
    assert "ENABLE_METRICS" in answer.text


def test_dialled_errors_are_marked_and_counted() -> None:
    async def look(client: httpx.AsyncClient) -> tuple[httpx.Response, str]:
        return await client.get("/"), (await client.get("/metrics")).text

    bad, metrics = asking(look, Settings(dials=Dials(errors=0.6)), chance=0.5)
    assert (bad.status_code, bad.headers["x-dialled"]) == (500, "error")
    assert 'http_requests_total{code="500",method="GET"} 1.0' in metrics
    good, _ = asking(look, Settings(dials=Dials(errors=0.4)), chance=0.5)
    assert good.is_success
    assert "x-dialled" not in good.headers


def test_a_slow_answer_takes_as_long_as_dialled() -> None:
    slow = Settings(dials=Dials(slow_share=0.6, slow_seconds=0.05))
    metrics = asking(lambda client: both(client, "/", "/metrics"), slow).text
    assert 'http_request_duration_seconds_bucket{le="0.05"} 0.0' in metrics


async def both(client: httpx.AsyncClient, first: str, second: str) -> httpx.Response:
    await client.get(first)
    return await client.get(second)


def test_a_pod_can_be_dialled_never_to_be_ready() -> None:
    answer = get("/ready", Settings(dials=Dials(never_ready=True)))
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE


def test_log_lines_are_json_that_programs_read() -> None:
    record = logging.LogRecord("agent", logging.INFO, "", 1, 'said "%s"', ("so",), None)
    line = json.loads(logs.JsonLines().format(record))
    assert (line["level"], line["message"]) == ("INFO", 'said "so"')
