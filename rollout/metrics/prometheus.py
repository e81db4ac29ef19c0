"""Counters from Prometheus, or from anything that speaks its query API.

All counters of both tracks of all releases come from one instant query at one evaluation time, so
that they are of the same moment. Raw counters, never `rate()`: windows overlap, and extrapolation
is not counting.

What PromQL does without data is never taken for a number: a candidate that never failed has no
5xx series (an empty result, not 0), a scalar query without traffic gives NaN.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

from rollout.analysis.counts import Failed, Missing, Outcome
from rollout.metrics.answers import BadQueryError, NoAnswerError
from rollout.metrics.batch import Batch
from rollout.metrics.credentials import Keys
from rollout.metrics.door import Door, TooMuchError
from rollout.metrics.provider import Ask
from rollout.metrics.samples import Gathering
from rollout.metrics.values import Values
from rollout.resources.provider import PrometheusProvider

Counted: TypeAlias = tuple[Gathering, bool] | NoAnswerError
"""What one release gets of the counters: them and whether there were any, or why there are none."""


class Prometheus:
    """Reads counters and values of all releases that ask the same Prometheus.

    Where credentials come from Secrets, all of them must be of one namespace.
    """

    def __init__(self, provider: PrometheusProvider, keys: Keys) -> None:
        self._provider = provider
        self._door = Door(provider, keys)
        self._values = Values(self._door)
        self._runner = asyncio.Runner()
        self._most: int | None = None

    def sample(self, asks: Sequence[Ask], at: datetime) -> list[Outcome]:
        """Read all counters and values as Prometheus has them at a moment."""
        return self._runner.run(self._sample(asks, at)) if asks else []

    def close(self) -> None:
        """Close the connections."""
        self._runner.run(self._door.close())
        self._runner.close()

    async def _sample(self, asks: Sequence[Ask], at: datetime) -> list[Outcome]:
        size = self._most or len(asks)
        counted = list[Counted]()
        for start in range(0, len(asks), size):
            counted += await self._counters(asks[start : start + size], at)
        wanted = {
            index: (ask, one[0])
            for index, (ask, one) in enumerate(zip(asks, counted, strict=True))
            if isinstance(one, tuple)
        }
        troubles = await self._values.measure(wanted, at)
        return [self._outcome(troubles.get(index, one), at) for index, one in enumerate(counted)]

    async def _counters(self, asks: Sequence[Ask], at: datetime) -> list[Counted]:
        """Ask for the counters of some releases.

        What is too much for one answer, or cannot be asked together, is asked in halves, so that
        one release's mistake does not become that of all.
        """
        batch = Batch(asks, self._provider.track_matchers)
        if not batch.query:
            return list(batch.gathered(()))
        try:
            result = await self._door.ask(asks[0].query.namespace, batch.query, at)
            return list(batch.gathered(result.vector()))
        except (TooMuchError, BadQueryError) as error:
            if len(asks) == 1:
                return [error]
            half = len(asks) // 2
            if isinstance(error, TooMuchError):
                self._most = half
            return [
                *await self._counters(asks[:half], at),
                *await self._counters(asks[half:], at),
            ]
        except NoAnswerError as error:
            return [error] * len(asks)

    def _outcome(self, counted: Counted, at: datetime) -> Outcome:
        address = self._provider.address
        if isinstance(counted, NoAnswerError):
            return Failed(at, f"{address} {counted}")
        gathering, found = counted
        if found or gathering.values:
            return gathering.reading(at)
        said = "; ".join(dict.fromkeys(text for own in gathering.remarks.values() for text in own))
        nothing = f"{address} has neither series nor targets of the pods"
        return Missing(at, f"{nothing}; {said}" if said else nothing)
