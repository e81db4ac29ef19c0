"""Events that come, over a cluster that is away for a while."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from rollout.commands.ops.family import find_family
from rollout.commands.ops.happenings import coming, past
from rollout.commands.patience import Patience
from rollout.kube.client import HttpCluster
from rollout.kube.cluster import WatchEvent
from rollout.kube.errors import Gone, Unreachable
from rollout.resources.writes import Create, Kind
from rollout.sandbox.apiserver import ApiServer
from tests import build
from tests.defined import define
from tests.sandbox.practice import until

pytestmark = pytest.mark.system


class Away:
    """A cluster whose watches break off, each with the next of some errors, before they hold."""

    def __init__(self, cluster: HttpCluster, *errors: Exception) -> None:
        self._cluster, self._errors = cluster, iter(errors)
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)

    def watch(self, kind: Kind, namespace: str, since: str, seconds: int) -> Generator[WatchEvent]:
        self.asked.append(since)
        error = next(self._errors, None)
        if error is not None:
            raise error
        return self._cluster.watch(kind, namespace, since, seconds)


@pytest.fixture
def cluster() -> Iterator[HttpCluster]:
    with ApiServer() as server, HttpCluster.for_server(server.url, server.token) as cluster:
        define(cluster)
        cluster.apply(Create(Kind.DEPLOYMENT, "default", build.deployment()))
        cluster.apply(Create(Kind.ROLLOUT, "default", build.rollout()))
        yield cluster


def tell(cluster: HttpCluster, name: str) -> None:
    body = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": "default"},
        "regarding": {"kind": "Rollout", "name": "web", "namespace": "default"},
        "reason": "Told",
        "action": "Tell",
        "reportingController": "rollout.dev/controller",
        "reportingInstance": "one",
        "type": "Normal",
        "note": name,
        "eventTime": "2026-01-01T12:00:00.000000Z",
    }
    cluster.apply(Create(Kind.EVENT, "default", body))


def test_what_comes_while_the_cluster_is_away_is_told_later(cluster: HttpCluster) -> None:
    family = find_family(cluster, "default", "web")
    _, since = past(cluster, "default", family)
    away = Away(cluster, Unreachable("away"), Unreachable("away"))
    tell(cluster, "first")
    told = coming(away, "default", family, since)  # type: ignore[arg-type]
    assert next(told).message == "first"
    tell(cluster, "second")
    assert next(told).message == "second"
    told.close()
    assert away.asked == [since] * 3


def test_a_version_that_is_forgotten_is_asked_for_anew(cluster: HttpCluster) -> None:
    family = find_family(cluster, "default", "web")
    away = Away(cluster, Gone("too old"))
    told = coming(away, "default", family, "1")  # type: ignore[arg-type]
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(next, told)
        until(lambda: len(away.asked) > 1, "it asks again")
        tell(cluster, "after")
        assert first.result(10).message == "after"
    told.close()
    assert away.asked[0] == "1"
    assert int(away.asked[1]) > 1


def test_patience_ends_and_begins_anew_when_the_cluster_has_answered() -> None:
    now = [100.0]
    found = Patience(30.0, lambda: now[0])
    found.bear(Unreachable("away"))
    now[0] += 29
    found.bear(Unreachable("away"))
    found.heard()
    now[0] += 29
    found.bear(Unreachable("away"))
    now[0] += 31
    with pytest.raises(Unreachable, match="still away"):
        found.bear(Unreachable("still away"))
