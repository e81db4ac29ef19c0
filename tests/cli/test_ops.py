"""`rollout ops` in the middle of a release, on a whole practice cluster."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx
import pytest
import yaml

from rollout.cli.app import run
from rollout.resources.objects import name_of
from rollout.resources.writes import Create, Delete, Kind
from rollout.sandbox.practice import PracticeCluster
from tests import shop
from tests.commands.test_ops_scaling import autoscaler
from tests.sandbox.practice import until
from tests.terminal import on_terminal

pytestmark = [pytest.mark.system, pytest.mark.timeout(90)]
Run = Callable[..., subprocess.CompletedProcess[str]]
ROLLOUT: Final = (sys.executable, "-m", "rollout")


def slow_rollout() -> dict[str, Any]:
    """One that stays at its first step, so that both versions are there."""
    found = shop.rollout()
    step = {"weight": 50, "minDuration": "30m", "maxDuration": "60m"}
    found["spec"]["strategy"]["canary"]["steps"] = [step]
    return found


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PracticeCluster]:
    with PracticeCluster(tmp_path_factory.mktemp("ops")) as practice:
        practice.apply([shop.deployment(replicas=2), shop.service(), shop.ingress()])
        practice.apply([slow_rollout()])
        practice.start_controller()
        until(lambda: ready(practice, "web"), "stable is there")
        started = run_in(practice, "start", "v1.1.0")
        assert started.returncode == 0, started.stderr
        until(lambda: ready(practice, "web-candidate"), "the candidate is there", 30.0)
        yield practice


def ready(practice: PracticeCluster, name: str) -> int:
    found = practice.cluster.list(Kind.DEPLOYMENT, "default").items
    status = next((d.get("status") or {} for d in found if name_of(d) == name), {})
    return int(status.get("readyReplicas", 0))


def environment(practice: PracticeCluster) -> dict[str, str]:
    return {**os.environ, "KUBECONFIG": str(practice.kubeconfig)}


def run_in(
    practice: PracticeCluster, *arguments: str, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ROLLOUT, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=environment(practice),
    )


@pytest.fixture
def ops(
    practice: PracticeCluster,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Run:
    """Type a command, in this very process: starting one costs half a second."""
    monkeypatch.setenv("KUBECONFIG", str(practice.kubeconfig))

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        words = ["rollout", "ops", *arguments]
        monkeypatch.setattr(sys, "argv", words)
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            run()
        return subprocess.CompletedProcess(words, int(ended.value.code or 0), *capfd.readouterr())

    return call


@contextmanager
def going_on(practice: PracticeCluster, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A command that goes on; it ends on Ctrl-C, without a word."""
    process = subprocess.Popen(
        [*ROLLOUT, "ops", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(practice),
    )
    try:
        yield process
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    finally:
        process.kill()
        process.communicate()


def lines_of(process: "subprocess.Popen[str]") -> Iterator[str]:
    assert process.stdout is not None
    yield from process.stdout


def test_pods_are_told_by_track(ops: Run) -> None:
    rows = json.loads(ops("pods", "web", "-o", "json").stdout)
    told = {(row["track"], row["version"], row["status"], row["ready"]) for row in rows}
    assert told == {
        ("stable", "v1.0.0", "Running", "1/1"),
        ("candidate", "v1.1.0", "Running", "1/1"),
    }
    only = ops("pods", "--rollout", "web", "--track", "candidate").stdout.splitlines()
    assert only[0].split()[:3] == ["NAME", "TRACK", "READY"]
    assert {line.split()[1] for line in only[1:]} == {"candidate"}
    assert "ReplicaSet/web-candidate-" in ops("pods", "-o", "wide").stdout
    assert yaml.safe_load(ops("pods", "-o", "yaml").stdout) == rows


def test_logs_of_both_versions_come_in_order_each_with_its_pod(ops: Run) -> None:
    lines = ops("logs").stdout.splitlines()
    assert {line.split()[0] for line in lines} == {"stable", "candidate"}
    assert all(" | listening on " in line for line in lines)
    said = [json.loads(line) for line in ops("logs", "-o", "json").stdout.splitlines()]
    assert [one["at"] for one in said] == sorted(one["at"] for one in said)
    assert {one["track"] for one in said} == {"stable", "candidate"}
    assert len(yaml.safe_load(ops("logs", "-o", "yaml").stdout)) == len(said)
    assert ops("logs", "--track", "candidate", "--tail", "0").stdout == ""
    assert "Z listening on" in ops("logs", "--timestamps", "--since", "1h").stdout


def test_where_no_log_can_be_read_it_is_said_and_an_error(ops: Run) -> None:
    done = ops("logs", "--previous", "--track", "candidate")
    assert (done.returncode, done.stdout) == (1, "")
    assert "previous terminated container" in done.stderr


def test_the_log_of_an_init_container_is_read(practice: PracticeCluster, ops: Run) -> None:
    """Its image is one that the practice node runs to an end: there, or told to be missing."""
    command = ["sh", "-c", "echo prepared; sleep 600"]
    container = {"name": "web", "image": f"{shop.IMAGE}:v1.0.0", "command": ["sleep", "600"]}
    first = {"name": "prepare", "image": "redis:7.4", "command": command}
    spec = {"initContainers": [first], "containers": [container]}
    target = practice.cluster.get(Kind.DEPLOYMENT, "default", "web")
    labels = target["spec"]["selector"]["matchLabels"]
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "by-hand", "labels": labels}}
    practice.apply([{**body, "spec": spec}])
    read = ("logs", "--pod", "by-hand", "--container", "prepare")
    try:
        said = until(lambda: ops(*read).stdout, "it is read")
        assert "| prepared" in said or "| redis-server is not installed" in said
        assert ops(*read).returncode == 0
        assert ops("logs", "--pod", "by-hand").returncode == 1, "its web has not begun"
    finally:
        practice.cluster.apply(Delete(Kind.POD, "default", "by-hand"))


