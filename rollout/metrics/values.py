"""Value metrics of many releases: each different query of a policy is asked once for all of them.

The filled queries of one metric are joined, each with a label that says whose it is. That takes
knowing whether it gives a scalar or a vector, which the first answer tells.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Final, TypeAlias

from rollout.analysis.signals import Track
from rollout.metrics.answers import BadQueryError, NoAnswerError, Result
from rollout.metrics.compile import fill
from rollout.metrics.door import Door
from rollout.metrics.provider import Ask
from rollout.metrics.samples import Gathering
from rollout.resources.metric import ValueMetric

MARK: Final = "rollout_release"
JOINED: Final = {"vector": "label_replace({}, {}", "scalar": "label_replace(vector({}), {}"}

Wanted: TypeAlias = Mapping[int, tuple[Ask, Gathering]]
"""By number of the release: what it asks, and where its values belong."""


@dataclass(frozen=True)
class Question:
    """One release's metric with its query filled."""

    index: int
    metric: ValueMetric
    text: str
    gathering: Gathering

    def take(self, numbers: Sequence[float]) -> None:
        """Put what the query gave where it belongs."""
        name = self.metric.name
        if len(numbers) > 1:
            said = f"the query of {name} gives {len(numbers)} series: aggregate them to one"
            self.gathering.remark(Track.CANDIDATE, said)
        elif numbers and not isfinite(numbers[0]):
            said = f"the query of {name} gives {numbers[0]:g}, which is no number"
            self.gathering.remark(Track.CANDIDATE, said)
        elif numbers:
            self.gathering.values[name] = numbers[0]

    def refuse(self, why: object) -> None:
        """Note that the query is wrong: the policy's fault, which spoils no other metric."""
        self.gathering.remark(Track.CANDIDATE, f"metric {self.metric.name}: {why}")


class Values:
    """Measures the Value metrics of releases that ask the same Prometheus."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._kinds: dict[str, str] = {}
        """By query as the policy has it: what kind of result it gives."""

    async def measure(self, wanted: Wanted, at: datetime) -> dict[int, NoAnswerError]:
        """Put values into the gatherings; give the releases for which no answer came, and why."""
        troubles: dict[int, NoAnswerError] = {}
        for same in _by_query(wanted).values():
            namespace = wanted[same[0].index][0].query.namespace
            try:
                await self._ask(namespace, same, at)
            except NoAnswerError as error:
                troubles |= {one.index: error for one in same}
        return troubles

    async def _ask(self, namespace: str, same: list[Question], at: datetime) -> None:
        kind = self._kinds.get(same[0].metric.query)
        if kind is None:
            await self._alone(namespace, same[0], at)
            same = same[1:]
            kind = self._kinds.get(same[0].metric.query) if same else None
        if kind is not None and len(same) > 1:
            try:
                return await self._together(namespace, same, JOINED[kind], at)
            except BadQueryError:
                pass  # which of them it is, each alone will tell
        for one in same:
            await self._alone(namespace, one, at)
        return None

    async def _alone(self, namespace: str, one: Question, at: datetime) -> None:
        try:
            result = await self._door.ask(namespace, one.text, at)
        except BadQueryError as error:
            one.refuse(error)
            return
        self._kinds[one.metric.query] = result.kind
        one.take([value for _, value in result.series])

    async def _together(
        self, namespace: str, same: list[Question], form: str, at: datetime
    ) -> None:
        texts = list(dict.fromkeys(one.text for one in same))
        marked = [
            form.format(f"({text})", f'"{MARK}", "{number}", "", "")')
            for number, text in enumerate(texts)
        ]
        result = await self._door.ask(namespace, " or ".join(marked), at)
        for one in same:
            one.take(_of(result, texts.index(one.text)))


def _of(result: Result, number: int) -> list[float]:
    return [value for labels, value in result.series if labels.get(MARK) == str(number)]


def _by_query(wanted: Wanted) -> dict[str, list[Question]]:
    found: dict[str, list[Question]] = {}
    for index, (ask, gathering) in wanted.items():
        for metric in ask.policy.value_metrics:
            text = fill(metric.query, ask.query, Track.CANDIDATE)
            question = Question(index, metric, text, gathering)
            found.setdefault(metric.query, []).append(question)
    return found
