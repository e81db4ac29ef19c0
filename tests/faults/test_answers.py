"""Bad answers of the real API server: no change is missed, nothing deleted stays, nobody spins."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from rollout.kube.client import HttpCluster, connect
from rollout.kube.reflector import BackOff
from tests.controlplane.access import Access
from tests.faults import spoiler
from tests.faults.follower import Follower, rounds_within
from tests.faults.spoiler import Spoiler

pytestmark = pytest.mark.controlplane

QUICK = BackOff(first=0.1, longest=1.0)
FAULT_SECONDS = 5.0


@pytest.fixture
def straight(control_plane: Access) -> Iterator[HttpCluster]:
    access = control_plane
    with HttpCluster.for_server(access.url, access.token(), str(access.ca_file)) as cluster:
        yield cluster


@pytest.fixture
def proxy(control_plane: Access) -> Iterator[Spoiler]:
    access = control_plane
    with Spoiler(access.url, access.token(), str(access.ca_file)) as proxy:
        yield proxy


@pytest.fixture
def follow(
    proxy: Spoiler, straight: HttpCluster, namespace: str
) -> Iterator[Callable[..., Follower]]:
    made: list[Follower] = []

    def follow(**options: Any) -> Follower:
        made.append(Follower(through, straight, namespace, back_off=QUICK, **options))
        return made[-1]

    with HttpCluster.for_server(proxy.url, "any") as through:
        yield follow
        for one in made:
            one.reflector.stop()


Follow = Callable[..., Follower]

BAD = {
    "410 at the start of a watch": spoiler.gone_at_the_start,
    "410 in the middle of a watch": spoiler.gone_in_the_middle,
    "half an event": spoiler.half_an_event,
}


@pytest.mark.parametrize("fault", BAD)
def test_a_watch_that_breaks_is_healed_by_a_list(
    proxy: Spoiler, follow: Follow, fault: str
) -> None:
    proxy.fault = BAD[fault]
    follower = follow()
    follower.start()
    follower.move()
    began, before = time.monotonic(), len(proxy.asked)
    proxy.moved.set()  # from now on each watch breaks
    follower.wait(follower.agrees)
    assert follower.shown().keys() >= {"stays", "changes", "comes"}
    assert "goes" not in follower.shown()
    time.sleep(FAULT_SECONDS)
    follower.change("changes")
    follower.wait(follower.agrees)
    took = time.monotonic() - began
    assert proxy.count("list") >= 2
    assert len(proxy.asked) - before <= 2 * rounds_within(took, QUICK)
    proxy.fault = None
    follower.wait(lambda: follower.reflector.problem is None)
    follower.change("stays")
    follower.wait(follower.agrees)


def test_a_throttling_server_is_left_alone_as_long_as_it_asks(
    proxy: Spoiler, follow: Follow
) -> None:
    follower = follow(watch_seconds=1)
    follower.start()
    before, proxy.fault = len(proxy.asked), spoiler.throttles(2)
    follower.wait(lambda: "too many requests" in (follower.reflector.problem or ""))
    follower.move()
    follower.wait(lambda: len(proxy.asked) >= before + 3)
    asked = [at for at, _ in proxy.asked[before:]]
    assert min(after - at for at, after in pairwise(asked)) >= 2.0
    proxy.fault = None
    follower.wait(follower.agrees)
    assert "goes" not in follower.shown()


def test_a_watch_that_says_nothing_is_given_up_when_its_time_is_over(
    proxy: Spoiler, follow: Follow
) -> None:
    proxy.fault = spoiler.says_nothing
    follower = follow(watch_seconds=1)
    follower.start()
    follower.wait(lambda: proxy.struck)
    follower.move()
    proxy.fault = None
    took = follower.wait(follower.agrees)
    assert 3 < took < 9  # a second, and the five that a watch may take longer than asked
    assert "goes" not in follower.shown()
    assert len(proxy.asked) <= 4


@contextmanager
def service_account(client: httpx.Client, namespace: str) -> Iterator[str]:
    """An account that may read ConfigMaps; gives its address."""
    core = f"/api/v1/namespaces/{namespace}"
    client.post(f"{core}/serviceaccounts", json={"metadata": {"name": "reader"}}).raise_for_status()
    binding = {
        "metadata": {"name": "reader"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "view",
        },
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": namespace}],
    }
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"
    client.post(path, json=binding).raise_for_status()
    yield core


def new_token(client: httpx.Client, core: str, secret: str) -> str:
    """Make a token that dies with a Secret: the shortest that lives by time lives ten minutes."""
    made = client.post(f"{core}/secrets", json={"metadata": {"name": secret}}).raise_for_status()
    uid = made.json()["metadata"]["uid"]
    bound = {"kind": "Secret", "apiVersion": "v1", "name": secret, "uid": uid}
    asked = {"spec": {"boundObjectRef": bound, "audiences": []}}
    answer = client.post(f"{core}/serviceaccounts/reader/token", json=asked).raise_for_status()
    return str(answer.json()["status"]["token"])


def kubeconfig(access: Access, folder: Path) -> Path:
    """A kubeconfig whose token is in a file beside it, as people and pods have it."""
    cluster = {"server": access.url, "certificate-authority": str(access.ca_file)}
    parts = {
        "clusters": [{"name": "a", "cluster": cluster}],
        "users": [{"name": "a", "user": {"tokenFile": "token"}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
    }
    file = folder / "kubeconfig"
    file.write_text(json.dumps({"current-context": "a", **parts}))
    return file


def test_a_token_that_is_renewed_on_disk_is_used_from_the_next_request_on(
    control_plane: Access, straight: HttpCluster, namespace: str, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    with control_plane.client() as client, service_account(client, namespace) as core:
        token.write_text(new_token(client, core, "first"))
        since = control_plane.audit_position()
        with closing(connect(kubeconfig=str(kubeconfig(control_plane, tmp_path)))) as through:
            follower = Follower(through, straight, namespace, back_off=QUICK, watch_seconds=1)
            follower.start()
            client.delete(f"{core}/secrets/first").raise_for_status()
            follower.wait(lambda: "Unauthorized" in (follower.reflector.problem or ""))
            began = time.monotonic()
            follower.move()
            time.sleep(FAULT_SECONDS)
            assert "goes" in follower.shown()
            (tmp_path / "renewed").write_text(new_token(client, core, "second"))
            (tmp_path / "renewed").replace(token)
            assert follower.wait(follower.agrees) < 1.5 * QUICK.longest + 1.0
            took = time.monotonic() - began
            follower.reflector.stop()
    refused = [call for call in control_plane.audit(since) if call.code == 401]
    assert len(refused) <= rounds_within(took, QUICK) + 1