def test_whoever_has_read_enough_ends_it_without_a_word(practice: PracticeCluster) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m rollout ops logs --follow | head -n 1"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        env=environment(practice),
    )
    assert (done.stdout.count("\n"), done.stderr) == (1, "")


def test_colours_are_for_terminals(practice: PracticeCluster, ops: Run) -> None:
    shown = on_terminal([*ROLLOUT, "ops", "logs"], env=environment(practice))
    assert "\x1b[33mcandidate web-candidate-" in shown.raw
    assert "\x1b" not in ops("logs").stdout


def test_a_command_typed_on_a_terminal_gets_one(practice: PracticeCluster) -> None:
    """Its size is a message of its own, as with kubectl: it may come after the program began."""
    sized = 'until [ "$(stty size)" != "0 0" ]; do sleep 0.1; done; stty size'
    program = ["sh", "-c", f"{sized}; read it; echo =$it"]
    command = [*ROLLOUT, "ops", "exec", "web", "--", *program]
    shown = on_terminal(command, typed=b"yes\n", env=environment(practice))
    assert shown.code == 0
    assert "50 140" in shown.text
    assert "=yes" in shown.text


def test_pods_that_come_later_are_followed_and_those_that_go_are_not_mourned(
    practice: PracticeCluster, ops: Run
) -> None:
    with going_on(practice, "logs", "--follow") as process:
        lines = lines_of(process)
        known = {next(lines).split()[1] for _ in range(3)}
        scaled = ops("scale", "--replicas", "3")
        assert "Deployment web: 2 to 3 replicas; release web-v1.1.0-" in scaled.stdout
        assert "the candidate follows" in scaled.stdout
        new = next(lines).split()
        assert new[1] not in known
        assert new[2:5] == ["|", "listening", "on"]
        ops("scale", "--replicas", "2")


def test_events_of_the_service_come_the_newest_last(ops: Run) -> None:
    rows = json.loads(ops("events", "-o", "json").stdout)
    objects = {row["object"].split("-")[0] for row in rows}
    assert {"Deployment/web", "ReplicaSet/web", "Release/web"} <= objects
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)
    assert "Scaled up replica set" in ops("events").stdout


def test_events_that_come_are_told(practice: PracticeCluster, ops: Run) -> None:
    with going_on(practice, "events", "--watch") as process:
        lines = lines_of(process)
        head = next(lines)
        assert head.split() == ["AGE", "TYPE", "REASON", "OBJECT", "COUNT", "MESSAGE"]
        assert next(lines)[head.index("TYPE") :].startswith(("Normal ", "Warning "))
        known = [row["message"] for row in json.loads(ops("events", "-o", "json").stdout)]
        practice.cluster.apply(Delete(Kind.POD, "default", pod(ops, "stable")))
        made = (line for line in lines if "Created pod: " in line)
        new = next(line for line in made if not any(message in line for message in known))
        assert "SuccessfulCreate" in new
        assert new.index("Created pod: ") == head.index("MESSAGE")


def test_events_are_those_of_the_last_hour_or_as_asked(ops: Run) -> None:
    first, *_ = known = told(ops, "events")
    assert set(known) <= set(told(ops, "events", "--since", "1h"))
    until(lambda: first not in told(ops, "events", "--since", "1s"), "the first is older")
    assert ops("events", "--since", "soon").returncode == 2


def told(ops: Run, *arguments: str) -> list[tuple[str, ...]]:
    """What is said of what; how often, and when last, changes while a release runs."""
    rows = json.loads(ops(*arguments, "-o", "json").stdout)
    return [(row["object"], row["reason"]) for row in rows]


def test_a_service_without_events_is_told_so(practice: PracticeCluster, ops: Run) -> None:
    """Its Deployment is paused from the start, so that nothing happens."""
    place = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "quiet"}}
    practice.cluster.apply(Create(Kind.NAMESPACE, "", place))
    paused = shop.deployment(replicas=0)
    paused["spec"]["paused"] = True
    practice.apply([paused, shop.service(), slow_rollout()], "quiet")
    said = ops("events", "-n", "quiet", "--since", "5m").stdout
    assert "no events of the last 5m: --since looks further back" in said


