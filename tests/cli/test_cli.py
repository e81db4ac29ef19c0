"""The command line as a process and in process, against the practice API server."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollout.cli import main
from rollout.kube.client import HttpCluster
from rollout.kube.errors import TooManyRequests
from rollout.report.exit_codes import ExitCode
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.release import Release
from rollout.resources.rollout import BlueGreen, PolicyChoice, Rollout, Strategy
from rollout.resources.writes import Create, Kind, Object, Patch, PatchType
from rollout.sandbox.apiserver import ApiServer
from rollout.sandbox.apiserver.faults import Faults
from tests import build, forked
from tests.defined import define

pytestmark = pytest.mark.system
POLICIES = Path(__file__).parents[2] / "policies"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer() as server:
        yield server


@pytest.fixture
def cluster(server: ApiServer) -> Iterator[HttpCluster]:
    found = HttpCluster.for_server(server.url, server.token)
    define(found)
    yield found
    found.close()


@pytest.fixture
def run(server: ApiServer, tmp_path: Path) -> Run:
    kubeconfig = server.write_kubeconfig(tmp_path / "kubeconfig")

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return forked.run(["--kubeconfig", str(kubeconfig), *arguments], os.environ, timeout=30)

    return call


def create(cluster: HttpCluster, *objects: Object) -> None:
    kinds = {kind.value.kind: kind for kind in Kind}
    for body in objects:
        cluster.apply(Create(kinds[body["kind"]], "default", body))


def say(cluster: HttpCluster, **status: Any) -> None:
    body = {"status": {"phase": "Progressing", **status}}
    cluster.apply(Patch(Kind.RELEASE, "default", "web-v2", PatchType.MERGE, body, "status"))


def test_start_makes_a_rollout_and_says_what_it_assumed(cluster: HttpCluster, run: Run) -> None:
    create(cluster, build.deployment(), build.service(), build.ingress())
    done = run("start", "v2", "--reason", "new prices")
    assert done.returncode == 0, done.stderr
    assert "note: Deployment web had no Rollout: web is created" in done.stdout
    assert "note: container web of Deployment web is the version" in done.stdout
    assert "note: Services that carry the split: web" in done.stdout
    assert "note: Ingresses that get a canary beside them: web" in done.stdout
    release = cluster.list(Kind.RELEASE, "default").items[0]
    assert release["spec"]["version"] == "v2"
    assert release["spec"]["reason"] == "new prices"
    assert release["spec"]["by"] == "admin", "the cluster's user, not this machine's"


def test_start_may_choose_blue_green_for_this_release_alone(cluster: HttpCluster, run: Run) -> None:
    create(cluster, *build.shop()[:-1])
    done = run("start", "v2", "--strategy", "blue-green")
    assert done.returncode == 0, done.stderr
    release = cluster.list(Kind.RELEASE, "default").items[0]
    overrides = Release.model_validate(release).spec.overrides
    assert overrides is not None
    assert overrides.strategy == Strategy(blue_green=BlueGreen())
    assert "canary" in cluster.get(Kind.ROLLOUT, "default", "web")["spec"]["strategy"]


def test_start_makes_a_rollout_that_is_blue_green(cluster: HttpCluster, run: Run) -> None:
    create(cluster, build.deployment(), build.service())
    done = run("start", "v2", "--strategy", "blue-green")
    assert done.returncode == 0, done.stderr
    assert "shares are made by pods" not in done.stdout
    assert "note: strategy blue-green with its defaults" in done.stdout
    rollout = Rollout.model_validate(cluster.get(Kind.ROLLOUT, "default", "web"))
    assert rollout.spec.strategy == Strategy(blue_green=BlueGreen())
    assert len(cluster.list(Kind.RELEASE, "default").items) == 1


@pytest.mark.parametrize("file", sorted(POLICIES.glob("*.yaml")), ids=lambda file: file.stem)
def test_start_goes_by_a_policy_file_as_it_was_then(
    cluster: HttpCluster, run: Run, tmp_path: Path, file: Path
) -> None:
    create(cluster, *build.shop()[:-1])
    own = tmp_path / file.name
    own.write_text(file.read_text())
    done = run("start", "v2", "--policy", str(own))
    assert done.returncode == 0, done.stderr
    own.unlink()
    release = Release.model_validate(cluster.list(Kind.RELEASE, "default").items[0])
    assert cluster.list(Kind.ROLLOUT_POLICY, "default").items == ()
    written = RolloutPolicySpec.model_validate(yaml.safe_load(file.read_text())["spec"])
    assert release.spec.overrides is not None
    assert release.spec.overrides.policy == PolicyChoice(inline=written)


def test_start_says_that_pods_make_the_share_where_no_ingress_does(
    cluster: HttpCluster, run: Run
) -> None:
    create(cluster, build.deployment(replicas=20), build.service())
    done = run("start", "v2")
    assert done.returncode == 0, done.stderr
    assert (
        "note: no Ingress routes to the Services, so shares are made by pods, rounded down: "
        "5 % is 1 of 21 pods, 20 % is 5 of 25 pods, 50 % is 20 of 40 pods"
    ) in done.stdout


@pytest.mark.parametrize(
    ("objects", "arguments", "said"),
    [
        ([], ["start", "v2"], "no Deployment"),
        ([build.deployment()], ["start", "v2"], "no Service selects the pods"),
        (
            [build.deployment(), build.service()],
            ["start", "v2"],
            "step 1 (5 %) cannot be made of 4 replicas: the least is 20 % with 1 pod",
        ),
        ([build.deployment()], ["start", "v2", "-d", "wbe"], "there is no Deployment wbe"),
        ([build.deployment()], ["start", "v2", "-r", "shop"], "there is no Rollout shop"),
        ([], ["status"], "there is no release in namespace default"),
        ([], ["rollback", "shop"], "there is no release or Rollout shop"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_way_out(
    cluster: HttpCluster, run: Run, objects: list[Object], arguments: list[str], said: str
) -> None:
    create(cluster, *objects)
    done = run(*arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert cluster.list(Kind.RELEASE, "default").items == ()
    assert cluster.list(Kind.ROLLOUT, "default").items == ()


def test_a_second_start_is_refused_while_a_release_runs(cluster: HttpCluster, run: Run) -> None:
    create(cluster, *build.shop())
    say(cluster)
    done = run("start", "v3")
    assert done.returncode == 1
    assert "release web-v2 is Progressing" in done.stderr
    assert "rollout rollback web-v2" in done.stderr


@pytest.mark.parametrize(
    ("phase", "code"),
    [
        ("Succeeded", ExitCode.SUCCEEDED),
        ("RolledBack", ExitCode.ROLLED_BACK),
        ("Paused", ExitCode.WAITS),
        ("Progressing", ExitCode.RUNNING),
        ("Failed", ExitCode.NOT_DONE),
        ("Cancelled", ExitCode.NOT_DONE),
        ("Superseded", ExitCode.NOT_DONE),
    ],
)
def test_status_exits_with_the_state_of_the_release(
    cluster: HttpCluster, run: Run, phase: str, code: ExitCode
) -> None:
    create(cluster, *build.shop())
    say(cluster, phase=phase)
    assert run("status", "--exit-code").returncode == code
    assert run("status").returncode == 0


def test_an_action_is_written_with_who_and_why(cluster: HttpCluster, run: Run) -> None:
    create(cluster, *build.shop())
    say(cluster)
    done = run("rollback", "--reason", "latency")
    assert done.returncode == 0, done.stderr
    assert "all traffic goes back to the stable version" in done.stdout
    action = cluster.get(Kind.RELEASE, "default", "web-v2")["spec"]["action"]
    assert (action["type"], action["reason"]) == ("rollback", "latency")
    assert action["by"] == "admin", "the cluster's user, not this machine's"


def test_an_action_on_an_ended_release_is_refused(cluster: HttpCluster, run: Run) -> None:
    create(cluster, *build.shop())
    say(cluster, phase="Succeeded")
    done = run("rollback")
    assert done.returncode == 1
    assert "the release has ended" in done.stderr


def test_json_is_for_programs(cluster: HttpCluster, run: Run) -> None:
    create(cluster, *build.shop())
    say(cluster)
    shown = json.loads(run("-o", "json", "status").stdout)
    assert shown["status"]["phase"] == "Progressing"
    assert json.loads(run("-o", "json", "list").stdout)[0]["metadata"]["name"] == "web"


def test_options_may_follow_the_command(cluster: HttpCluster, run: Run) -> None:
    create(cluster, *build.shop())
    say(cluster)
    assert json.loads(run("list", "-o", "json", "-n", "default").stdout)
    elsewhere = run("list", "-n", "elsewhere")
    assert (elsewhere.returncode, elsewhere.stdout) == (1, "")
    assert "there is no namespace elsewhere" in elsewhere.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-r", "shop", "-d", "web"], "Deployment web has one already: use --rollout web"),
        (["-r", "web", "-d", "other"], "Rollout web ships Deployment web, not other"),
    ],
)
def test_a_rollout_and_a_deployment_that_do_not_go_together_are_refused(
    cluster: HttpCluster, run: Run, arguments: list[str], said: str
) -> None:
    create(cluster, *build.shop()[:-1])
    done = run("start", "v2", *arguments)
    assert done.returncode == 1
    assert said in done.stderr


def test_start_warns_of_a_tool_that_owns_the_deployment(cluster: HttpCluster, run: Run) -> None:
    deployment, *rest = build.shop()[:-1]
    deployment["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "x"}
    create(cluster, deployment, *rest)
    done = run("start", "v2")
    assert done.returncode == 0, done.stderr
    assert "Argo CD owns Deployment web" in done.stdout


@pytest.mark.parametrize("group", [[], ["ops"], ["policy"], ["sandbox"]])
def test_the_list_of_commands_ends_no_sentence_in_its_middle(run: Run, group: list[str]) -> None:
    listed = run(*group, "--help").stdout.partition("\nCommands:\n")[2].splitlines()
    assert len(listed) >= 1
    assert [line for line in listed if not line.endswith(".") or line.endswith("...")] == []
    assert max(map(len, listed)) <= 80


BELOW = "'--timeout': '-5' is out of bounds: write 0 or more"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["start", "v2", "--strategy", "bluegreen"], "'canary', 'blue-green'"),
        (
            ["start", "v2", "--watch", "--timeout", "-5"],
            BELOW,
        ),
        (["watch", "--timeout", "-5"], BELOW),
        (["watch", "--timeout", "x"], "'--timeout': 'x' is no number: write one such as"),
        (["-o", "josn", "list"], "'-o': 'josn' is not one of 'table', 'wide', 'json', 'yaml'"),
        (["list", "-o", "josn"], "'-o': 'josn' is not one of 'table', 'wide', 'json', 'yaml'"),
        (["undo", "--timeout", "-5"], BELOW),
        (["controller", "--http-port", "99999"], "'--http-port': '99999' is out of bounds"),
        (["controller", "--api-port", "99999"], "'--api-port': '99999' is out of bounds"),
    ],
)
def test_a_value_that_is_none_is_wrong_usage(run: Run, arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert done.returncode == ExitCode.USAGE
    assert said in done.stderr


def test_a_busy_cluster_is_asked_again_when_it_says_so(
    server: ApiServer, cluster: HttpCluster, run: Run
) -> None:
    del cluster  # it has brought our kinds
    server.faults = Faults(status=429, retry_after=1, times=1)
    done = run("list")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_controller_does_not_wait_for_a_busy_cluster(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its queue does: a worker, or the lease, must not be held up."""
    kubeconfig = server.write_kubeconfig(tmp_path / "kubeconfig")
    given: list[HttpCluster] = []
    monkeypatch.setattr("rollout.controller.logs.set_up", lambda *_, **__: None)
    monkeypatch.setattr("rollout.daemon.run", lambda cluster, _: given.append(cluster))
    monkeypatch.setattr("sys.argv", ["rollout", "--kubeconfig", str(kubeconfig), "controller"])
    with pytest.raises(SystemExit):
        main()
    server.faults = Faults(status=429, retry_after=1, times=1)
    with given[0] as cluster, pytest.raises(TooManyRequests):
        cluster.list(Kind.NAMESPACE)


