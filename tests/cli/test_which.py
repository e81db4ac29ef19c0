"""Where it is not clear what is meant, the candidates are named and nothing is done."""

import pytest

from rollout.kube.client import HttpCluster
from rollout.resources.writes import Kind, Object, Patch, PatchType
from tests import build
from tests.cli.test_cli import Run, cluster, create, run, server

__all__ = ["cluster", "run", "server"]
pytestmark = pytest.mark.system

OTHER = build.deployment("other")
TWO_ROLLOUTS = (
    build.deployment(),
    OTHER,
    build.rollout(),
    {
        **build.rollout("other"),
        "spec": {**build.rollout()["spec"], "target": {"deployment": "other"}},
    },
)
TWO_RELEASES = (*TWO_ROLLOUTS, build.release(), build.release("other-v2", rollout="other"))


def end_both(cluster: HttpCluster) -> None:
    for name in ("web-v2", "other-v2"):
        body = {"status": {"phase": "Succeeded"}}
        cluster.apply(Patch(Kind.RELEASE, "default", name, PatchType.MERGE, body, "status"))


def test_start_says_where_there_is_nothing_to_ship(cluster: HttpCluster, run: Run) -> None:
    del cluster  # it has brought our kinds
    assert run("start", "v2").stderr == (
        "rollout: there is no Deployment in namespace default: name another with --namespace\n"
    )


@pytest.mark.parametrize(
    ("objects", "said"),
    [
        ((build.deployment(), OTHER), "There are 2 in namespace default (other, web)"),
        (TWO_ROLLOUTS, "There are 2 in namespace default (other, web)"),
        (
            (build.deployment(), build.deployment("c"), *TWO_ROLLOUTS[1:]),
            "There are 2 in namespace default (other, web)",
        ),
    ],
    ids=["two Deployments", "two Rollouts", "two Rollouts and one Deployment more"],
)
def test_start_asks_which_one(
    cluster: HttpCluster, run: Run, objects: tuple[Object, ...], said: str
) -> None:
    create(cluster, *objects)
    done = run("start", "v2")
    assert done.returncode == 1
    assert done.stderr == f"rollout: which one? {said}: give --deployment or --rollout\n"
    assert cluster.list(Kind.RELEASE, "default").items == ()
    assert len(cluster.list(Kind.ROLLOUT, "default").items) == len(
        [body for body in objects if body["kind"] == "Rollout"]
    )


@pytest.mark.parametrize("option", ["--deployment", "--rollout"])
def test_start_does_what_the_refusal_proposes(cluster: HttpCluster, run: Run, option: str) -> None:
    route = (build.service("other", {"app": "other"}), build.ingress("other", "other"))
    create(cluster, *TWO_ROLLOUTS, *route)
    done = run("start", "v2", option, "other")
    assert done.returncode == 0, done.stderr
    assert cluster.list(Kind.RELEASE, "default").items[0]["spec"]["rollout"] == "other"


@pytest.mark.parametrize("command", ["status", "watch", "history", "explain", "rollback", "pause"])
def test_a_command_asks_which_release(cluster: HttpCluster, run: Run, command: str) -> None:
    create(cluster, *TWO_RELEASES)
    done = run(command)
    assert done.returncode == 1
    assert "which release in namespace default? Name one of: other-v2, web-v2" in done.stderr
    for release in cluster.list(Kind.RELEASE, "default").items:
        assert "action" not in release["spec"]


def test_ended_releases_of_two_rollouts_are_told_apart_by_name(
    cluster: HttpCluster, run: Run
) -> None:
    create(cluster, *TWO_RELEASES)
    end_both(cluster)
    assert "Name one of: other-v2, web-v2" in run("status").stderr
    assert "other-v2" in run("status", "other").stdout
    assert "web-v2" in run("status", "web-v2").stdout
