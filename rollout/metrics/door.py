"""The way to one Prometheus: address, credentials, TLS; and what it says to a query."""

import os
import ssl
import time
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

import httpx

from rollout.metrics.answers import STRANGERS, NoAnswerError, Result, read_result
from rollout.metrics.bounded import Answer, FetchError, TooLargeError, fetch
from rollout.metrics.credentials import (
    FIELD,
    Access,
    CredentialError,
    Keys,
    SecretUnavailableError,
    read_access,
)
from rollout.resources.access import Tls
from rollout.resources.provider import PrometheusProvider

PATH: Final = "/api/v1/query"

LONGEST_URL: Final = 4000
"""Longer queries are sent as a form. Short ones stay GET: proxies that allow reading only may know
no other method."""

FRESH_SECONDS: Final = 240.0
"""For so long credentials are used without looking whether they have changed."""

AGAIN_SECONDS: Final = 5.0
"""After a refusal they are read again, but not more often than this."""


class TooMuchError(NoAnswerError):
    """The answer is longer than is read: ask for less."""


class Door:
    """One server, as releases of one namespace may ask it. To be used in one event loop."""

    def __init__(self, provider: PrometheusProvider, keys: Keys) -> None:
        """Prepare it; nothing is read and nothing is asked yet."""
        self._provider = provider
        self._keys = keys
        self._url = provider.address.rstrip("/") + PATH
        self._seconds = provider.timeout.total_seconds()
        name = provider.tls.server_name if provider.tls else None
        self._extensions = {"sni_hostname": name} if name else {}
        self._access: Access | None = None
        self._read_at = 0.0
        self._client: httpx.AsyncClient | None = None

    async def ask(self, namespace: str, query: str, at: datetime) -> Result:
        """Ask for a query's result at a moment; raises NoAnswerError.

        Credentials that are refused are read again, and tried again once if they have changed.
        """
        try:
            await self._open(namespace, FRESH_SECONDS)
            return read_result(await self._send(namespace, query, at))
        except TooLargeError as error:
            raise TooMuchError(f"answers too much: {error}") from error
        except FetchError as error:
            said = _explained(str(error), self._url)
            raise NoAnswerError(f"does not answer: {said}") from error
        except (CredentialError, SecretUnavailableError) as error:
            raise NoAnswerError(f"is not asked: {error}") from error

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _send(self, namespace: str, query: str, at: datetime) -> Answer:
        asked = {"query": query, "time": f"{at.timestamp():.3f}"}
        try:
            answer = await self._fetch(asked)
            if answer.status not in STRANGERS or not await self._open(namespace, AGAIN_SECONDS):
                return answer
        except TooLargeError:
            raise
        except FetchError:
            if not await self._open(namespace, AGAIN_SECONDS):
                raise
        return await self._fetch(asked)

    async def _fetch(self, asked: dict[str, str]) -> Answer:
        short = len(self._url) + len(urlencode(asked)) <= LONGEST_URL
        given = {"query": asked} if short else {"form": asked}
        client = self._client or httpx.AsyncClient()
        return await fetch(client, self._url, self._seconds, extensions=self._extensions, **given)

    async def _open(self, namespace: str, seconds: float) -> bool:
        """Read credentials that are older than so many seconds; tell whether they changed.

        Those that were read before stay in use while Secrets cannot be read.
        """
        now = time.monotonic()
        if self._access is not None and now - self._read_at < seconds:
            return False
        self._read_at = now
        try:
            fresh = read_access(self._provider, namespace, self._keys)
            if fresh == self._access:
                return False
            await self._exchange(fresh)
        except SecretUnavailableError:
            if self._access is None:
                raise
            return False
        except CredentialError:
            self._access = None
            raise
        return True

    async def _exchange(self, access: Access) -> None:
        verify = ssl_context(self._provider.tls, access)
        await self.close()
        self._client = httpx.AsyncClient(verify=verify, headers=list(access.headers))
        self._access = access


def ssl_context(tls: Tls | None, access: Access) -> ssl.SSLContext | bool:
    """Say what a TLS connection rests on; raises CredentialError for what is no certificate."""
    if tls is None:
        return True
    context = _trusting(tls, access)
    if access.certificate is not None and access.key is not None:
        _show(context, access.certificate, access.key)
    return context


def _trusting(tls: Tls, access: Access) -> ssl.SSLContext:
    if tls.insecure_skip_verify:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if access.ca is None:
        return httpx.create_ssl_context()
    try:
        return ssl.create_default_context(cadata=access.ca)
    except (ssl.SSLError, ValueError) as error:
        field = "ca" if tls.ca is not None else "caFile"
        raise CredentialError(
            f"{FIELD}.tls.{field}: there is no certificate in PEM in it: {error}"
        ) from error


def _show(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Load a certificate and its key by a file that exists in memory only."""
    handle = os.memfd_create("certificate")
    try:
        with open(handle, "wb", closefd=False) as file:
            file.write(f"{certificate}\n{key}\n".encode())
        # Without a password an encrypted key would be asked for on the terminal.
        context.load_cert_chain(f"/proc/self/fd/{handle}", password="")
    except (ssl.SSLError, ValueError) as error:
        raise CredentialError(
            f"{FIELD}.tls.certificate and key: they are no pair in PEM (an encrypted key is not "
            f"read): {error}"
        ) from error
    finally:
        os.close(handle)


_CERTIFICATE: Final = (
    f"set {FIELD}.tls.certificate and key, to a pair that it trusts, if it wants to see ours"
)
_FIXES: Final = {
    "CERTIFICATE_VERIFY_FAILED": f"set {FIELD}.tls.ca to the authority of its certificate",
    "CERTIFICATE_REQUIRED": _CERTIFICATE,
    "UNKNOWN_CA": _CERTIFICATE,
    "WRONG_VERSION_NUMBER": f"it speaks no TLS: write http:// in {FIELD}.address, or its TLS port",
}


_HUNG_UP: Final = ("BROKEN_PIPE", "CONNECTION_RESET", "DISCONNECTED")
"""How a server that refused our certificate often looks: it hangs up after the handshake."""


def _explained(said: str, address: str) -> str:
    read = said.upper().replace(" ", "_")
    fixes = [fix for sign, fix in _FIXES.items() if sign in read]
    if address.startswith("https://") and any(sign in read for sign in _HUNG_UP):
        fixes.append(_CERTIFICATE)
    return f"{said}: {fixes[0]}" if fixes else said