@pytest.mark.parametrize(
    "arguments",
    [
        ["start", "v2"],
        ["start", "v2", "-d", "web"],
        ["list"],
        ["status"],
        ["explain"],
        ["undo"],
        ["restart"],
    ],
)
def test_a_namespace_that_is_not_there_is_said_to_be_missing(
    cluster: HttpCluster, run: Run, arguments: list[str]
) -> None:
    del cluster  # it has brought our kinds
    done = run(*arguments, "-n", "nosuch")
    assert done.returncode == ExitCode.ERROR
    assert done.stderr.startswith("rollout: there is no namespace nosuch: name another")


def test_files_that_cannot_be_used_are_said_in_a_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# no kubeconfig\n\n- `a`: [b\n* c: @\n")
    done = run("list", "--kubeconfig", str(tmp_path / "README.md"))
    assert done.returncode == ExitCode.ERROR
    assert f"kubeconfig {tmp_path}/README.md cannot be used: it is no YAML" in done.stderr
    assert done.stderr.count("\n") == 1
    done = run("crds", "--write", str(tmp_path / "nowhere"))
    assert (done.returncode, done.stderr.count("\n")) == (ExitCode.ERROR, 1)
    assert f"--write {tmp_path}/nowhere: No such file or directory: name a folder" in done.stderr


