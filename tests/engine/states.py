"""What two tellings of a story must have in common to go on in the same way.

The simulated world is a function of its state. So a telling that comes to a state from which the
story has been told to its end need not be told again from there. Left out of a state is what
nothing decides on: how often the leader has changed, the server's counts of writes, addresses.
"""

import json
import re
from collections.abc import Hashable, Iterator
from typing import Final

from rollout.resources.objects import name_of
from rollout.resources.words import EPOCH
from rollout.resources.writes import Kind, Object
from rollout.simulate.world import Sight, World

COUNTED: Final = re.compile(r'"(resourceVersion|podIPs?|addresses)": ("[^"]*"|\[[^]]*\])')
"""Fields whose values follow from how many writes there were."""

EPOCHS: Final = re.compile(rf'("{re.escape(EPOCH)}": ")\d+')
"""How often the leader has changed, in its stamps: the release that follows tells."""


class ToldBefore(Exception):  # noqa: N818 - no error: the story goes on as it did before
    """From here on the story has been told to its end already."""


class States:
    """States as values, and those from which a story has been told to its end."""

    def __init__(self) -> None:
        self.known = dict[Hashable, Hashable]()
        """Each state, and the one that followed it; None where the story ended."""
        self._texts: dict[int, tuple[Object, str]] = {}

    def text(self, obj: Object) -> str:
        """What an object says; objects are never changed, so each is read once."""
        found = self._texts.get(id(obj))
        if found is None:
            found = obj, EPOCHS.sub(r"\1", COUNTED.sub("", json.dumps(obj, sort_keys=True)))
            self._texts[id(obj)] = found
        return found[1]

    def of(self, world: World) -> Hashable:
        """All of a world that bears on what happens next in it, between two passes."""
        registry, loops = world.cluster.registry, world.cluster._manager
        return (
            world.time,
            world.namespace_terminating,
            frozenset(world.forgiven),
            *_seen(world.sight, {name_of(pod) for pod in world.all(Kind.POD)}),
            registry.names._drawn,
            loops._seen == registry.store.version,
            tuple(loops._queue),
            tuple(loops._due.items()),
            *self._objects(world),
        )

    def learn(self, path: list[Hashable], end: Hashable = None) -> None:
        """Know the states of a telling that is over; `end` is the known one that it came to."""
        self.known.update(zip(path, [*path[1:], end], strict=False))

    def _objects(self, world: World) -> Iterator[str]:
        store = world.cluster.registry.store
        for resource in store.resources():
            yield from map(self.text, store.all(resource))


def _seen(sight: Sight, alive: set[str]) -> Iterator[Hashable]:
    """What the routers' watch remembers; of pods that are gone it asks no more."""
    yield frozenset((name, at) for name, at in sight.sent.items() if name in alive)
    yield frozenset(sight.stopped & alive)
    yield tuple(sight.complaints)
