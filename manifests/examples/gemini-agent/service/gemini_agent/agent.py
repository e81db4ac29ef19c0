"""What the service does: a prompt in, an answer out, within a client's limit and once per prompt.

Redis is a help and no need: when it goes away, answers are given anew, nobody is refused, and pods
stay ready, for all of them would leave their Service at once. Only a pod that has never reached it
is not ready: what it was told of Redis may be wrong, and then no release should go on with it.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable

from pydantic import BaseModel, Field
from redis.exceptions import RedisError

from gemini_agent.load import Load
from gemini_agent.measures import Measures
from gemini_agent.memory import Memory
from gemini_agent.model import generate
from gemini_agent.settings import Settings

log = logging.getLogger(__name__)


class Prompt(BaseModel):
    """What somebody asks."""

    prompt: str = Field(min_length=1, max_length=32_768)
    max_tokens: int | None = Field(default=None, gt=0)


class Answer(BaseModel):
    """What the agent says."""

    text: str
    tokens: int
    model: str
    version: str
    cached: bool


class TooManyRequestsError(Exception):
    """A client has asked more often than it may. The message says how often that is."""


class DialledError(Exception):
    """A request fails because a dial says so."""


class Agent:
    """Answers prompts."""

    def __init__(
        self,
        settings: Settings,
        memory: Memory,
        measures: Measures,
        chance: Callable[[], float],
    ) -> None:
        """Make it. `chance` gives numbers from 0 to 1, by which the dials are thrown."""
        self._settings = settings
        self._memory = memory
        self._measures = measures
        self._chance = chance
        limit = settings.dials.overload
        self._load = None if limit is None else Load(limit)
        self._reached = False

    async def ask(self, prompt: Prompt, client: str) -> Answer:
        """Answer a prompt. Raises TooManyRequestsError and DialledError."""
        await self._admit(client)
        await self.suffer()
        most = min(prompt.max_tokens or self._settings.max_tokens, self._settings.max_tokens)
        known = await self._recall(self._key(prompt.prompt, most))
        return self._cached(known) if known is not None else await self._new(prompt.prompt, most)

    async def suffer(self) -> None:
        """Be slow and fail as often as the dials say. Raises DialledError."""
        dials = self._settings.dials
        if self._chance() < dials.slow_share:
            await asyncio.sleep(dials.slow_seconds)
        if self._load is not None and self._load.exceeded(time.monotonic()):
            raise DialledError("too much to do, as dialled")
        if self._chance() < dials.errors:
            raise DialledError("an error, as dialled")

    async def unready(self) -> str | None:
        """Give why no request should come here now; None when all is well."""
        if self._settings.dials.never_ready:
            return "never ready, as dialled"
        return None if self._reached else await self._reach()

    async def _reach(self) -> str | None:
        try:
            await self._memory.check()
        except RedisError as error:
            log.warning("not ready: %s", error)
            return f"redis at {self._settings.redis_host} does not answer"
        self._reached = True
        return None

    async def _admit(self, client: str) -> None:
        most, window = self._settings.rate_limit, self._settings.rate_window
        if not most:
            return
        try:
            asked = await self._memory.asked(client, window)
        except RedisError as error:
            log.warning("a request is not counted: %s", error)
            return
        if asked > most:
            raise TooManyRequestsError(f"more than {most} requests in {window} s")

    async def _new(self, prompt: str, most: int) -> Answer:
        reply = generate(self._settings.model, prompt, most)
        self._measures.spend(reply.tokens)
        await self._keep(self._key(prompt, most), reply.text)
        return self._answer(reply.text, reply.tokens, cached=False)

    def _cached(self, text: str) -> Answer:
        return self._answer(text, 0, cached=True)

    def _answer(self, text: str, tokens: int, *, cached: bool) -> Answer:
        return Answer(
            text=text,
            tokens=tokens,
            model=self._settings.model,
            version=self._settings.version,
            cached=cached,
        )

    def _key(self, prompt: str, most: int) -> str:
        asked = f"{self._settings.model}:{most}:{prompt}"
        return f"answer:{hashlib.sha256(asked.encode()).hexdigest()}"

    async def _recall(self, key: str) -> str | None:
        try:
            return await self._memory.recall(key) if self._settings.caching else None
        except RedisError as error:
            log.warning("the cache is not asked: %s", error)
            return None

    async def _keep(self, key: str, text: str) -> None:
        try:
            if self._settings.caching:
                await self._memory.keep(key, text)
        except RedisError as error:
            log.warning("an answer is not cached: %s", error)
