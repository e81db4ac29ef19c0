"""HTTP within bounds: so many seconds in all, so many bytes, and no server but the one asked.

The time counts for the whole answer, name lookup and headers included, so that a server that
trickles cannot hold a reading; bytes are counted while they come; and a redirect is refused,
because credentials must not follow it.
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx

LARGEST: Final = 16 * 1024 * 1024
CONNECT_SECONDS: Final = 2.0
IDENTITY: Final = {"Accept-Encoding": "identity"}
"""Nothing is compressed: the bytes that are counted are those that take memory."""


class FetchError(Exception):
    """No answer that can be used; the message says what happened, without the address."""


class TooLargeError(FetchError):
    """The answer is longer than is read."""


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    content_type: str
    body: bytes


async def fetch(
    client: httpx.AsyncClient,
    url: str,
    seconds: float,
    *,
    query: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    extensions: Mapping[str, str] | None = None,
) -> Answer:
    """Get a whole answer, or send a form and get its answer; raises FetchError.

    Answers of any status are given, but for redirects.
    """
    method = "GET" if form is None else "POST"
    timeout = httpx.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds))
    try:
        async with asyncio.timeout(seconds):
            request = client.build_request(
                method,
                url,
                params=query,
                data=form,
                timeout=timeout,
                headers=IDENTITY,
                extensions=dict(extensions or {}),
            )
            return await _whole(client, request)
    except (TimeoutError, httpx.TimeoutException) as error:
        raise FetchError(f"no whole answer within {seconds:g}s: timed out") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        # OSError: httpx lets TLS errors through that come after the handshake.
        raise FetchError(root(error)) from error


async def _whole(client: httpx.AsyncClient, request: httpx.Request) -> Answer:
    answer = await client.send(request, stream=True, follow_redirects=False)
    try:
        _refuse(answer)
        body = bytearray()
        async for piece in answer.aiter_raw():
            body += piece
            if len(body) > LARGEST:
                raise TooLargeError(f"the answer is longer than {LARGEST // 2**20} MiB")
        return Answer(answer.status_code, answer.headers.get("Content-Type", ""), bytes(body))
    finally:
        await answer.aclose()


def _refuse(answer: httpx.Response) -> None:
    if answer.is_redirect:
        where = (answer.headers.get("Location") or "nowhere")[:200]
        raise FetchError(
            f"it redirects ({answer.status_code}) to {where}, which is not "
            "followed, because credentials would go there: write the address that it means"
        )
    encoding = answer.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise FetchError(f"it compresses ({encoding}) though it was not asked to: switch that off")


def root(error: BaseException) -> str:
    """Say the cause at the bottom: the wrappings of HTTP libraries hide it."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    if isinstance(error, ConnectionError | TimeoutError) and error.errno:
        return f"[Errno {error.errno}] {os.strerror(error.errno)}"
    return str(error) or type(error).__name__
