"""Requests to a rollout server, sent again for a while when the trouble may pass by itself.

Somebody who rolls back while the server is being restarted must not have to do it twice. A change
carries an idempotency key, so that it can be sent again when no answer came.
"""

import copy
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Self, cast
from urllib.parse import SplitResult, urlsplit
from uuid import uuid4

import httpx

from rollout.cli.http_refusals import EVERY, refusal_of
from rollout.cli.server_errors import ServerUnreachable
from rollout.kube.credentials import is_loopback

SECONDS: Final = 20.0
"""Longest silence of the server; a stream says something every ten seconds."""

READ_SECONDS: Final = 10.0
"""The same for what it reads from its caches."""

CONNECT_SECONDS: Final = 5.0
PATIENCE: Final = 10.0
"""Seconds, from the first trouble, for which a request is sent again."""

FORWARD: Final = "kubectl port-forward -n rollout-system service/rollout-controller 8080"
REFUSED_CERTIFICATE: Final = "CERTIFICATE_VERIFY_FAILED"


class Wire:
    """Sends requests to one server with one token. Raises CommandRefusedError, ClusterError."""

    def __init__(
        self, server: str, token: str, ca_file: str | None = None, *, insecure: bool = False
    ) -> None:
        """Prepare to send; raises ValueError for no URL, token or CA, or what others can read."""
        self._server = checked(server, insecure=insecure)
        headers = {"Authorization": f"Bearer {_one_line(token)}"}
        self._patience = PATIENCE
        self._silence = SECONDS
        self._client = httpx.Client(
            base_url=f"{self._server}/api/v1",
            headers=headers,
            verify=_verification(ca_file),
            trust_env=not is_loopback(urlsplit(self._server).hostname or ""),
        )

    def once(self, seconds: float) -> Self:
        """The same server, asked once only and given so much time."""
        hasty = copy.copy(self)
        hasty._patience, hasty._silence = 0.0, seconds  # noqa: SLF001 - a copy of our own
        return hasty

    def get(self, path: str) -> Any:
        """Read something."""
        return self._answer("GET", path, timeout=self._timeout(READ_SECONDS))

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Send a change; what is None or empty in it is left out."""
        return self._answer(
            "POST",
            path,
            json={key: value for key, value in body.items() if value},
            headers={"Idempotency-Key": uuid4().hex},
            timeout=self._timeout(SECONDS),
        )

    @contextmanager
    def stream(self, path: str, seconds: float) -> Iterator[httpx.Response]:
        """Open a stream, which ends with what is said first after so many seconds."""
        end = time.monotonic() + seconds
        timeout = self._timeout(min(SECONDS, seconds))
        with (
            self._transport(),
            self._client.stream("GET", path, timeout=timeout) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                answer.read()
                raise refusal_of(answer)
            answer.stream = _Until(cast("httpx.SyncByteStream", answer.stream), end)
            yield answer

    def _answer(self, method: str, path: str, **request: Any) -> Any:
        """Send a request until it is answered, or until patience is at its end."""
        end = None
        while True:
            try:
                with self._transport():
                    answer = self._client.request(method, path, **request)
                return _read(answer)
            except ServerUnreachable as error:
                end = end or time.monotonic() + self._patience
                if error.wait is None or time.monotonic() + error.wait > end:
                    raise
                wait = error.wait
            time.sleep(wait)

    @contextmanager
    def _transport(self) -> Iterator[None]:
        """Word what happens on the way."""
        try:
            yield
        except httpx.TransportError as error:
            what = str(error) or type(error).__name__
            wait = None if REFUSED_CERTIFICATE in what else EVERY
            raise ServerUnreachable(f"{self._server}: {what}", wait) from error

    def _timeout(self, silence: float) -> httpx.Timeout:
        bound = min(silence, self._silence)
        return httpx.Timeout(bound, connect=min(CONNECT_SECONDS, bound))


class _Until(httpx.SyncByteStream):
    """What a server says, up to a moment: a heartbeat is no event, and ends it all the same."""

    def __init__(self, said: httpx.SyncByteStream, end: float) -> None:
        self._said = said
        self._end = end

    def __iter__(self) -> Iterator[bytes]:
        for part in self._said:
            yield part
            if time.monotonic() > self._end:
                return

    def close(self) -> None:
        """Give the connection back."""
        self._said.close()


def _read(answer: httpx.Response) -> Any:
    if not answer.is_success:
        raise refusal_of(answer)
    try:
        return answer.json()
    except ValueError as error:
        raise refusal_of(answer) from error


def checked(server: str, *, insecure: bool) -> str:
    """Give a server's URL to build paths on; raises ValueError for none, or one others can read."""
    parts = _parts(server)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"--server {server!r} is no URL: write https://rollout.example.com")
    if parts.scheme == "http" and not insecure and not is_loopback(parts.hostname):
        raise ValueError(
            f"--server {server}: your token could be read on the way to {parts.hostname}: write "
            f"https://, or run `{FORWARD}` and give --server http://127.0.0.1:8080; "
            "--insecure-http (ROLLOUT_INSECURE_HTTP=1) sends it all the same"
        )
    return server.rstrip("/")


def _one_line(token: str) -> str:
    """Take off the end of line that a Secret may have; what else is wrong is said without it."""
    found = token.strip()
    if not (found.isascii() and found.isprintable()) or " " in found:
        raise ValueError(
            "the token (--token, ROLLOUT_TOKEN, or the kubeconfig's) is not one line of ASCII "
            "without spaces: give what `kubectl create token NAME` prints"
        )
    return found


def _parts(server: str) -> SplitResult:
    """Part a URL, one that httpx takes too."""
    try:
        parts = urlsplit(server)
        httpx.URL(server, port=parts.port)
    except (ValueError, httpx.InvalidURL) as error:
        said = f"--server {server!r} is no URL ({error}): write https://rollout.example.com"
        raise ValueError(said) from error
    return parts


def _verification(ca_file: str | None) -> ssl.SSLContext | bool:
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"--server-ca {ca_file}: {error}") from error
