"""Following a release through either door: how long, and over what troubles."""

import json
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from rollout.cli.cluster_door import ClusterDoor
from rollout.cli.door import find
from rollout.cli.http_door import HttpDoor
from rollout.cli.http_wire import Wire
from rollout.commands.refusal import CommandRefusedError
from rollout.kube.client import HttpCluster
from rollout.kube.cluster import ObjectList
from rollout.kube.errors import (
    ClusterError,
    Forbidden,
    NotFound,
    ServerFault,
    TooManyRequests,
    Unreachable,
)
from rollout.resources.release import Release
from rollout.resources.writes import Kind, Object
from tests import build
from tests.cli.test_wire import Script, Scripted, Server, problem, proxy, reset, server

__all__ = ["server"]
pytestmark = pytest.mark.system
HASTY = 0.7
"""Patience, in seconds: nobody waits half a minute for a test."""
RELEASE = build.release()


def shown(to: Scripted) -> None:
    to.say(200, json.dumps(RELEASE))


def stream(*said: str, beats: int = 0, every: float = 0.0) -> Script:
    """A stream that says so much, then that it lives, and ends."""

    def script(to: Scripted) -> None:
        to.send_response(200)
        to.send_header("Content-Type", "text/event-stream")
        to.end_headers()
        for part in (*said, *(": heartbeat\n\n" for _ in range(beats))):
            try:
                to.wfile.write(part.encode())
            except OSError:  # nobody listens any more
                return
            time.sleep(every)

    return script


DELETED = "event: deleted\ndata: {}\n\n"


@pytest.fixture
def door(server: Server) -> HttpDoor:
    return HttpDoor(Wire(server.url, "t"), "default", HASTY)


def test_a_stream_of_heartbeats_ends_in_time(server: Server, door: HttpDoor) -> None:
    server.script = [shown, stream(beats=100, every=0.1)]
    began = time.monotonic()
    assert len(list(door.states("default", "web-v2", 1.0))) == 1
    assert 0.9 < time.monotonic() - began < 3.0


def test_patience_begins_with_the_trouble_and_not_with_the_last_change(
    server: Server, door: HttpDoor
) -> None:
    quiet = stream(beats=9, every=0.1)
    server.script = [shown, quiet, reset, proxy(503), quiet, reset, stream(DELETED)]
    with pytest.raises(NotFound):
        list(door.states("default", "web-v2", 30.0))
    assert server.script == [server.script[-1]], "all of it was lived through"


def test_a_server_that_stays_away_is_said(server: Server, door: HttpDoor) -> None:
    server.script = [shown, reset]
    with pytest.raises(Unreachable):
        list(door.states("default", "web-v2", 30.0))


def test_who_has_no_time_sees_the_release_once(server: Server, door: HttpDoor) -> None:
    server.script = [shown]
    (seen,) = door.states("default", "web-v2", 0.0)
    assert seen.metadata.name == "web-v2"


@pytest.mark.parametrize("trouble", [reset, proxy(503), problem("refused", 409)])
def test_pods_that_cannot_be_had_are_not_shown(
    server: Server, door: HttpDoor, trouble: Script
) -> None:
    release = Release.model_validate(RELEASE)
    server.script = [trouble]
    assert door.pods(release) == {}
    assert len(server.times) == 1, "who draws does not wait"
    server.script = [lambda to: to.say(200, json.dumps({"ready": {"stable": "2/2"}}))]
    assert door.pods(release) == {"stable": "2/2"}


class Away:
    """A cluster that answers each read with the next of these; the last one for ever."""

    namespace = "default"

    def __init__(self, *answers: Object | ClusterError) -> None:
        self._answers = list(answers)

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        assert (kind, namespace, name) == (Kind.RELEASE, "default", "web-v2")
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(found, ClusterError):
            raise found
        return found


def states(cluster: Any, seconds: float) -> Iterator[Release]:
    return ClusterDoor(cluster, HASTY).states("default", "web-v2", seconds)


@pytest.mark.parametrize("error", [Unreachable, ServerFault, TooManyRequests])
def test_an_upgrade_of_the_cluster_ends_nothing(error: type[ClusterError]) -> None:
    follow = states(Away(RELEASE, error("etcdserver: leader changed"), RELEASE), 30.0)
    assert [next(follow).metadata.name for _ in range(2)] == ["web-v2"] * 2


def test_a_cluster_that_stays_away_is_said() -> None:
    with pytest.raises(ServerFault):
        list(states(Away(RELEASE, ServerFault("no")), 30.0))


def test_what_is_not_allowed_is_said_at_once() -> None:
    with pytest.raises(Forbidden):
        next(states(Away(Forbidden("no")), 30.0))


def test_a_cluster_is_asked_once_by_who_has_no_time() -> None:
    assert len(list(states(Away(RELEASE), 0.0))) == 1


ALIEN: Final = {**build.release("api-v3", rollout="api", newField=1), "status": {"phase": "Failed"}}


def test_a_release_that_is_not_for_us_hides_no_other(server: Server, door: HttpDoor) -> None:
    server.script = [lambda to: to.say(200, json.dumps({"items": [ALIEN, RELEASE]}))]
    for one in (door, ClusterDoor(Listing(ALIEN, RELEASE))):
        assert find(one, "default", None).metadata.name == "web-v2"
        with pytest.raises(CommandRefusedError, match="release api-v3 is not for this version"):
            find(one, "default", "api-v3")


class Listing(HttpCluster):
    """A cluster that has these releases, and nothing else."""

    def __init__(self, *releases: Object) -> None:
        self._releases = releases
        self.namespace = "default"

    def list(
        self, kind: Kind, namespace: str | None = None, label_selector: str = ""
    ) -> ObjectList:
        assert (kind, namespace, label_selector) == (Kind.RELEASE, "default", "")
        return ObjectList(self._releases, "1")
