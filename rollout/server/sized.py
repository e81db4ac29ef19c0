"""No request is longer than anything that is of use here, whatever it says about itself."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rollout.server.problems import problem_of

TOO_LARGE = HTTPException(413)


class Sized:
    """Refuses bodies above a number of bytes: at once by their length, else when they reach it."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, with its body counted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = Headers(scope=scope).get("content-length", "")
        if said.isdecimal() and int(said) > self._most:
            await problem_of(TOO_LARGE).response()(scope, receive, send)
            return
        left = self._most

        async def counting() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise TOO_LARGE
            return message

        await self._app(scope, counting, send)
