"""An API server that is away or frozen, for real: its process is killed, or stopped."""

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Self

import pytest

from rollout.kube.client import HttpCluster
from rollout.kube.cluster import ObjectList, WatchEvent
from rollout.kube.reflector import BackOff
from rollout.resources.writes import Kind, Object, Write
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.components import Component
from tests.faults.follower import Follower, rounds_within

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(180)]

AWAY_SECONDS = 30.0
FROZEN_SECONDS = 12.0


@dataclass
class Counted:
    """A cluster that notes when it is asked: a server that is away cannot count."""

    cluster: HttpCluster
    asked: list[float] = field(default_factory=list)

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        return self.cluster.get(kind, namespace, name)

    def list(
        self, kind: Kind, namespace: str | None = None, label_selector: str = ""
    ) -> ObjectList:
        self.asked.append(time.monotonic())
        return self.cluster.list(kind, namespace, label_selector)

    def apply(self, write: Write) -> Object:
        return self.cluster.apply(write)

    def watch(
        self,
        kind: Kind,
        namespace: str | None,
        resource_version: str,
        timeout_seconds: int,
        *,
        name: str | None = None,
    ) -> Generator[WatchEvent]:
        self.asked.append(time.monotonic())
        return self.cluster.watch(kind, namespace, resource_version, timeout_seconds, name=name)

    def within(self, _seconds: float) -> Self:
        return self

    def interrupt(self, thread_id: int) -> None:
        self.cluster.interrupt(thread_id)


@pytest.fixture
def cluster(own_control_plane: ControlPlane) -> Iterator[HttpCluster]:
    access = own_control_plane.access
    with HttpCluster.for_server(access.url, access.token(), str(access.ca_file)) as cluster:
        yield cluster


def test_a_server_that_was_away_for_half_a_minute_is_asked_seldom_and_then_believed(
    own_control_plane: ControlPlane, cluster: HttpCluster
) -> None:
    """With the waits of production, and with changes before it is found again."""
    counted = Counted(cluster)
    follower = Follower(counted, cluster, "default")
    follower.start()
    own_control_plane.kill(Component.API_SERVER)
    began, before = time.monotonic(), len(counted.asked)
    follower.wait(lambda: follower.reflector.problem)
    time.sleep(AWAY_SECONDS)
    assert "goes" in follower.shown()  # nobody knows better
    own_control_plane.restart(Component.API_SERVER)
    follower.move()
    longest = 1.5 * BackOff().longest
    assert follower.wait(follower.agrees, longest + 5) < longest + 1
    took = time.monotonic() - began
    assert len(counted.asked) - before <= rounds_within(took, BackOff()) + 1  # and the watch
    assert "goes" not in follower.shown()
    follower.wait(lambda: follower.reflector.problem is None)
    follower.reflector.stop()


def test_a_server_that_was_frozen_is_followed_on_and_every_change_is_told(
    own_control_plane: ControlPlane, cluster: HttpCluster
) -> None:
    """Once shorter than a watch may be silent, so that it goes on; once longer, so that it ends."""
    counted, back_off = Counted(cluster), BackOff(first=0.2, longest=2.0)
    follower = Follower(counted, cluster, "default", back_off=back_off, watch_seconds=4)
    follower.start()
    for seconds in (1.0, FROZEN_SECONDS):
        own_control_plane.pause(Component.API_SERVER)
        began, before = time.monotonic(), len(counted.asked)
        time.sleep(seconds)
        own_control_plane.resume(Component.API_SERVER)
        name = f"after-{seconds:g}"
        follower.create(name)
        follower.change("changes")
        follower.wait(follower.agrees)
        assert name in follower.shown()
        took = time.monotonic() - began
        assert len(counted.asked) - before <= 2 * rounds_within(took, back_off)
    follower.move()
    follower.wait(follower.agrees)
    assert "goes" not in follower.shown()
    follower.reflector.stop()
