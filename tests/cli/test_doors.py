"""The same commands through both doors: the cluster itself, and the HTTP API."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import yaml

from rollout.controller.caches import Caches
from rollout.report.exit_codes import ExitCode
from rollout.resources.writes import Delete, Kind, Object
from rollout.sandbox.apiserver.faults import Faults
from tests import build, forked
from tests.sandbox.practice import until
from tests.server.rig import Rig

pytestmark = pytest.mark.system
Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def shared() -> Iterator[Rig]:
    with Rig() as rig:
        yield rig


@pytest.fixture
def empty(shared: Rig) -> Iterator[Rig]:
    with shared.place() as rig:
        yield rig


@dataclass(frozen=True)
class Way:
    """How the command line is called: through one of the doors."""

    options: tuple[str, ...]
    environment: Mapping[str, str]

    def __call__(self, *arguments: str, **environment: str) -> Done:
        """Run a command to its end."""
        words = [*self.options, *arguments]
        return forked.run(words, {**self.environment, **environment}, timeout=50)

    def begin(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Run a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "rollout", *self.options, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.environment, **environment},
        )


PLAIN: Final = {
    **{key: value for key, value in os.environ.items() if not key.startswith("ROLLOUT")},
    "TZ": "UTC",
}


@pytest.fixture(params=["cluster", "http"])
def run(request: pytest.FixtureRequest, empty: Rig, tmp_path: Path) -> Way:
    kubeconfig = empty.server.write_kubeconfig(tmp_path / "kubeconfig", namespace=empty.space)
    server = ("--server", empty.api.url) if request.param == "http" else ()
    return Way(("--kubeconfig", str(kubeconfig), *server), {**PLAIN, "ROLLOUT_USER": "admin"})


def known(rig: Rig, *objects: Object) -> None:
    """Create objects and wait until the API's caches have them too."""
    rig.create(*objects)
    if any(body["kind"] == "Release" for body in objects):
        rig.say()


def test_start_says_the_same_and_records_who(empty: Rig, run: Way) -> None:
    known(empty, build.deployment(), build.service(), build.ingress())
    done = run("start", "v2", "--reason", "new prices")
    assert (done.returncode, done.stderr) == (0, "")
    name = empty.releases()[0]["metadata"]["name"]
    assert done.stdout.splitlines() == [
        "note: Deployment web had no Rollout: web is created",
        "note: strategy canary with its defaults; change it in the Rollout's spec.strategy",
        "note: policy web-default: errors and latency, read from the pods",
        "note: container web of Deployment web is the version",
        "note: Services that carry the split: web",
        "note: Ingresses that get a canary beside them: web",
        f"release {name} is on its way: `rollout watch` follows it",
    ]
    spec = empty.release(name)["spec"]
    assert (spec["by"], spec["reason"]) == ("admin", "new prices")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["start", "v3", "-d", "wbe"], "there is no Deployment wbe in namespace"),
        (["start", "v3", "-r", "shop"], "there is no Rollout shop in namespace"),
        (["start", "v3", "-r", "web", "-d", "other"], "Rollout web ships Deployment web, not oth"),
        (["start", "shop/web:"], "'shop/web:' is not an image reference: after the : goes a tag"),
        (["start", "v3"], "release web-v2 is Progressing: wait for its end"),
        (["status", "shop"], "there is no release or Rollout shop in namespace"),
        (["resume"], "web-v2: the release is not paused, it is Progressing"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_same_sentence(
    empty: Rig, run: Way, arguments: list[str], said: str
) -> None:
    known(empty, *build.shop())
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (ExitCode.ERROR, "")
    assert done.stderr.startswith(f"rollout: {said}")
    assert len(empty.releases()) == 1
    assert "action" not in empty.release()["spec"]


FULL = (
    "all traffic goes to the candidate now; the bake is still judged, and `rollout promote` ends it"
)


@pytest.mark.parametrize(
    ("command", "type_", "said"),
    [
        (["promote"], "promote", "it goes on without waiting for the judge"),
        (["promote", "--full"], "promoteFull", FULL),
        (["pause"], "pause", "it stays where it is until `rollout resume`"),
        (["rollback"], "rollback", "all traffic goes back to the stable version"),
    ],
)
def test_an_action_says_the_same_and_records_who(
    empty: Rig, run: Way, command: list[str], type_: str, said: str
) -> None:
    known(empty, *build.shop())
    done = run(*command, "--reason", "latency")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"web-v2: {' '.join(command)} asked for; {said}\n"
    action = empty.release()["spec"]["action"]
    assert (action["type"], action["by"], action["reason"]) == (type_, "admin", "latency")


def test_a_retry_ships_the_same_again_and_records_who(empty: Rig, run: Way) -> None:
    known(empty, *build.shop())
    empty.say(phase="RolledBack")
    done = run("retry", "--reason", "the flag is fixed")
    assert (done.returncode, done.stderr) == (0, "")
    (made,) = (one for one in empty.releases() if one["metadata"]["name"] != "web-v2")
    name = made["metadata"]["name"]
    assert done.stdout == f"release {name} is on its way: `rollout watch` follows it\n"
    spec = made["spec"]
    assert (spec["version"], spec["by"], spec["reason"]) == ("v2", "admin", "the flag is fixed")


STEP: Final = {
    "at": "2026-01-01T12:00:00.000000Z",
    "phase": "Progressing",
    "reason": "Step",
    "message": "weight 20 %",
    "weight": 20,
}
LATER: Final = {**STEP, "at": "2026-01-01T12:00:01.000000Z", "message": "weight 40 %"}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("status", "two of four"),
        ("explain", "Why: two of four."),
        ("history", "2026-01-01 12:00:00  Progressing  -       Step  weight 20 %"),
        ("list", "web   web         canary"),
    ],
)
def test_looking_shows_the_same(empty: Rig, run: Way, command: str, said: str) -> None:
    known(empty, *build.shop())
    entry = {key: value for key, value in STEP.items() if key != "weight"}
    empty.say(message="two of four", timeline=[entry])
    done = run(command)
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout


