"""The door to the HTTP API: for people who have a token and a URL, and no kubeconfig.

Every change carries an idempotency key, so that it can be sent again when no answer came. A
release is followed by server-sent events; a stream that breaks off is opened again, and begins
with the present state.
"""

import copy
import json
import time
from collections.abc import Iterator
from typing import Any, Final, Self
from urllib.parse import quote

from httpx_sse import EventSource

from rollout.cli.http_wire import READ_SECONDS, Wire
from rollout.cli.server_errors import ServerUnreachable
from rollout.commands.actions import Asked
from rollout.commands.patience import PATIENCE, Patience
from rollout.commands.readable import readable
from rollout.commands.refusal import CommandRefusedError, NotThereError
from rollout.commands.request import Request, Started
from rollout.kube.errors import ClusterError, NotFound
from rollout.resources.action import Action, ActionType
from rollout.resources.release import Release
from rollout.resources.writes import Kind, Object

EVERY: Final = 0.5


class HttpDoor:
    """Goes to the HTTP API of a rollout server."""

    def __init__(self, wire: Wire, namespace: str, patience: float = PATIENCE) -> None:
        self.namespace = namespace
        self._wire = wire
        self._patience = patience

    def once(self, seconds: float) -> Self:
        """The same door, which asks once only and gives the server so much time."""
        hasty = copy.copy(self)
        hasty._wire = self._wire.once(seconds)  # noqa: SLF001 - a copy of our own
        return hasty

    def listed(self, kind: Kind, namespace: str | None) -> list[Object]:
        """Give the Rollouts or the releases of a namespace (None: of all)."""
        where = "" if namespace is None else _in(namespace)
        return list(self._wire.get(f"{where}/{kind.value.plural}")["items"])

    def rollouts(self, namespace: str | None) -> list[Object]:
        """Give the Rollouts of a namespace (None: of all)."""
        return self.listed(Kind.ROLLOUT, namespace)

    def releases(self, namespace: str, name: str | None) -> list[Release]:
        """Give the releases of a namespace, as `readable` does."""
        return readable(self.listed(Kind.RELEASE, namespace), name)

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
        answer = self._wire.post(path, {"type": str(type_), "reason": reason})
        return Asked(Action.model_validate(answer["action"]), answer["message"])

    def explain(self, release: Release) -> list[str]:
        """Say why a release is where it is."""
        return list(self._wire.get(f"{_path(release)}/explain")["lines"])

    def pods(self, release: Release) -> dict[str, str]:
        """Say how many pods of each side are ready; nothing when that cannot be had now."""
        try:
            return dict(self._wire.once(READ_SECONDS).get(f"{_path(release)}/pods")["ready"])
        except (ClusterError, CommandRefusedError):
            return {}

    def states(self, namespace: str, name: str, seconds: float) -> Iterator[Release]:
        """Give a release as it is, and again as it changes."""
        path, end = f"{_in(namespace)}/releases/{name}", time.monotonic() + seconds
        patience = Patience(self._patience)
        try:
            yield Release.model_validate(self._wire.get(path))
            while (left := end - time.monotonic()) > 0:
                yield from self._stream(path, left, patience)
                time.sleep(min(EVERY, max(end - time.monotonic(), 0.0)))
        except NotThereError as error:
            raise NotFound(str(error)) from error

    def _stream(self, path: str, left: float, patience: Patience) -> Iterator[Release]:
        """Follow one stream until it ends or breaks off, or until the time is over."""
        end = time.monotonic() + left
        try:
            with self._wire.stream(f"{path}/stream", left) as answer:
                patience.heard()
                for event in EventSource(answer).iter_sse():
                    if event.event == "deleted":
                        raise NotThereError(f"{path} was deleted")
                    if event.event == "release":
                        yield Release.model_validate(json.loads(event.data))
                    if event.event == "end":
                        return
        except ServerUnreachable as error:
            if time.monotonic() < end:
                patience.bear(error)

    def _started(self, path: str, body: dict[str, Any]) -> Started:
        answer = self._wire.post(path, body)
        return Started(answer["release"], tuple(answer["assumed"]))


def _path(release: Release) -> str:
    return f"{_in(release.metadata.namespace)}/releases/{release.metadata.name}"


def _in(namespace: str) -> str:
    return f"/namespaces/{quote(namespace, safe='')}"
