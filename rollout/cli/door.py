"""Where the commands go in: the cluster itself, or the HTTP API. They do not know which.

`options.door()` opens the one that was asked for. Both give the same values, and say no with the
same sentences, and record who asks: the cluster's own name of that person.
"""

from collections.abc import Iterator
from typing import Protocol

from rollout.commands.actions import Asked
from rollout.commands.find import choose
from rollout.commands.request import Request, Started
from rollout.resources.action import ActionType
from rollout.resources.release import Release
from rollout.resources.writes import Object


class Door(Protocol):
    """What people may look at and change.

    Raises CommandRefusedError for what cannot be done, ClusterError for the cluster and for the
    server.
    """

    namespace: str
    """The namespace that is meant when none is said."""

    def rollouts(self, namespace: str | None) -> list[Object]:
        """Give the Rollouts of a namespace (None: of all)."""

    def releases(self, namespace: str, name: str | None) -> list[Release]:
        """Give the releases of a namespace that are valid, of which one is meant by `name`.

        Raises CommandRefusedError when that one is not valid.
        """

    def start(self, namespace: str, request: Request) -> Started:
        """Start a release."""

    def retry(self, namespace: str, release: str, reason: str) -> Started:
        """Try a release again, as a new one."""

    def ask(self, namespace: str, release: str, type_: ActionType, reason: str) -> Asked:
        """Ask something of a release."""

    def explain(self, release: Release) -> list[str]:
        """Say why a release is where it is."""

    def pods(self, release: Release) -> dict[str, str]:
        """Say how many pods of each side are ready; nothing when that cannot be had now."""

    def states(self, namespace: str, name: str, seconds: float) -> Iterator[Release]:
        """Give a release as it is, at least once, and again as it changes, for so many seconds.

        Waits out a cluster or server that is away for a while. Raises NotFound when the release
        is deleted.
        """


def find(door: Door, namespace: str, name: str | None) -> Release:
    """Find a release by its own name, by its Rollout's, or the only one there is.

    Raises CommandRefusedError naming the candidates when that is not clear.
    """
    return choose(door.releases(namespace, name), namespace, name)
