"""What many releases want to know of one Prometheus, as one query; pure.

Each different counter becomes one selector, whose matchers name all tracks of all releases at
once; so the number of selectors grows with the number of different counters, and the number of
queries does not grow at all. What comes back is more than was wanted (any namespace with any
pod), so every series is held to each track's own matchers before it counts.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from rollout.analysis.signals import Track
from rollout.metrics.answers import Labels
from rollout.metrics.compile import (
    Part,
    conditions,
    holds,
    parts,
    selector,
    track_matchers,
)
from rollout.metrics.presets import PRESETS
from rollout.metrics.provider import Ask
from rollout.metrics.samples import Gathering, Sample
from rollout.resources.metric import Matcher, Operator

MARK: Final = "rollout_counter"
UP: Final = "up"
PODS: Final = "${pods}"

Matchers: TypeAlias = tuple[Matcher, ...]
_Counter: TypeAlias = tuple[str, Matchers, float | None]
"""Name, matchers and bound of a part: what is counted, whatever the policy calls it."""

_UP: Final[_Counter] = (UP, (), None)


@dataclass(frozen=True)
class Slice:
    """One track of one release: its matchers with their variables filled."""

    index: int
    track: Track
    matchers: Matchers
    pods: frozenset[str]


@dataclass
class Vector:
    """One counter, for all slices that want it, told apart by the same template."""

    counter: _Counter
    template: Matchers
    part: Part
    slices: list[Slice] = field(default_factory=list)
    wanted: dict[int, list[Part]] = field(default_factory=dict)
    """By release: the parts that count it; a policy may name one counter several times."""

    def text(self, mark: int) -> str:
        """Give the PromQL, with a label that says which vector a series came from."""
        together = joined([one.matchers for one in self.slices])
        found = selector(self.part, together)
        if self.counter == _UP:
            found = f"{UP}{{{conditions(together)}}} == 1"
        return f'label_replace({found}, "{MARK}", "{mark}", "", "")'


class Batch:
    """The counters of some releases: the query for all of them, and what its answer means."""

    def __init__(self, asks: Sequence[Ask], template: Matchers | None) -> None:
        """Prepare it; `template` None: each policy's preset says how tracks are told apart."""
        self._parts = [parts(ask.policy) for ask in asks]
        self._vectors: dict[tuple[_Counter, Matchers], Vector] = {}
        for index, ask in enumerate(asks):
            self._take(index, ask, template or PRESETS[ask.policy.preset].track_matchers)
        self._ordered = list(self._vectors.values())
        self._finders = list(_finders(self._ordered))

    @property
    def query(self) -> str:
        """The one query; empty when no track of any release can be named."""
        return " or ".join(vector.text(mark) for mark, vector in enumerate(self._ordered))

    def gathered(self, series: Iterable[tuple[Labels, float]]) -> list[tuple[Gathering, bool]]:
        """Give each release what is its own, and whether there was anything."""
        found = [Gathering(own) for own in self._parts]
        for labels, value in series:
            mark = labels.get(MARK, "")
            if mark.isdigit() and int(mark) < len(self._ordered):
                self._put(found, int(mark), labels, value)
        return [(one, bool(one.targets)) for one in found]

    def _take(self, index: int, ask: Ask, template: Matchers) -> None:
        for track in Track:
            filled = track_matchers(template, ask.query, track)
            if filled is None:
                continue
            pods = frozenset(pod.name for pod in ask.query.side(track).pods)
            own = Slice(index, track, filled, pods)
            self._vector(_UP, template, Part("", UP, UP)).slices.append(own)
            for counter, same in _by_counter(self._parts[index]).items():
                vector = self._vector(counter, template, same[0])
                vector.slices.append(own)
                vector.wanted[index] = same

    def _vector(self, counter: _Counter, template: Matchers, part: Part) -> Vector:
        return self._vectors.setdefault((counter, template), Vector(counter, template, part))

    def _put(self, found: list[Gathering], mark: int, labels: Labels, value: float) -> None:
        wanted = self._ordered[mark].wanted
        kept = {name: text for name, text in labels.items() if name != MARK}
        target = f"{labels.get('job', '')}/{labels.get('instance', '')}"
        for own in self._finders[mark].owners(kept):
            found[own.index].targets.add(target)
            for part in wanted.get(own.index, ()):
                found[own.index].add(Sample(own.track, part, target, kept, value))