def test_a_policy_file_that_is_not_there_is_not_taken_for_a_name(run: Run) -> None:
    for place in ((), ("--kubeconfig", "/nowhere")):
        done = run("start", "v2", "--policy", "nope.yaml", *place)
        assert done.returncode == 2
        assert "--policy nope.yaml: there is no such file" in done.stderr


def test_a_policy_file_with_a_mistake_is_refused_with_field_and_fix(
    cluster: HttpCluster, run: Run, tmp_path: Path
) -> None:
    create(cluster, *build.shop()[:-1])
    file = tmp_path / "policy.yaml"
    file.write_text(
        "apiVersion: rollout.dev/v1alpha1\nkind: RolloutPolicy\nmetadata: {name: x}\n"
        "spec: {interval: soon}\n"
    )
    done = run("start", "v2", "--policy", str(file))
    assert done.returncode == 1
    assert f"{file}:4: spec.interval: 'soon' is not a duration" in done.stderr
    assert cluster.list(Kind.RELEASE, "default").items == ()


def test_without_our_kinds_it_says_how_to_install_them(run: Run) -> None:
    done = run("list")
    assert done.returncode == 1
    assert "rollout crds | kubectl apply" in done.stderr


def test_a_cluster_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    server = ApiServer()
    server.start()
    kubeconfig = server.write_kubeconfig(tmp_path / "kubeconfig")
    server.stop()
    command = [sys.executable, "-m", "rollout", "--kubeconfig", str(kubeconfig), "list"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_command_line_exits_with_2(run: Run) -> None:
    assert run("start").returncode == ExitCode.USAGE
    assert run("begin").returncode == ExitCode.USAGE


def test_explain_says_where_why_and_what_comes_next(cluster: HttpCluster, run: Run) -> None:
    create(cluster, *build.shop())
    said = "two of four"
    say(cluster, phase="Paused", message=said)
    done = run("explain")
    assert "is Paused" in done.stdout
    assert f"Why: {said}." in done.stdout
    assert "Next: a person decides" in done.stdout