@pytest.mark.parametrize("command", [["status"], ["history"], ["list", "-A"]])
def test_what_programs_read_is_the_same(empty: Rig, run: Way, command: list[str]) -> None:
    known(empty, *build.shop())
    shown = json.loads(run(*command, "-o", "json").stdout)
    found = shown if isinstance(shown, list) else [shown]
    assert empty.space in {one["metadata"]["namespace"] for one in found}


def watched(empty: Rig, run: Way, *arguments: str) -> subprocess.Popen[str]:
    """Begin to watch; returns when the command shows the release."""
    known(empty, *build.shop())
    empty.say(timeline=[STEP])
    process = run.begin("watch", *arguments)
    assert process.stdout is not None
    assert process.stdout.readline().endswith("weight 20 %\n")
    return process


@pytest.mark.parametrize(
    ("phase", "code"),
    [
        ("Succeeded", ExitCode.SUCCEEDED),
        ("RolledBack", ExitCode.ROLLED_BACK),
        ("Paused", ExitCode.WAITS),
        ("Failed", ExitCode.NOT_DONE),
    ],
)
def test_watch_tells_each_step_once_and_exits_with_the_state(
    empty: Rig, run: Way, phase: str, code: ExitCode
) -> None:
    with watched(empty, run) as process:
        empty.say(timeline=[STEP, LATER])
        empty.say(phase=phase, timeline=[STEP, LATER])
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (code, "")
    assert [line.rsplit("  ", 1)[1] for line in out.splitlines()] == ["weight 40 %"]


def test_status_exits_with_the_state_of_the_release(empty: Rig, run: Way) -> None:
    known(empty, *build.shop())
    empty.say(phase="RolledBack")
    assert run("status", "--exit-code").returncode == ExitCode.ROLLED_BACK


def test_watch_ends_with_its_time(empty: Rig, run: Way) -> None:
    with watched(empty, run, "--timeout", "2") as process:
        process.communicate(timeout=10)
    assert process.returncode == ExitCode.RUNNING


def test_watch_says_that_a_release_was_deleted(empty: Rig, run: Way) -> None:
    with watched(empty, run) as process:
        empty.cluster.apply(Delete(Kind.RELEASE, empty.space, "web-v2"))
        out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (ExitCode.NOT_DONE, "release web-v2 was deleted\n")


# Through the HTTP API only.


@pytest.fixture
def http(tmp_path: Path) -> Way:
    """No kubeconfig anywhere."""
    return Way((), {**PLAIN, "HOME": str(tmp_path), "KUBECONFIG": ""})


def at(rig: Rig, who: str) -> dict[str, str]:
    """The environment of somebody who has a URL and a token, and no kubeconfig."""
    return {"ROLLOUT_SERVER": rig.api.url, "ROLLOUT_TOKEN": who}


def test_who_is_on_call_needs_a_url_and_a_token_only(empty: Rig, http: Way) -> None:
    known(empty, *build.shop())
    done = http("rollback", "-n", empty.space, "--reason", "latency", **at(empty, "bob"))
    assert (done.returncode, done.stderr) == (0, "")
    assert empty.release()["spec"]["action"]["by"] == "bob"


def test_what_is_not_allowed_is_said_with_the_missing_verb(empty: Rig, http: Way) -> None:
    known(empty, *build.shop())
    done = http("promote", "-n", empty.space, **at(empty, "bob"))
    assert done.returncode == ExitCode.ERROR
    sentence, rule = done.stderr.split("\n", 1)
    assert sentence.startswith("rollout: not allowed: bob lacks the verb promote on releases")
    assert "action" not in empty.release()["spec"]
    role, binding = yaml.safe_load_all(rule)
    assert role["metadata"]["namespace"] == empty.space
    assert role["rules"][0]["verbs"] == ["promote"]
    assert binding["subjects"][0]["name"] == "bob"


