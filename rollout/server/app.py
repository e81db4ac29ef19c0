"""The application: routes, the gate before them, and one form for everything that goes wrong."""

import time
from typing import Any, Final

import structlog
from fastapi import APIRouter, FastAPI, Security
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBearer
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rollout import __version__
from rollout.commands.refusal import CommandRefusedError
from rollout.kube.errors import ClusterError
from rollout.server import changes, reads, streams
from rollout.server.auth import OPEN, Authenticated, Gate
from rollout.server.bounded import SLOW
from rollout.server.counts import Counts, method_of
from rollout.server.desk import Desk
from rollout.server.feed import Feed
from rollout.server.parts import Parts
from rollout.server.problems import MEDIA_TYPE, Problem, problem_of
from rollout.server.settings import BODY_BYTES, ApiSettings
from rollout.server.sized import Sized

log = structlog.get_logger(__name__)
TOKEN: Final = HTTPBearer(
    auto_error=False,
    description="A bearer token of the cluster, for example of `kubectl create token NAME`.",
)
SUMMARY: Final = "Ship new versions a little at a time, and take them back when they hurt users."


def application(
    parts: Parts, feed: Feed, registry: CollectorRegistry, settings: ApiSettings
) -> FastAPI:
    """Make the application."""
    counts, limits = Counts(registry), settings.limits
    gate = Gate(parts.cluster, limits, counts, settings.audience)
    app = _routed(
        Middleware(Counted, counts=counts),
        Middleware(Authenticated, gate=gate),
        Middleware(Sized, most=BODY_BYTES),
    )
    app.state.desk = Desk(parts, gate, feed, counts, limits)
    for kind in (Problem, CommandRefusedError, ClusterError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, _answer)
    app.add_exception_handler(Exception, _bug)
    return app


def document() -> dict[str, Any]:
    """Give the OpenAPI document."""
    return _routed().openapi()


def _routed(*middleware: Middleware) -> "Documented":
    app = Documented(
        title="rollout",
        summary=SUMMARY,
        version=__version__,
        openapi_url=OPEN,
        docs_url=None,  # these pages would load their scripts from elsewhere
        redoc_url=None,
        middleware=middleware,
    )
    app.include_router(_routes())
    return app


def _routes() -> APIRouter:
    routes = APIRouter(prefix="/api/v1", dependencies=[Security(TOKEN)])
    for router in (streams.router, reads.router, changes.router):
        routes.include_router(router)
    return routes


async def _answer(_: Request, error: Exception) -> Response:
    return problem_of(error).response()


async def _bug(request: Request, error: Exception) -> Response:
    if SLOW not in request.scope["state"]:
        log.error("a request failed", method=request.method, path=request.url.path, exc_info=error)
    return problem_of(error).response()


class Documented(FastAPI):
    """An application whose document says of problems that they are problems."""

    def openapi(self) -> dict[str, Any]:
        """Give the OpenAPI document."""
        if self.openapi_schema is None:
            document = super().openapi()
            for path in document["paths"].values():
                for operation in path.values():
                    _mark_problems(operation["responses"])
        return self.openapi_schema or {}


def _mark_problems(responses: dict[str, Any]) -> None:
    for status, response in responses.items():
        content = response.get("content", {})
        for said in ("application/json", "text/event-stream"):
            if status >= "400" and said in content:
                content[MEDIA_TYPE] = content.pop(said)


class Counted:
    """Counts requests by route, and how long answers take."""

    def __init__(self, app: ASGIApp, counts: Counts) -> None:
        self._app = app
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, and count it when it is over."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 0

        async def counting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, counting)
        finally:
            self._count(scope, status, time.monotonic() - began)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = str(getattr(scope.get("route"), "path", "(none)"))
        self._counts.requests.labels(method_of(scope["method"]), route, str(status)).inc()
        if not route.endswith("/stream"):
            self._counts.seconds.observe(seconds)
