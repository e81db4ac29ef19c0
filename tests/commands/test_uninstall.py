"""What an uninstallation finds, says and does, on the practice API server."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rollout.cli.manifests import everything, objects
from rollout.commands.actions import TRIES
from rollout.commands.refusal import CommandRefusedError
from rollout.commands.uninstall.removal import Removal
from rollout.commands.uninstall.steps import against, notes, steps
from rollout.commands.uninstall.survey import Survey, survey
from rollout.kube.client import HttpCluster
from rollout.kube.errors import AlreadyExists, NotFound
from rollout.resources.crd import definitions
from rollout.resources.words import RESTORE, RESTORE_FINALIZER
from rollout.resources.writes import BY_KIND_NAME, Create, Delete, Kind, Object, Patch, PatchType
from rollout.sandbox.apiserver import ApiServer
from rollout.sandbox.apiserver.faults import Faults
from tests import build
from tests.sandbox.practice import until

pytestmark = pytest.mark.system
HOME = "rollout-system"
SERVED = {"Namespace", "ServiceAccount", "Deployment", "Service", "PodDisruptionBudget"}
"""Kinds of an installation that the practice API server has, beside our own."""


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer() as server:
        yield server


@pytest.fixture
def cluster(server: ApiServer) -> Iterator[HttpCluster]:
    """An installation whose controller has just renewed its Lease, and a service with a Rollout."""
    with HttpCluster.for_server(server.url, server.token) as cluster:
        for body in (*definitions(), *installed(), lease()):
            create(cluster, body)
        for body in (build.deployment(), build.service(), build.rollout()):
            create(cluster, body)
        yield cluster


def installed() -> list[Object]:
    return [one for one in objects() if one["kind"] in SERVED]


def lease(ago: float = 1.0, space: str = HOME) -> dict[str, Any]:
    renewed = (datetime.now(UTC) - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "rollout-controller", "namespace": space},
        "spec": {"holderIdentity": "one", "leaseDurationSeconds": 15, "renewTime": renewed},
    }


def create(cluster: HttpCluster, body: Object) -> None:
    kind = BY_KIND_NAME[body["kind"]]
    cluster.apply(Create(kind, body["metadata"].get("namespace", "default"), body))


def patch(cluster: HttpCluster, kind: Kind, name: str, body: Any, part: str | None = None) -> None:
    space = HOME if kind is Kind.LEASE else "default"
    cluster.apply(Patch(kind, space, name, PatchType.MERGE, body, part))


def run_release(cluster: HttpCluster) -> None:
    create(cluster, build.release())
    patch(cluster, Kind.RELEASE, "web-v2", {"metadata": {"finalizers": [RESTORE_FINALIZER]}})
    patch(cluster, Kind.RELEASE, "web-v2", {"status": {"phase": "Progressing"}}, "status")


def look(cluster: HttpCluster) -> Survey:
    return survey(cluster, HOME, everything(), datetime.now(UTC))


def removal(cluster: HttpCluster, *, roll_back: bool = False, seconds: float = 20.0) -> list[str]:
    told = list[str]()
    Removal(cluster, look(cluster), "admin", roll_back, told.append, seconds).carry_out()
    return told


def is_there(cluster: HttpCluster, kind: Kind, space: str, name: str) -> bool:
    try:
        cluster.get(kind, space, name)
    except NotFound:
        return False
    return True


def test_what_is_idle_goes_first_and_the_kinds_last(cluster: HttpCluster) -> None:
    found = look(cluster)
    assert against(found, roll_back=False) == ()
    said = [step.does for step in steps(found, roll_back=False)]
    assert said[0] == "delete 1 Rollout (default/web)"
    assert said[1] == f"delete Deployment {HOME}/rollout-controller, and wait for its pods"
    assert f"ServiceAccount {HOME}/rollout-controller" in said[2]
    assert f"Lease {HOME}/rollout-controller" in said[2]
    assert said[3].startswith("delete the kinds ")
    assert said[4:] == [f"delete Namespace {HOME}"]


def test_all_that_is_ours_goes_and_nothing_else(cluster: HttpCluster) -> None:
    before = [
        cluster.get(kind, "default", "web")["spec"] for kind in (Kind.DEPLOYMENT, Kind.SERVICE)
    ]
    told = removal(cluster)
    assert told[0] == "Rollout default/web is deleted"
    assert [
        cluster.get(kind, "default", "web")["spec"] for kind in (Kind.DEPLOYMENT, Kind.SERVICE)
    ] == before
    assert not is_there(cluster, Kind.DEPLOYMENT, HOME, "rollout-controller")
    assert not is_there(cluster, Kind.CUSTOM_RESOURCE_DEFINITION, "", "releases.rollout.dev")
    until(lambda: not is_there(cluster, Kind.NAMESPACE, "", HOME), "its namespace goes")
    found = look(cluster)
    assert steps(found, roll_back=False) == ()


@pytest.mark.parametrize(
    "trouble", [Faults(status=503, times=1), Faults(lost_answer=True, times=1)]
)
@pytest.mark.parametrize(("verb", "plural"), [("list", "rollouts"), ("delete", "deployments")])
def test_an_api_server_that_is_away_for_a_moment_ends_nothing(
    server: ApiServer, cluster: HttpCluster, trouble: Faults, verb: str, plural: str
) -> None:
    found = look(cluster)
    server.faults = replace(trouble, verbs=frozenset({verb}), resources=frozenset({plural}))
    Removal(cluster, found, "admin", roll_back=False, tell=print).carry_out()
    assert not is_there(cluster, Kind.DEPLOYMENT, HOME, "rollout-controller")
    assert not is_there(cluster, Kind.CUSTOM_RESOURCE_DEFINITION, "", "releases.rollout.dev")


def test_a_running_release_is_refused_with_both_ways_out(cluster: HttpCluster) -> None:
    run_release(cluster)
    (said,) = against(look(cluster), roll_back=False)
    assert said == ("1 release (default/web-v2) under way: wait for the end, or give --roll-back")
    assert against(look(cluster), roll_back=True) == ()
    first = steps(look(cluster), roll_back=True)[0]
    assert first.does == "roll back 1 running release (default/web-v2), and wait for the end"


def test_one_that_was_started_meanwhile_is_not_rolled_back_unasked(cluster: HttpCluster) -> None:
    found = look(cluster)
    run_release(cluster)
    with pytest.raises(CommandRefusedError, match="default/web-v2 was started meanwhile"):
        Removal(cluster, found, "admin", roll_back=False, tell=print).carry_out()
    assert is_there(cluster, Kind.ROLLOUT, "default", "web")
    assert is_there(cluster, Kind.DEPLOYMENT, HOME, "rollout-controller")


def test_what_does_not_end_in_time_keeps_the_controller(cluster: HttpCluster) -> None:
    run_release(cluster)
    with pytest.raises(CommandRefusedError, match="so the controller was not removed"):
        removal(cluster, roll_back=True, seconds=0.5)
    action = cluster.get(Kind.RELEASE, "default", "web-v2")["spec"]["action"]
    assert (action["type"], action["by"]) == ("rollback", "admin")
    assert is_there(cluster, Kind.DEPLOYMENT, HOME, "rollout-controller")


def test_one_that_keeps_changing_is_asked_again(server: ApiServer, cluster: HttpCluster) -> None:
    run_release(cluster)
    server.faults = Faults(
        status=409, times=TRIES, verbs=frozenset({"patch"}), resources=frozenset({"releases"})
    )
    told = list[str]()
    with pytest.raises(CommandRefusedError, match="so the controller was not removed"):
        Removal(
            cluster, look(cluster), "admin", roll_back=True, tell=told.append, seconds=2
        ).carry_out()
    assert len(told) == 1
    assert told[0].startswith("web-v2: rollback asked for")
    assert cluster.get(Kind.RELEASE, "default", "web-v2")["spec"]["action"]["type"] == "rollback"


def test_without_a_controller_what_it_holds_is_not_given_up(cluster: HttpCluster) -> None:
    run_release(cluster)
    patch(cluster, Kind.LEASE, "rollout-controller", {"spec": lease(ago=60)["spec"]})
    (said,) = against(look(cluster), roll_back=True)
    assert "it is gone, or cannot write, and nobody else takes the finalizer off" in said
    assert "Release default/web-v2: start the controller again first" in said
    assert f"--replicas=2 -n {HOME}" in said


def test_without_a_controller_a_release_that_waits_to_begin_is_not_waited_for(
    cluster: HttpCluster,
) -> None:
    """Neither does it end, nor can it be rolled back: it holds nothing, so it may be deleted."""
    create(cluster, build.release())
    patch(cluster, Kind.LEASE, "rollout-controller", {"spec": lease(ago=60)["spec"]})
    for roll_back in (False, True):
        (said,) = against(look(cluster), roll_back=roll_back)
        assert "it is gone, or cannot write, so 1 release (default/web-v2) under way will" in said
        assert f"--replicas=2 -n {HOME}`), or delete what has not begun (`kubectl delete " in said
    cluster.apply(Delete(Kind.RELEASE, "default", "web-v2"))
    assert against(look(cluster), roll_back=False) == ()


def test_without_a_controller_what_holds_nothing_can_go(cluster: HttpCluster) -> None:
    patch(cluster, Kind.LEASE, "rollout-controller", {"spec": lease(ago=60)["spec"]})
    assert against(look(cluster), roll_back=False) == ()


def test_an_edit_that_waits_is_told_and_stays(cluster: HttpCluster) -> None:
    note = {"metadata": {"annotations": {RESTORE: "{}"}}, "spec": {"paused": True}}
    patch(cluster, Kind.DEPLOYMENT, "web", note)
    said = [one for one in notes(look(cluster)) if "default/web" in one]
    assert len(said) == 1
    assert said[0].startswith("Deployment default/web stays paused, because an edit")
    assert "`rollout discard-edit -n default` drops it beforehand" in said[0]
    told = removal(cluster)
    assert any(one.startswith("Deployment default/web stays paused") for one in told)
    assert cluster.get(Kind.DEPLOYMENT, "default", "web")["spec"]["paused"] is True


def test_a_stranger_of_the_same_name_stays(cluster: HttpCluster) -> None:
    unlabelled = {"metadata": {"labels": None}}
    cluster.apply(Patch(Kind.SERVICE, HOME, "rollout-controller", PatchType.MERGE, unlabelled))
    found = look(cluster)
    assert f"Service {HOME}/rollout-controller stays: without the label" in "".join(notes(found))
    told = removal(cluster)
    assert is_there(cluster, Kind.SERVICE, HOME, "rollout-controller")
    assert told[-1] == (
        f"Namespace {HOME} stays, because this is in it: Service {HOME}/rollout-controller"
    )


def test_a_namespace_of_another_name_stays_with_what_is_in_it(cluster: HttpCluster) -> None:
    """An installation labels a namespace as ours that others made, and may keep volumes in."""
    moved = [one for one in objects("monitoring") if one["kind"] in SERVED]
    cluster.apply(Delete(Kind.DEPLOYMENT, HOME, "rollout-controller"))
    for body in (*moved, lease(space="monitoring")):
        create(cluster, body)
    found = survey(cluster, "monitoring", everything("monitoring"), datetime.now(UTC))
    assert not any("Namespace" in step.does for step in steps(found, roll_back=False))
    assert (
        "Namespace monitoring stays, because others may have something in it: "
        "`kubectl delete namespace monitoring` removes it with all of that"
    ) in notes(found)
    Removal(cluster, found, "admin", roll_back=False, tell=print).carry_out()
    assert not is_there(cluster, Kind.DEPLOYMENT, "monitoring", "rollout-controller")
    assert "deletionTimestamp" not in cluster.get(Kind.NAMESPACE, "", "monitoring")["metadata"]


def test_a_second_controller_is_refused(cluster: HttpCluster) -> None:
    other = [one for one in objects("delivery") if one["kind"] in {"Namespace", "Deployment"}]
    for body in other:
        try:
            create(cluster, body)
        except AlreadyExists:
            continue
    (said,) = against(look(cluster), roll_back=False)
    assert said.startswith("another controller is installed in namespace delivery")
    assert "`kubectl delete deployment rollout-controller -n delivery`" in said


def test_a_controller_that_is_elsewhere_is_found(cluster: HttpCluster) -> None:
    found = survey(cluster, "delivery", everything("delivery"), datetime.now(UTC))
    (said,) = against(found, roll_back=False)
    assert said == (
        f"no controller is in namespace delivery, but one is in {HOME}: "
        f"`rollout uninstall --namespace {HOME}`"
    )


def test_the_command_says_what_it_would_do_and_does_nothing(
    server: ApiServer, cluster: HttpCluster, tmp_path: Path
) -> None:
    kubeconfig = ("--kubeconfig", str(server.write_kubeconfig(tmp_path / "kubeconfig")))
    run = (sys.executable, "-m", "rollout", *kubeconfig, "uninstall")
    said = subprocess.run(run, capture_output=True, text=True, timeout=30, check=False)
    assert said.returncode == 0, said.stderr
    first, _, step, *_ = said.stdout.splitlines()
    assert first.startswith(f"From {server.url}")
    assert first.endswith(" this is removed, in this order:")
    assert step.startswith("1. delete 1 Rollout (default/web): while the controller runs")
    assert said.stdout.endswith("Nothing was done: the same command with --yes does it.\n")
    run_release(cluster)
    refused = subprocess.run(run, capture_output=True, text=True, timeout=30, check=False)
    assert refused.returncode == 1
    assert "with --yes does it" not in refused.stdout
    told = subprocess.run(
        [*run, "-o", "json"], capture_output=True, text=True, timeout=30, check=False
    )
    assert told.returncode == 1
    assert "not removed: 1 release (default/web-v2) under way" in told.stderr
    assert json.loads(told.stdout)["against"]
    assert is_there(cluster, Kind.ROLLOUT, "default", "web")


@pytest.mark.parametrize("output", [(), ("-o", "json")], ids=["people", "programs"])
def test_what_is_done_is_said_at_once_also_into_a_pipe(
    server: ApiServer, cluster: HttpCluster, tmp_path: Path, output: tuple[str, ...]
) -> None:
    run_release(cluster)
    kubeconfig = ("--kubeconfig", str(server.write_kubeconfig(tmp_path / "kubeconfig")))
    command = (sys.executable, "-m", "rollout", *kubeconfig, *output, "uninstall", "--timeout=20")
    with subprocess.Popen(
        [*command, "--roll-back", "--yes"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline()]
        patch(cluster, Kind.RELEASE, "web-v2", {"status": {"phase": "RolledBack"}}, "status")
        patch(cluster, Kind.RELEASE, "web-v2", {"metadata": {"finalizers": []}})
        said += process.stdout.readlines()
    assert process.returncode == 0, said
    lines = [json.loads(line)["message"] for line in said] if output else said
    assert lines[0].startswith("web-v2: rollback asked for")
    assert lines[-1].startswith("rollout is removed; ")
