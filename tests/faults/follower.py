"""A reflector under test: what it shows, what it told, how often it asked, and the truth."""

import secrets
import time
from collections.abc import Callable
from typing import Final

from rollout.kube.cache import Change
from rollout.kube.client import HttpCluster
from rollout.kube.cluster import RemoteCluster
from rollout.kube.reflector import BackOff, Reflector
from rollout.resources.writes import Create, Delete, Kind, Patch, PatchType

KIND: Final = Kind.CONFIG_MAP
JITTER: Final = 0.5
"""The shortest that a wait may come out, as a part of what is meant."""


def rounds_within(seconds: float, back_off: BackOff) -> int:
    """Say how many rounds a reflector may make in a time in which all of them fail at once."""
    count, passed = 1, 0.0
    while (passed := passed + JITTER * min(back_off.first * 2 ** (count - 1), back_off.longest)) < (
        seconds
    ):
        count += 1
    return count


class Follower:
    """Follows the ConfigMaps of a namespace through one way, and looks at them by another."""

    def __init__(
        self,
        through: RemoteCluster,
        straight: HttpCluster,
        namespace: str,
        *,
        back_off: BackOff | None = None,
        watch_seconds: int = 60,
    ) -> None:
        self.back_off = back_off or BackOff()
        self.straight, self.namespace = straight, namespace
        self.told: dict[str, str] = {}
        self.reflector = Reflector(
            through,
            KIND,
            namespace,
            self._heard,
            back_off=self.back_off,
            watch_seconds=watch_seconds,
        )

    def _heard(self, change: Change) -> None:
        if change.new is None:
            del self.told[change.name]
        else:
            self.told[change.name] = change.new["metadata"]["resourceVersion"]

    def start(self) -> None:
        """Follow, with three objects there."""
        for name in ("stays", "changes", "goes"):
            self.create(name)
        self.reflector.start()
        self.wait(self.agrees)

    def create(self, name: str) -> None:
        """Create an object, as somebody else."""
        self.straight.apply(Create(KIND, self.namespace, {"metadata": {"name": name}}))

    def change(self, name: str) -> None:
        """Change an object, as somebody else."""
        body = {"data": {"random": secrets.token_hex(4)}}
        self.straight.apply(Patch(KIND, self.namespace, name, PatchType.MERGE, body))

    def move(self) -> None:
        """Let something come, change and go: what must not be missed."""
        self.create("comes")
        self.change("changes")
        self.straight.apply(Delete(KIND, self.namespace, "goes"))

    def shown(self) -> dict[str, str]:
        """Give names and versions that the reflector shows."""
        found = self.reflector.list(self.namespace)
        return {o["metadata"]["name"]: o["metadata"]["resourceVersion"] for o in found}

    def agrees(self) -> bool:
        """Whether what is shown, what was told, and what is there are the same."""
        found = self.straight.list(KIND, self.namespace).items
        truth = {o["metadata"]["name"]: o["metadata"]["resourceVersion"] for o in found}
        return self.shown() == self.told == truth

    def wait(self, until: Callable[[], object], seconds: float = 30.0) -> float:
        """Wait until something holds; gives the seconds that it took."""
        began = time.monotonic()
        while not until():
            took = time.monotonic() - began
            assert took < seconds, f"waited in vain; it says: {self.reflector.problem}"
            time.sleep(0.01)
        return time.monotonic() - began