def test_what_stands_after_the_command_wins_over_the_environment(empty: Rig, http: Way) -> None:
    known(empty, *build.shop())
    given = at(empty, "nobody")
    done = http("status", "-n", empty.space, "--token", "bob", **given)
    assert done.returncode == 0, done.stderr
    done = http("--token", "bob", "status", "-n", empty.space, **given)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"ROLLOUT_SERVER": "shop.example.com"}, "--server 'shop.example.com' is no URL"),
        ({"ROLLOUT_SERVER": "http://127.0.0.1:api"}, "--server 'http://127.0.0.1:api' is no URL"),
        ({"ROLLOUT_SERVER": "https://a\u200b.com"}, "Invalid IDNA hostname"),
        ({"ROLLOUT_SERVER": "http://127.0.0.1:65536"}, "Port out of range"),
        (
            {"ROLLOUT_SERVER": "http://127.0.0.1:1"},
            "rollout: the rollout server cannot be reached: http://127.0.0.1:1: ",
        ),
        (
            {"ROLLOUT_SERVER": "http://rollout.example.com"},
            "your token could be read on the way to rollout.example.com",
        ),
        ({"ROLLOUT_TOKEN": "nobody"}, "the cluster does not know this token"),
        ({"ROLLOUT_TOKEN": ""}, "rollout: no token for the server: give one with --token or"),
        ({"ROLLOUT_TOKEN": ""}, "(no cluster found: there is no kubeconfig"),
        ({"ROLLOUT_TOKEN": "", "ROLLOUT_SERVER": "htp://x"}, "--server 'htp://x' is no URL"),
        ({"ROLLOUT_SERVER_CA": "/nowhere"}, "--server-ca /nowhere: "),
    ],
)
def test_a_way_that_leads_nowhere_is_a_sentence(
    empty: Rig, http: Way, environment: dict[str, str], said: str
) -> None:
    done = http("list", **{**at(empty, "bob"), **environment})
    assert done.returncode == ExitCode.ERROR
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_that_is_no_rollout_server_is_said(empty: Rig, http: Way) -> None:
    done = http("list", **{**at(empty, "bob"), "ROLLOUT_SERVER": empty.server.url})
    assert done.returncode == ExitCode.ERROR
    assert "not as a rollout server does: is the URL right?" in done.stderr


@pytest.mark.parametrize(
    ("options", "environment"),
    [(("--insecure-http",), {}), ((), {"ROLLOUT_INSECURE_HTTP": "1"})],
)
def test_who_insists_sends_a_token_that_others_can_read(
    empty: Rig, http: Way, options: tuple[str, ...], environment: dict[str, str]
) -> None:
    url = empty.api.url.replace("127.0.0.1", "0.0.0.0")
    given = {**at(empty, "bob"), "ROLLOUT_SERVER": url, "NO_PROXY": "*"}
    refused = http("list", "-n", empty.space, **given)
    assert refused.returncode == ExitCode.ERROR
    assert "`kubectl port-forward " in refused.stderr
    done = http("list", "-n", empty.space, *options, **given, **environment)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_kubeconfig_without_a_token_says_how_to_get_one(
    empty: Rig, http: Way, tmp_path: Path
) -> None:
    file = empty.server.write_kubeconfig(tmp_path / "k")
    file.write_text(file.read_text().replace("token:", "username:"))
    done = http("list", KUBECONFIG=str(file), ROLLOUT_SERVER=empty.api.url)
    assert done.returncode == ExitCode.ERROR
    assert "no bearer token: give one with --token or ROLLOUT_TOKEN" in done.stderr


def test_a_change_whose_answer_was_lost_is_done_once(empty: Rig, http: Way) -> None:
    known(empty, build.deployment(), build.service(), build.ingress(), build.rollout())
    creates, releases = frozenset({"create"}), frozenset({"releases"})
    empty.server.faults = Faults(lost_answer=True, times=1, verbs=creates, resources=releases)
    done = http("start", "v2", "-n", empty.space, **at(empty, "ana"))
    assert done.returncode == 0, done.stderr
    assert len(empty.releases()) == 1


def test_a_rollback_outlives_the_restart_of_the_server(http: Way) -> None:
    with Rig(filled=False) as alone, alone.place(*build.shop()) as rig:
        process = http.begin("rollback", "-n", rig.space, **at(rig, "bob"))
        until(lambda: refused(rig) >= 2, "it has asked twice", 20)
        with running(rig.caches):
            out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert out.startswith("web-v2: rollback asked for")


def refused(rig: Rig) -> float:
    """How often the server has said that its caches are being filled."""
    route = "/namespaces/{namespace}/releases"
    return rig.count("requests_total", method="GET", route=route, status="503")


@contextmanager
def running(caches: Caches) -> Iterator[None]:
    caches.start()
    try:
        yield
    finally:
        caches.stop()
