"""The HTTP API: ask the agent, and the paths by which a cluster knows how a pod is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from gemini_agent.agent import Agent, Answer, DialledError, Prompt, TooManyRequestsError
from gemini_agent.counting import Counting
from gemini_agent.measures import Measures
from gemini_agent.memory import Memory
from gemini_agent.settings import Settings

DIALLED: Final = {"x-dialled": "error"}
"""Marks an error that a dial asked for: the version's own, and nobody else's."""


def create_app(settings: Settings, memory: Memory, chance: Callable[[], float]) -> FastAPI:
    """Make the application. `chance` gives numbers from 0 to 1, by which the dials are thrown."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.sleep(settings.dials.startup_seconds)
        yield
        await memory.close()

    measures = Measures()
    app = FastAPI(title=settings.app_name, version=settings.version, lifespan=life)
    app.add_middleware(Counting, measures=measures, version=settings.version)
    agent = Agent(settings, memory, measures, chance)
    _add_probes(app, agent)
    _add_metrics(app, measures, enabled=settings.metrics)
    _add_work(app, agent, settings)
    _add_refusals(app, settings)
    return app


def _add_probes(app: FastAPI, agent: Agent) -> None:
    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/ready")
    async def ready() -> JSONResponse:
        why = await agent.unready()
        return JSONResponse({"status": why or "ready"}, 503 if why else 200)


def _add_metrics(app: FastAPI, measures: Measures, *, enabled: bool) -> None:
    @app.get("/metrics")
    async def metrics() -> Response:
        if not enabled:
            return JSONResponse({"detail": "metrics are off: ENABLE_METRICS is false"}, 404)
        return Response(measures.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_work(app: FastAPI, agent: Agent, settings: Settings) -> None:
    @app.get("/")
    async def about() -> dict[str, str]:
        await agent.suffer()
        return {"app": settings.app_name, "version": settings.version, "pod": settings.pod}

    @app.post("/v1/generate")
    async def generate(prompt: Prompt, request: Request) -> Answer:
        return await agent.ask(prompt, request.client.host if request.client else "unknown")


def _add_refusals(app: FastAPI, settings: Settings) -> None:
    @app.exception_handler(TooManyRequestsError)
    async def too_many(_: Request, error: TooManyRequestsError) -> JSONResponse:
        later = {"retry-after": str(settings.rate_window)}
        return JSONResponse({"detail": str(error)}, 429, later)

    @app.exception_handler(DialledError)
    async def dialled(_: Request, error: DialledError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 500, DIALLED)
