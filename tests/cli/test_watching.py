"""What follows a release, and what only looks: `watch`, `start --watch`, `history`, tables."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any

import pytest
import yaml

from rollout import __version__
from rollout.kube.client import HttpCluster
from rollout.kube.errors import Invalid
from rollout.report.exit_codes import ExitCode
from rollout.report.unclaimed import UNCLAIMED
from rollout.resources.writes import Delete, Kind, Patch, PatchType
from rollout.sandbox.apiserver import ApiServer
from tests import build
from tests.cli.test_cli import Run, cluster, create, run, say, server
from tests.resources.change import without_rules
from tests.terminal import on_terminal

__all__ = ["cluster", "run", "server"]
pytestmark = pytest.mark.system

AT = "2026-01-01T00:00:00Z"
ENDS = [
    ("Succeeded", ExitCode.SUCCEEDED),
    ("RolledBack", ExitCode.ROLLED_BACK),
    ("Paused", ExitCode.WAITS),
    ("Failed", ExitCode.NOT_DONE),
    ("Cancelled", ExitCode.NOT_DONE),
    ("Superseded", ExitCode.NOT_DONE),
]


class Later:
    """Something that happens while a command runs, on a connection of its own."""

    def __init__(self, server: ApiServer, act: Callable[[HttpCluster], None]) -> None:
        self._thread = threading.Thread(target=self._run, args=(server, act))
        self.error: BaseException | None = None

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join(30)
        assert self.error is None
        assert not self._thread.is_alive()

    def _run(self, server: ApiServer, act: Callable[[HttpCluster], None]) -> None:
        cluster = HttpCluster.for_server(server.url, server.token)
        try:
            act(cluster)
        except BaseException as error:  # noqa: BLE001 - it is raised where it can be seen
            self.error = error
        finally:
            cluster.close()


def only_release(cluster: HttpCluster) -> str:
    """Wait for a release to be there; gives its name."""
    deadline = time.monotonic() + 25
    while not (found := cluster.list(Kind.RELEASE, "default").items):
        assert time.monotonic() < deadline, "no release was started"
        time.sleep(0.05)
    return str(found[0]["metadata"]["name"])


def entry(phase: str, message: str) -> dict[str, str]:
    return {"at": AT, "phase": phase, "reason": phase, "message": message}


def ends_as(phase: str) -> Callable[[HttpCluster], None]:
    def act(cluster: HttpCluster) -> None:
        name = only_release(cluster)
        for wait, now in ((0, "Progressing"), (1.5, phase)):
            time.sleep(wait)
            body = {"status": {"phase": now, "timeline": [entry(now, f"it is {now}")]}}
            cluster.apply(Patch(Kind.RELEASE, "default", name, PatchType.MERGE, body, "status"))

    return act


@pytest.mark.parametrize(("phase", "code"), ENDS)
def test_watch_follows_to_the_end_and_exits_with_it(
    server: ApiServer, cluster: HttpCluster, run: Run, phase: str, code: ExitCode
) -> None:
    create(cluster, *build.shop())
    with Later(server, ends_as(phase)):
        done = run("watch", "web")
    assert done.returncode == code, done.stderr
    assert f"it is {phase}" in done.stdout


@pytest.mark.parametrize(("phase", "code"), ENDS)
def test_start_may_watch_and_exits_with_the_end(
    server: ApiServer, cluster: HttpCluster, run: Run, phase: str, code: ExitCode
) -> None:
    create(cluster, *build.shop()[:-1])
    with Later(server, ends_as(phase)):
        done = run("start", "v2", "--watch")
    assert done.returncode == code, done.stderr
    assert "is on its way" in done.stdout
    assert f"it is {phase}" in done.stdout


def test_a_watch_that_is_interrupted_says_nothing_and_exits_with_130(
    server: ApiServer, cluster: HttpCluster, tmp_path: Path
) -> None:
    create(cluster, *build.shop())
    say(cluster, timeline=[entry("Progressing", "half way")])
    with watching(server, tmp_path, "web-v2") as watch:
        assert watch.stdout is not None
        assert "half way" in watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        rest, errors = watch.communicate(timeout=30)
    assert (watch.returncode, rest, errors) == (ExitCode.INTERRUPTED, "", "")


def test_watch_gives_up_in_time_and_says_that_it_still_runs(cluster: HttpCluster, run: Run) -> None:
    create(cluster, *build.shop())
    say(cluster, timeline=[entry("Progressing", "half way")])
    done = run("watch", "--timeout", "0.5")
    assert done.returncode == ExitCode.RUNNING, done.stderr
    assert "half way" in done.stdout


def test_start_says_that_nobody_takes_it_up(cluster: HttpCluster, run: Run) -> None:
    create(cluster, *build.shop()[:-1])
    done = run("start", "v2", "--watch", "--timeout", "8")
    assert done.returncode == ExitCode.RUNNING, done.stderr
    assert done.stdout.count(f"\n{UNCLAIMED}\n") == 1
    assert "for -" not in (said := run("explain").stdout)
    assert UNCLAIMED in said


LONG = "a sentence that is longer than what is left of a line on a narrow terminal, to its end"


def test_nothing_is_cut_on_a_narrow_terminal(
    server: ApiServer, cluster: HttpCluster, tmp_path: Path
) -> None:
    create(cluster, *build.shop())
    metric = {"name": "errors", "result": "Undecided", "reference": "before"}
    verdict = {"result": "Undecided", "at": AT, "metrics": [metric]}
    say(cluster, timeline=[entry("Paused", LONG)], phase="Paused", verdict=verdict, message=LONG)
    kubeconfig = str(server.write_kubeconfig(tmp_path / "own"))
    command = [sys.executable, "-m", "rollout", "--kubeconfig", kubeconfig]
    for words in (["list", "-A"], ["history"], ["status", "-o", "wide"]):
        shown = on_terminal([*command, *words], columns=80)
        assert shown.code == 0, shown.text
        assert "…" not in shown.text
        assert ("AGE" in shown.text, LONG in shown.text) == (True, words[0] != "list")
    watched = (
        on_terminal([*command, "watch"], columns=80, env={"TZ": "UTC"}).frames[-1].splitlines()
    )
    assert max(map(len, watched)) <= 80
    (told,) = (
        at for at, line in enumerate(watched) if line.startswith("  2026-01-01 00:00:00 a sentence")
    )
    assert watched[told + 1].startswith(" " * 22)
    assert " ".join(" ".join(watched[told:]).split()).endswith(LONG)


def test_watch_does_not_stop_at_a_pause_that_a_person_has_answered(
    server: ApiServer, cluster: HttpCluster, run: Run, tmp_path: Path
) -> None:
    create(cluster, *build.shop())
    say(cluster, phase="Paused", timeline=[entry("Paused", "it waits")])
    assert run("rollback", "web-v2").returncode == 0
    with watching(server, tmp_path, "web-v2") as watch:
        assert watch.stdout is not None
        assert "it waits" in watch.stdout.readline()
        say(cluster, phase="RolledBack", timeline=[entry("RolledBack", "it is back")])
        rest, _ = watch.communicate(timeout=30)
    assert watch.returncode == ExitCode.ROLLED_BACK
    assert "it is back" in rest


def watching(server: ApiServer, folder: Path, name: str) -> subprocess.Popen[str]:
    kubeconfig = str(server.write_kubeconfig(folder / "own"))
    command = [sys.executable, "-m", "rollout", "--kubeconfig", kubeconfig, "watch", name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_watch_says_that_a_release_was_deleted(
    server: ApiServer, cluster: HttpCluster, tmp_path: Path
) -> None:
    create(cluster, *build.shop())
    say(cluster, timeline=[entry("Progressing", "half way")])
    with watching(server, tmp_path, "web-v2") as watch:
        assert watch.stdout is not None
        assert "half way" in watch.stdout.readline()
        cluster.apply(Delete(Kind.RELEASE, "default", "web-v2"))
        rest, _ = watch.communicate(timeout=30)
    assert watch.returncode == ExitCode.NOT_DONE
    assert rest == "release web-v2 was deleted\n"


def test_history_shows_the_releases_and_what_happened(cluster: HttpCluster, run: Run) -> None:
    create(cluster, *build.shop())
    say(cluster, phase="RolledBack", timeline=[entry("Preparing", "it begins")], finishedAt=AT)
    create(cluster, build.release("web-v3", "v3"))
    shown = run("history", "web")
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["web-v2", "web-v3"]
    shown = run("history", "web-v2")
    assert "web-v2:" in shown.stdout
    assert "Preparing" in shown.stdout
    assert "it begins" in shown.stdout
    listed = json.loads(run("-o", "json", "history", "web").stdout)
    assert [one["metadata"]["name"] for one in listed] == ["web-v2", "web-v3"]


def test_an_invalid_rollout_hides_no_other(cluster: HttpCluster, run: Run) -> None:
    two = build.rollout("two", strategy={"canary": {}, "blueGreen": {}})
    with pytest.raises(Invalid) as refused:
        create(cluster, two)
    wrong = "spec.strategy: set exactly one of canary and blueGreen"
    assert [cause.field for cause in refused.value.causes] == ["spec.strategy"]
    crd, name = Kind.CUSTOM_RESOURCE_DEFINITION, "rollouts.rollout.dev"
    versions = without_rules(cluster.get(crd, "", name)["spec"]["versions"])
    cluster.apply(Patch(crd, "", name, PatchType.MERGE, {"spec": {"versions": versions}}))
    create(cluster, two, build.rollout())
    listed = run("list", "-A")
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.splitlines()[1].split()[:2] == ["default", "web"]
    assert listed.stdout.splitlines()[2] == f"default/two: invalid: {wrong}"
    assert run("explain", "two").stdout == f"Rollout two: invalid: {wrong}.\n"


def say_of_rollout(cluster: HttpCluster, reason: str, message: str) -> None:
    ready = {"type": "Ready", "status": "False", "reason": reason, "message": message}
    body = {"status": {"conditions": [{**ready, "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}
    cluster.apply(Patch(Kind.ROLLOUT, "default", "web", PatchType.MERGE, body, "status"))


def test_wide_tables_say_more_and_yaml_is_for_programs(cluster: HttpCluster, run: Run) -> None:
    create(cluster, *build.shop())
    say(cluster, message="half way")
    narrow, wide = run("status"), run("status", "-o", "wide")
    assert "MESSAGE" not in narrow.stdout.splitlines()[0]
    assert "MESSAGE" in wide.stdout.splitlines()[0]
    assert "half way" in wide.stdout
    assert yaml.safe_load(run("status", "-o", "yaml").stdout)["status"]["message"] == "half way"
    say_of_rollout(cluster, "Held", "Deployment web is kept [paused]")
    assert "web-default" not in run("list").stdout
    head, row = run("list", "-o", "wide").stdout.splitlines()
    assert head.split()[-3:] == ["CONTAINER", "POLICY", "MESSAGE"]
    assert row.endswith("-          web-default  Deployment web is kept [paused]")
    rollouts: list[dict[str, Any]] = yaml.safe_load(run("list", "-o", "yaml").stdout)
    assert [one["metadata"]["name"] for one in rollouts] == ["web"]


def test_a_context_of_the_kubeconfig_is_chosen(
    cluster: HttpCluster, run: Run, tmp_path: Path
) -> None:
    create(cluster, *build.shop())
    file = tmp_path / "kubeconfig"  # that of `run`
    told = yaml.safe_load(file.read_text())
    good = told["contexts"][0]
    nowhere = {"name": "nowhere", "cluster": {"server": "http://127.0.0.1:9"}}
    told["clusters"].append(nowhere)
    broken = {**good["context"], "cluster": "nowhere"}
    told["contexts"] = [{**good, "name": "shop"}, {"name": "broken", "context": broken}]
    told["current-context"] = "broken"
    file.write_text(yaml.safe_dump(told))
    assert "web" in run("list", "--context", "shop").stdout
    assert "cannot be reached" in run("list").stderr
    missing = run("list", "--context", "other")
    assert missing.returncode == 1
    assert "other" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_version_is_that_of_the_package(run: Run) -> None:
    assert run("version").stdout == f"{__version__}\n"
    assert run("--version").stdout == f"{__version__}\n"


def test_help_is_instant() -> None:
    """It costs less than 0.3 s: in processor time, because others use the machine as well."""
    costs = []
    for _ in range(5):
        before = getrusage(RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "rollout", "--help"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        after = getrusage(RUSAGE_CHILDREN)
        costs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        told = " ".join(done.stdout.partition("Exit codes: ")[2].split())
        assert {int(code) for code in re.findall(r"\d+", told.partition(". ")[0])} == set(ExitCode)
    assert min(costs) < 0.3, costs
