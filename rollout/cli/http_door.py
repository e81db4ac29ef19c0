"""The door to the HTTP API: for people who have a token and a URL, and no kubeconfig.

Every change carries an idempotency key, so that it can be sent again when no answer came. A
release is followed by server-sent events; a stream that breaks off is opened again, and begins
with the present state.
"""

import json
import ssl
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx
from httpx_sse import EventSource

from rollout.cli.http_refusals import refusal_of
from rollout.commands.actions import Asked
from rollout.commands.refusal import NotThereError
from rollout.commands.request import Request, Started
from rollout.kube.errors import NotFound, Unreachable
from rollout.resources.action import Action, ActionType
from rollout.resources.release import Release
from rollout.resources.writes import Object

SECONDS: Final = 20.0
"""Longest silence of the server; a stream says something every ten seconds."""

TRIES: Final = 3
EVERY: Final = 0.5
PATIENCE: Final = 30.0
"""Seconds for which a server that cannot be reached is tried again while a release is followed."""


class HttpDoor:
    """Goes to the HTTP API of a rollout server."""

    def __init__(self, server: str, token: str, namespace: str, ca_file: str | None = None) -> None:
        """Prepare to go; nothing is sent yet. Raises ValueError for what is no URL or no CA."""
        self.namespace = namespace
        self._server = _checked(server)
        local = urlsplit(self._server).hostname in {"127.0.0.1", "::1", "localhost"}
        self._client = httpx.Client(
            base_url=f"{self._server}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            verify=_verification(ca_file),
            timeout=SECONDS,
            trust_env=not local,
        )

    def rollouts(self, namespace: str | None) -> list[Object]:
        """Give the Rollouts of a namespace (None: of all)."""
        path = "/rollouts" if namespace is None else f"{_in(namespace)}/rollouts"
        return list(self._get(path)["items"])

    def releases(self, namespace: str) -> list[Release]:
        """Give the releases of a namespace."""
        items = self._get(f"{_in(namespace)}/releases")["items"]
        return [Release.model_validate(one) for one in items]

    def start(self, namespace: str, request: Request) -> Started:
        """Start a release; the server records who asks."""
        said = {
            "version": request.version,
            "rollout": request.rollout,
            "deployment": request.deployment,
            "strategy": request.strategy,
            "policy": request.policy,
            "reason": request.reason,
        }
        return self._started(f"{_in(namespace)}/releases", said)

    def retry(self, namespace: str, release: str, reason: str) -> Started:
        """Try a release again, as a new one; the server records who asks."""
        path = f"{_in(namespace)}/releases/{release}/retry"
        return self._started(path, {"reason": reason})

    def ask(self, namespace: str, release: str, type_: ActionType, reason: str) -> Asked:
        """Ask something of a release; the server records who asks."""
        path = f"{_in(namespace)}/releases/{release}/actions"
        answer = self._post(path, {"type": str(type_), "reason": reason})
        return Asked(Action.model_validate(answer["action"]), answer["message"])

    def explain(self, release: Release) -> list[str]:
        """Say why a release is where it is."""
        return list(self._get(f"{_path(release)}/explain")["lines"])

    def pods(self, release: Release) -> dict[str, str]:
        """Say how many pods of each side are ready."""
        return dict(self._get(f"{_path(release)}/pods")["ready"])

    def states(self, namespace: str, name: str, seconds: float) -> Iterator[Release]:
        """Give a release as it is, and again as it changes."""
        heard = time.monotonic()
        end = heard + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                for release in self._stream(f"{_in(namespace)}/releases/{name}", left):
                    heard = time.monotonic()
                    yield release
            except NotThereError as error:
                raise NotFound(str(error)) from error
            except Unreachable:
                if time.monotonic() - heard > PATIENCE:
                    raise
            time.sleep(min(EVERY, max(end - time.monotonic(), 0.0)))

    def _stream(self, path: str, left: float) -> Iterator[Release]:
        """Follow one stream until it ends, or until the time is over."""
        end = time.monotonic() + left
        timeout = httpx.Timeout(SECONDS, read=min(SECONDS, left))
        try:
            with self._client.stream("GET", f"{path}/stream", timeout=timeout) as answer:
                if answer.status_code != httpx.codes.OK:
                    answer.read()
                    raise refusal_of(answer)
                for event in EventSource(answer).iter_sse():
                    if event.event == "deleted":
                        raise NotThereError(f"{path} was deleted")
                    if event.event == "release":
                        yield Release.model_validate(json.loads(event.data))
                    if event.event == "end" or time.monotonic() > end:
                        return
        except httpx.TransportError as error:
            if time.monotonic() < end:
                raise self._away(error) from error

    def _started(self, path: str, body: dict[str, Any]) -> Started:
        answer = self._post(path, body)
        return Started(answer["release"], tuple(answer["assumed"]))

    def _get(self, path: str) -> Any:
        try:
            answer = self._client.get(path)
        except httpx.TransportError as error:
            raise self._away(error) from error
        return _read(answer)

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        """Send a change, and send it again under the same key when no answer came."""
        said = {key: value for key, value in body.items() if value}
        headers = {"Idempotency-Key": uuid4().hex}
        for left in reversed(range(TRIES)):
            try:
                answer = self._client.post(path, json=said, headers=headers)
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or not left:
                    return _read(answer)
            except httpx.TransportError as error:
                if not left:
                    raise self._away(error) from error
            time.sleep(EVERY)
        raise AssertionError("the last try answers or raises")

    def _away(self, error: httpx.TransportError) -> Unreachable:
        what = str(error) or type(error).__name__
        return Unreachable(f"{self._server}: {what}")


def _path(release: Release) -> str:
    return f"{_in(release.metadata.namespace)}/releases/{release.metadata.name}"


def _in(namespace: str) -> str:
    return f"/namespaces/{quote(namespace, safe='')}"


def _read(answer: httpx.Response) -> Any:
    if not answer.is_success:
        raise refusal_of(answer)
    try:
        return answer.json()
    except ValueError as error:
        raise refusal_of(answer) from error


def _checked(server: str) -> str:
    parts = urlsplit(server)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"--server {server!r} is no URL: write https://rollout.example.com")
    return server.rstrip("/")


def _verification(ca_file: str | None) -> ssl.SSLContext | bool:
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"--server-ca {ca_file}: {error}") from error