class _Finder:
    """Finds whose a series is. By pod or by label where that names few, else by trying all."""

    def __init__(self, template: Matchers, slices: Sequence[Slice]) -> None:
        self._slices = slices
        self._labels = tuple(matcher.label for matcher in template)
        self._known: dict[tuple[str, ...], tuple[Slice, ...]] = {}
        self._index: dict[str, list[Slice]] = {}
        places = (place for place, one in enumerate(template) if _literal(one))
        # The pods' names, where the template has them, say most.
        self._place = max(places, key=lambda place: template[place].value == PODS, default=None)
        if self._place is not None:
            for own in slices:
                for value in _values(template[self._place], own, self._place):
                    self._index.setdefault(value, []).append(own)

    def owners(self, labels: Labels) -> tuple[Slice, ...]:
        """Give the tracks whose matchers all hold."""
        values = tuple(labels.get(label, "") for label in self._labels)
        known = self._known.get(values)
        if known is None:
            near = self._near(values)
            known = self._known[values] = tuple(own for own in near if _all_hold(own, values))
        return known

    def _near(self, values: Sequence[str]) -> Sequence[Slice]:
        return self._slices if self._place is None else self._index.get(values[self._place], ())


def _finders(vectors: Iterable[Vector]) -> Iterator[_Finder]:
    """Give each vector's finder; vectors of the same tracks share one, and what it has found."""
    known: dict[tuple[int, ...], _Finder] = {}
    for vector in vectors:
        same = tuple(id(own) for own in vector.slices)
        if same not in known:
            known[same] = _Finder(vector.template, vector.slices)
        yield known[same]


def _literal(matcher: Matcher) -> bool:
    """Whether a matcher of a template names whole values, which can be looked up."""
    pods = matcher.op is Operator.MATCH and matcher.value == PODS
    return pods or (matcher.op is Operator.EQUAL and "${" in matcher.value)


def _values(matcher: Matcher, own: Slice, place: int) -> Iterable[str]:
    return own.pods if matcher.value == PODS else (own.matchers[place].value,)


def _all_hold(own: Slice, values: Sequence[str]) -> bool:
    return all(map(holds, own.matchers, values))


def _counter(part: Part) -> _Counter:
    return part.series, part.matchers, part.bound


def _by_counter(own: Sequence[Part]) -> Mapping[_Counter, list[Part]]:
    found: dict[_Counter, list[Part]] = {}
    for part in own:
        found.setdefault(_counter(part), []).append(part)
    return found


def joined(tracks: Sequence[Matchers]) -> Matchers:
    """Give matchers that hold wherever those of any of the tracks all hold.

    All tracks are filled from one template, so that matchers of one place have one label and one
    operator.
    """
    return tuple(_joined(tracks))


def _joined(tracks: Sequence[Matchers]) -> Iterator[Matcher]:
    for place in zip(*tracks, strict=True):
        first, values = place[0], list(dict.fromkeys(one.value for one in place))
        if len(values) == 1:
            yield first
        elif first.op is Operator.EQUAL:
            yield _alternatives(first, [re.escape(value) for value in values])
        elif first.op is Operator.MATCH:
            yield _alternatives(first, [f"(?:{value})" for value in values])


def _alternatives(first: Matcher, expressions: list[str]) -> Matcher:
    update = {"op": Operator.MATCH, "value": "|".join(expressions)}
    return first.model_copy(update=update)
