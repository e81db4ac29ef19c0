"""Plays one case against an API server, ours or the real one, over plain HTTP."""

import json
import re
import secrets
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeAlias, assert_never

import httpx

from tests.conformance.kubelet import addresses, calls, needs
from tests.conformance.normal import Normaliser
from tests.conformance.paths import at, only, shown
from tests.conformance.script import (
    Case,
    Kubelet,
    Pause,
    Request,
    Settled,
    Step,
    Until,
    Watch,
)

Json: TypeAlias = Any
TIMEOUT: Final = 15.0
WATCH_SECONDS: Final = 3
"""How long a watch is open when too few events come."""
MOST_WATCHES: Final = 5
"""A server may end a watch without a bookmark: it promises none at any time, a busy one skips the
one before the end, and none comes before its cache knows something newer than the watch's start."""
QUIET_SECONDS: Final = 0.7
"""A namespace in which nothing changes for so long is at rest."""
SETTLE_TIMEOUT: Final = 30.0
VARIABLE: Final = re.compile(r"\{(\w+)\}")

COLLECTIONS: Final[Mapping[str, str]] = {
    "deployments": "/apis/apps/v1/namespaces/{ns}/deployments",
    "replicasets": "/apis/apps/v1/namespaces/{ns}/replicasets",
    "pods": "/api/v1/namespaces/{ns}/pods",
    "endpointslices": "/apis/discovery.k8s.io/v1/namespaces/{ns}/endpointslices",
    "services": "/api/v1/namespaces/{ns}/services",
}
SHOWN: Final[Mapping[str, Sequence[str]]] = {
    "deployments": (
        "metadata.name",
        "metadata.generation",
        "metadata.annotations",
        "spec.replicas",
        "spec.paused",
        "status",
    ),
    "replicasets": (
        "metadata.name",
        "metadata.annotations",
        "metadata.labels",
        "spec.replicas",
        "spec.selector.matchLabels",
        "status",
    ),
    "pods": (
        "metadata.name",
        "metadata.labels",
        "metadata.deletionTimestamp",
        "metadata.ownerReferences.0.name",
        "status.phase",
        "status.podIP",
    ),
    "endpointslices": ("metadata.name", "metadata.labels", "addressType", "endpoints", "ports"),
    "services": ("metadata.name", "spec.selector"),
}
"""What is recorded of each object when a namespace is at rest."""


class PlayError(Exception):
    """The server did not do what a step waits for; the message says where the case stands."""


def play(
    base_url: str, token: str, case: Case, *, verify: ssl.SSLContext | bool = True
) -> list[Json]:
    """Play a case in a namespace of its own; returns the normalised answers.

    The namespace is removed afterwards. The token's user must be allowed everything.

    Raises:
        PlayError: an answer has not the status that the case expects, or a wait was in vain.
        httpx.HTTPError: the server does not answer.

    """
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(
        base_url=base_url, headers=headers, verify=verify, timeout=TIMEOUT, trust_env=False
    ) as client:
        player = _Player(client, case)
        with player.namespace():
            return player.play()