def test_autoscalers_are_told_and_what_stands_in_for_them(
    practice: PracticeCluster, ops: Run
) -> None:
    without = ops("hpa")
    assert without.stdout == (
        "no HorizontalPodAutoscaler targets Deployment web, so its size is set by hand, as with "
        "`rollout ops scale --replicas 3`\n"
    )
    practice.apply([autoscaler("web")])
    try:
        head, row, *rest = ops("hpa", "web").stdout.splitlines()
    finally:
        gone = Delete(Kind.HORIZONTAL_POD_AUTOSCALER, "default", "web-scaler")
        practice.cluster.apply(gone)
    assert head.split() == ["NAME", "MIN", "MAX", "CURRENT", "DESIRED", "METRICS"]
    assert row.split()[:3] == ["web-scaler", "2", "9"]
    assert row.endswith("cpu: <unknown>/60%")
    assert "web-scaler:" in rest


def pod(ops: Run, track: str) -> str:
    rows = json.loads(ops("pods", "--track", track, "-o", "json").stdout)
    return str(next(row["name"] for row in rows if row["ready"] == "1/1"))


def test_a_command_runs_in_a_ready_pod_of_the_track(practice: PracticeCluster, ops: Run) -> None:
    said = "echo $HOSTNAME; echo no >&2; exit 7"
    done = ops("exec", "--track", "candidate", "--", "sh", "-c", said)
    name = done.stdout.strip()
    assert done.returncode == 7
    assert name.startswith("web-candidate-")
    assert done.stderr == f"candidate pod {name}, container web\nno\n"
    echoed = run_in(practice, "ops", "exec", "web", "-i", "--", "cat", stdin="in\n")
    assert echoed.stdout == "in\n"
    named = ops("exec", "--pod", name, "--", "printenv", "HOSTNAME")
    assert named.stdout.strip() == name


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("exec",), 2, "say what to run after --"),
        (
            ("exec", "--pod", "nobody", "--", "env"),
            1,
            "there is no pod nobody of this service (there are: w",
        ),
        (("exec", "-c", "log", "--", "env"), 1, "has no such container (it has: web)"),
        (("pods", "shop"), 1, "there is no Rollout shop in namespace default (there are: web)"),
        (("pods", "web", "--rollout", "shop"), 2, "name one Rollout"),
        (("logs", "--pod", "nobody"), 1, "there is no pod nobody of this service (there are: web-"),
        (("logs", "-f", "--pod", "nobody"), 1, "there is no pod nobody of this service"),
        (("port-forward", "--pod", "nobody", "80"), 1, "no pod nobody of this service (there are"),
        (("logs", "--since", "soon"), 2, "--since 'soon'"),
        (("logs", "-f", "--previous"), 2, "cannot be followed"),
        (("port-forward", "8080:"), 1, "write [LOCAL:]REMOTE, as in 8080"),
        (("port-forward", "web", "99999"), 1, "numbers go up to 65535"),
        (("port-forward", "0:grpc"), 1, "declares no port grpc (by name it declares: http)"),
        (
            ("port-forward", "web"),
            1,
            "the port is missing, as in `rollout ops port-forward web 8080`",
        ),
        (("port-forward", "²"), 1, "declares no port ²"),
        (("port-forward", "a", "b", "80"), 2, "one Rollout, then [LOCAL:]REMOTE"),
        (("scale", "--replicas", "0"), 1, "there is nothing to go back to: `rollout rollback"),
        (("--server", "http://localhost:1", "pods"), 2, "No such option"),
        (("pods", "--server", "http://localhost:1"), 2, "speaks to the cluster itself"),
    ],
)
def test_a_refusal_names_what_is_wrong_and_the_way_out(
    ops: Run, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = ops(*arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in " ".join(done.stderr.split())


def test_a_port_leads_to_another_pod_when_its_own_goes(practice: PracticeCluster, ops: Run) -> None:
    with going_on(practice, "port-forward", "web", "0:http", "--track", "stable") as process:
        told = next(lines_of(process)).split()
        url, name = f"http://{told[0]}/", told[told.index("pod") + 1].rstrip(";")
        with httpx.Client(trust_env=False, timeout=5.0) as first:
            for _ in range(5):
                assert first.get(url).headers["x-version"] == "v1.0.0"
        practice.cluster.apply(Delete(Kind.POD, "default", name))

        def answered() -> bool:
            try:
                return httpx.get(url, trust_env=False, timeout=5.0).is_success
            except httpx.TransportError:
                return False

        until(answered, "another pod answers")
        assert pod(ops, "stable") != name


def test_restart_is_the_same_command(ops: Run, practice: PracticeCluster) -> None:
    assert ops("restart").stderr == run_in(practice, "restart").stderr
    assert "is Progressing: wait for its end" in ops("restart").stderr