class _Player:
    """State of one case in play: what was saved, and the answers so far."""

    def __init__(self, client: httpx.Client, case: Case) -> None:
        self._client = client
        self._case = case
        self._namespace = f"conformance-{secrets.token_hex(5)}"
        self._variables = {"ns": self._namespace}
        self._normaliser = Normaliser(self._namespace, controllers=case.controllers)
        self._records: list[Callable[[], Json]] = []
        self._addresses = addresses()

    @contextmanager
    def namespace(self) -> Iterator[None]:
        """The case's namespace, with a node where the case needs one."""
        plays_kubelet = any(isinstance(step, Kubelet) for step in self._case.steps)
        self._send("POST", "/api/v1/namespaces", {"metadata": {"name": self._namespace}})
        if plays_kubelet:
            self._send("POST", "/api/v1/nodes", {"metadata": {"name": self._namespace}})
        account = f"/api/v1/namespaces/{self._namespace}/serviceaccounts/default"
        self._wait("its service account", lambda: self._client.get(account).is_success)
        try:
            yield
        finally:
            self._client.delete(f"/api/v1/namespaces/{self._namespace}")
            pods = COLLECTIONS["pods"].replace("{ns}", self._namespace)
            self._client.delete(pods, params={"gracePeriodSeconds": 0})
            if plays_kubelet:
                self._client.delete(f"/api/v1/nodes/{self._namespace}")

    def play(self) -> list[Json]:
        """All steps in order; the answers are rewritten when all of them are known."""
        try:
            self._play_steps(self._case.steps)
            return [record() for record in self._records]
        finally:
            self._play_steps(self._case.after)

    def _play_steps(self, steps: Sequence[Step]) -> None:
        for number, step in enumerate(steps, start=1):
            try:
                self._play_step(step)
            except PlayError as error:
                where = f"{self._case.file}: {self._case.name}, step {number}"
                raise PlayError(f"{where}: {error}") from error

    def _play_step(self, step: Step) -> None:
        match step:
            case Request():
                self._request(step)
            case Watch():
                self._watch(step)
            case Until():
                self._until(step)
            case Kubelet():
                self._kubelet(step)
            case Settled():
                self._settled(step)
            case Pause():
                time.sleep(step.pause)
            case _:
                assert_never(step)

    def _request(self, step: Request) -> None:
        verb, address = step.request.split(" ", 1)
        headers = {"Content-Type": step.content_type, "Accept": step.accept}
        if step.token is not None:
            headers["Authorization"] = f"Bearer {step.token}"
        body = None if step.body is None else json.dumps(self._filled(step.body))
        answer = self._client.request(verb, self._filled(address), content=body, headers=headers)
        content = _content(answer)
        self._normaliser.learn(content)
        _expect(answer, step.code)
        for name, path in step.save.items():
            self._variables[name] = str(at(content, path))
        if not step.hide:
            self._records.append(lambda: self._recorded_request(step, answer.status_code, content))

    def _recorded_request(self, step: Request, code: int, content: Json) -> Json:
        kind = "" if step.type == "application/json" else f" ({step.type})"
        body = self._normaliser.normal(content)
        if step.only:
            body = only(body, step.only)
        return {
            "request": f"{step.request}{kind}",
            "code": code,
            "body": shown(body, step.show) if step.show else body,
        }

    def _watch(self, step: Watch) -> None:
        address = self._filled(step.watch)
        parameters = {"watch": "true", "timeoutSeconds": str(WATCH_SECONDS)}
        url = httpx.URL(address).copy_merge_params(parameters)
        answer, events = self._watched(url, step)
        for _ in range(MOST_WATCHES):
            if events or not answer.is_success or "allowWatchBookmarks" not in address:
                break
            self._move_on(url)
            answer, events = self._watched(url, step)
        _expect(answer, step.code)
        for event in events:
            self._normaliser.learn(event)
        self._records.append(lambda: self._recorded_watch(step, answer.status_code, events))

    def _move_on(self, url: httpx.URL) -> None:
        """Have the server's cache know of a newer write: a list asks storage how far it is."""
        configmaps = f"/api/v1/namespaces/{self._namespace}/configmaps"
        self._send("POST", configmaps, {"metadata": {"generateName": "newer-"}})
        self._client.get(url.copy_with(query=None)).raise_for_status()

    def _watched(self, url: httpx.URL, step: Watch) -> tuple[httpx.Response, list[Json]]:
        events: list[Json] = []
        with self._client.stream("GET", url, headers={"Accept": step.accept}) as answer:
            if not answer.is_success:
                answer.read()
                events.append(_content(answer))
            else:
                events.extend(json.loads(line) for line in _first(answer.iter_lines(), step.events))
        return answer, events

    def _recorded_watch(self, step: Watch, code: int, events: list[Json]) -> Json:
        normal = [self._normaliser.normal(event) for event in events]
        if step.show:
            for event in normal:
                event["object"] = shown(event["object"], step.show)
        return {"watch": step.watch, "code": code, "events": normal}

    def _until(self, step: Until) -> None:
        address = self._filled(step.until)
        last: list[Json] = [None]

        def is_so() -> bool:
            last[0] = self._read(address)
            return all(at(last[0], path) == self._filled(v) for path, v in step.has.items())

        def found() -> str:
            return f"{dict(step.has)} of {step.until}, found {json.dumps(last[0])}"

        self._wait(found, is_so, step.within)

    def _settled(self, step: Settled) -> None:
        before, since = self._seen(), time.monotonic()
        deadline = since + SETTLE_TIMEOUT
        while time.monotonic() - since < QUIET_SECONDS:
            time.sleep(0.1)
            now = self._seen()
            if now != before:
                before, since = now, time.monotonic()
            if time.monotonic() > deadline:
                raise PlayError(f"things still move after {SETTLE_TIMEOUT:.0f} s")
        if step.settled:
            seen = {name: before[name] for name in step.settled}
            self._records.append(lambda: {"settled": self._recorded_settled(seen)})

    def _seen(self) -> dict[str, list[Json]]:
        return {name: self._read(self._filled(COLLECTIONS[name]))["items"] for name in COLLECTIONS}

    def _recorded_settled(self, seen: Mapping[str, list[Json]]) -> Json:
        return {name: self._shown(name, items) for name, items in seen.items()}

    def _shown(self, name: str, items: list[Json]) -> list[Json]:
        """What is recorded of some objects, ordered by it: their names end at random."""
        found = [shown(item, SHOWN[name]) for item in self._normaliser.normal(items, "items")]
        return sorted(found, key=lambda item: json.dumps(item, sort_keys=True))

    def _kubelet(self, step: Kubelet) -> None:
        picked: list[Json] = []

        def are_there() -> bool:
            pods = self._read(f"{self._pods()}?labelSelector={step.pods}")["items"]
            picked[:] = [pod for pod in pods if needs(step.kubelet, pod)]
            return len(picked) >= step.count

        self._wait(f"{step.count} pods to make {step.kubelet}", are_there, step.within)
        if len(picked) > step.count and step.kubelet in {"ready", "gone"}:
            raise PlayError(f"{len(picked)} pods to make {step.kubelet}, expected {step.count}")
        for pod in picked[: step.count]:
            self._act(step.kubelet, pod)

    def _act(self, action: str, pod: Json) -> None:
        for call in calls(action, pod, self._namespace, self._addresses):
            self._send(call.verb, call.address, call.body, call.content_type)

    def _pods(self) -> str:
        return COLLECTIONS["pods"].replace("{ns}", self._namespace)

    def _read(self, address: str) -> Json:
        answer = self._client.get(address)
        content = _content(answer)
        self._normaliser.learn(content)
        return content

    def _send(
        self, verb: str, address: str, body: Json = None, content_type: str = "application/json"
    ) -> None:
        content = None if body is None else json.dumps(body)
        headers = {"Content-Type": content_type}
        answer = self._client.request(verb, address, content=content, headers=headers)
        _expect(answer, None)

    def _wait(
        self,
        what: str | Callable[[], str],
        condition: Callable[[], bool],
        seconds: float = 20.0,
    ) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                text = what if isinstance(what, str) else what()
                raise PlayError(f"waited {seconds:.0f} s in vain for {text}")
            time.sleep(0.03)

    def _filled(self, value: Json) -> Json:
        """The value with `{x}` replaced by what was saved as `x`."""
        if isinstance(value, str):
            return VARIABLE.sub(lambda found: self._variables.get(found[1], found[0]), value)
        if isinstance(value, dict):
            return {self._filled(key): self._filled(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [self._filled(entry) for entry in value]
        return value


def _content(answer: httpx.Response) -> Json:
    """The JSON of an answer, else its text."""
    try:
        return answer.json()
    except ValueError:
        return answer.text


def _expect(answer: httpx.Response, code: int | None) -> None:
    fits = answer.is_success if code is None else answer.status_code == code
    if not fits:
        wanted = "success" if code is None else str(code)
        request = answer.request
        raise PlayError(
            f"{request.method} {request.url.raw_path.decode()} was answered "
            f"{answer.status_code}, expected {wanted}: {_body(answer)}"
        )


def _body(answer: httpx.Response) -> str:
    try:
        text: str = answer.text
    except httpx.ResponseNotRead:
        return "(a stream)"
    return text


def _first(lines: Iterator[str], count: int) -> Iterator[str]:
    """So many lines, or all; does not wait for one more."""
    if count == 0:
        return
    for number, line in enumerate(lines, start=1):
        yield line
        if number == count:
            return
