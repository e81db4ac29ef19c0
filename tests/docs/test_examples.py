"""The examples of the help texts, which the reference shows, are typed as they stand there.

Each where it makes sense: on a practice cluster whose service has callers, or beside files. What
an installation is for is typed on a real control plane, in `test_cluster_pages.py`.
"""

import json
import re
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml

from rollout import __version__
from rollout.report.exit_codes import ExitCode
from rollout.resources.crd import files
from rollout.resources.writes import Kind, Object
from tests import shop
from tests.controlplane.ports import alone_on
from tests.convert import CASES
from tests.docs.desk import Desk, open_desk
from tests.person import ROOT, Person, command
from tests.sandbox.practice import until
from tests.terminal import on_terminal

PAGE: Final = "docs/reference/cli.md"
CONVERTED: Final = CASES[0].parent
"""Manifests of others."""

pytestmark = [pytest.mark.system, pytest.mark.controlplane, pytest.mark.timeout(240)]


@pytest.fixture
def desk(tmp_path: Path, kubectl_program: Path) -> Iterator[Desk]:
    """Somebody whose context names the namespace, in a folder with the policies."""
    with open_desk(tmp_path, kubectl_program) as desk:
        desk.shows("kubectl config set-context --current --namespace shop", "modified")
        shutil.copytree(ROOT / "policies", desk.person.folder / "policies")
        yield desk


@pytest.fixture
def person(tmp_path: Path, kubectl_program: Path) -> Person:
    """Somebody without a cluster."""
    return Person.at(tmp_path / "desk", kubectl_program)


def types(person: Person, script: str, code: int = 0) -> str:
    done = person.types(script)
    assert done.returncode == code, f"{script}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def test_a_service_is_taken_up_and_a_release_goes_out(desk: Desk) -> None:
    desk.shows(command(PAGE, "rollout init"), "kind: Rollout")
    (desk.person.folder / "deploy").mkdir()
    desk.shows(command(PAGE, "rollout init checkout --policy"), "deploy/rollout.yaml")
    desk.shows(command(PAGE, "rollout init checkout --apply"), "checkout")
    until(lambda: desk.looked_at, "the controller has seen it", 40)
    desk.holds("30m")
    desk.shows(command(PAGE, "rollout doctor"), "ok")
    desk.shows(command(PAGE, "rollout doctor checkout -n shop"), '"check"')
    desk.shows(command(PAGE, "rollout start v1.2.4"), "release checkout-v1.2.4-")
    desk.until_weight(20)
    check_looks(desk)
    desk.shows(command(PAGE, "rollout pause checkout"), "pause asked for")
    until(lambda: str(desk.release().status.phase) == "Paused", "it stays where it is")
    desk.shows(command(PAGE, "rollout resume checkout"), "resume asked for")
    until(lambda: str(desk.release().status.phase) == "Progressing", "it goes on")
    desk.shows(command(PAGE, "rollout promote"), "promote asked for")
    desk.shows(command(PAGE, "rollout watch"), "Succeeded")
    desk.shows(command(PAGE, "rollout history checkout"), "incident elsewhere")
    desk.at_weight("v1.2.5", 20)
    desk.shows(command(PAGE, "rollout promote checkout --full"), "promote --full asked for")
    desk.shows(command(PAGE, "rollout watch checkout --timeout 600"), "Succeeded")


def check_looks(desk: Desk) -> None:
    """All that looks at a release and its pods, and changes nothing."""
    desk.shows(command(PAGE, "rollout status"), "Progressing")
    desk.shows(command(PAGE, "rollout status checkout --exit-code"), '"Progressing"', code=5)
    desk.shows(command(PAGE, "rollout list -o wide"), "v1.2.4")
    desk.shows(command(PAGE, "rollout explain checkout"), "v1.2.4")
    desk.shows(command(PAGE, "rollout ops pods"), "candidate")
    shown = desk.shows(command(PAGE, "rollout ops pods checkout --track candidate"), "ReplicaSet/")
    assert "stable" not in shown
    desk.shows(command(PAGE, "rollout ops logs"), "listening on")
    desk.shows(command(PAGE, "rollout ops exec --track candidate"), "HOSTNAME=checkout-candidate-")
    shell = ["sh", "-c", command(PAGE, "rollout ops exec checkout")]
    assert on_terminal(shell, typed=b"exit 9\n", env=desk.person.environment).code == 9
    desk.shows(command(PAGE, "rollout ops events"), "StepEntered")
    desk.shows(command(PAGE, "rollout ops hpa checkout"), "no HorizontalPodAutoscaler")
    with desk.going_on(command(PAGE, "rollout ops logs checkout --follow"), "listening on"):
        pass
    with desk.going_on(command(PAGE, "rollout ops events checkout --since 5m"), "Started"):
        pass
    for script, version in (
        (command(PAGE, "rollout ops port-forward 8080"), "v1.2.3"),
        (command(PAGE, "rollout ops port-forward checkout 9090:http"), "v1.2.4"),
    ):
        with alone_on(8080, 9090), desk.going_on(script, "leads to") as line:
            answer = httpx.get(f"http://{line.split()[0]}/", trust_env=False)
        assert answer.headers["x-version"] == version


def test_what_was_is_brought_back_again_and_renewed(desk: Desk) -> None:
    desk.has_rollout()
    desk.holds("30m")
    desk.at_weight("v1.2.4", 20)
    discard(desk, command(PAGE, "rollout discard-edit"))
    desk.shows(command(PAGE, "rollout retry"), "release checkout-v1.2.4-")
    desk.until_weight(20)
    discard(desk, command(PAGE, "rollout discard-edit checkout -o yaml"))
    dropped = yaml.safe_load((desk.person.folder / "edit.yaml").read_text())
    assert dropped["discarded"]["spec"]["containers"][0]["image"].endswith(":v9")
    desk.holds("1s")
    desk.shows(command(PAGE, "rollout retry checkout --reason"), "Succeeded")
    desk.shows(command(PAGE, "rollout undo checkout --to v1.2.3"), "Succeeded")
    assert served(desk).endswith(":v1.2.3")
    desk.shows("rollout start v1.2.5 --watch", "Succeeded")
    for script in (
        command(PAGE, "rollout undo"),
        command(PAGE, "rollout restart checkout"),
        command(PAGE, "rollout ops restart checkout"),
    ):
        desk.shows(script, "release checkout-")
        desk.until_ended("Succeeded")
        assert served(desk).endswith(":v1.2.3")
    desk.shows(command(PAGE, "rollout ops scale checkout"), "6 replicas")
    until(lambda: target(desk)["status"].get("readyReplicas") == 6, "there are six", 40)


def discard(desk: Desk, script: str) -> None:
    """Edit the Deployment while a release runs, take that back, and drop the edit."""
    image = f"checkout={shop.IMAGE}:v9"
    desk.shows(f"kubectl set image deployment/checkout {image}", "updated")
    desk.shows(command(PAGE, "rollout rollback checkout"), "rollback asked for")
    desk.until_ended("RolledBack")
    assert served(desk).endswith(":v9")
    desk.shows(script, "")
    assert served(desk).endswith(":v1.2.3")


def target(desk: Desk) -> Object:
    return desk.practice.cluster.get(Kind.DEPLOYMENT, "shop", "checkout")


def served(desk: Desk) -> str:
    """Give the image of the Deployment's template."""
    return str(target(desk)["spec"]["template"]["spec"]["containers"][0]["image"])


def test_another_strategy_another_policy_and_a_candidate_that_crashes(desk: Desk) -> None:
    desk.shows(command(PAGE, "rollout start v1.2.4 --deployment checkout"), "blue-green")
    until(lambda: began(desk, "v1.2.4"), "it begins", 40)
    rolled_back(desk)
    script = command(PAGE, "rollout start registry.example.com/shop:v2")
    with ThreadPoolExecutor(1) as terminal:
        done = terminal.submit(desk.shows, script, "RollingBack", code=3)
        until(lambda: began(desk, "shop-v2") or done.done(), "it begins", 40)
        rolled_back(desk)
        done.result(timeout=30)
    desk.shows("kubectl apply -f policies/strict.yaml", "strict created")
    desk.shows(command(PAGE, "rollout policy lint --all"), "1 policy of namespace shop")
    desk.shows(command(PAGE, "rollout policy show strict -n shop"), "interval")
    desk.shows("rollout start v1.2.5-crash1", "release checkout-v1.2.5-crash1-")
    until(lambda: any(map(restarts, pods(desk))), "the candidate has crashed", 40)
    desk.shows(command(PAGE, "rollout ops logs --track candidate --previous"), "listening on")


def began(desk: Desk, version: str) -> bool:
    """Say whether the newest release is of a version, and no longer Pending."""
    release = desk.release()
    return version in release.metadata.name and release.status.started_at is not None


def pods(desk: Desk) -> tuple[Object, ...]:
    return desk.practice.cluster.list(Kind.POD, "shop").items


def restarts(pod: Object) -> int:
    """Count how often the containers of a pod were started again."""
    return sum(one["restartCount"] for one in pod["status"].get("containerStatuses") or ())


def rolled_back(desk: Desk) -> None:
    desk.shows("rollout rollback checkout", "rollback asked for")
    desk.until_ended("RolledBack")


def test_the_table_of_the_page_on_operations(desk: Desk) -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\|.*\| `(rollout ops .*)` \|$", text, re.MULTILINE)
    pods_, logs, events, scale, restart, exec_, forward, hpa = rows
    desk.has_rollout()
    desk.holds("30m")
    desk.at_weight("v1.2.4", 20)
    desk.shows(pods_, "candidate")
    desk.shows(events, "StepEntered")
    desk.shows(exec_, "HOSTNAME=checkout-candidate-")
    desk.shows(hpa, "no HorizontalPodAutoscaler")
    with desk.going_on(logs, "listening on"):
        pass
    with alone_on(8080), desk.going_on(forward, "leads to") as line:
        answer = httpx.get(f"http://{line.split()[0]}/", trust_env=False)
    assert answer.headers["x-version"] == "v1.2.4"
    check_sentences(desk, text)
    desk.shows(scale, "6 replicas")
    rolled_back(desk)
    desk.shows(restart, "release checkout-")


def check_sentences(desk: Desk, text: str) -> None:
    """Type the whole commands that stand in the page's sentences."""
    (desk.person.folder / "look.sh").write_text("echo looked at $HOSTNAME\n")
    for script, said in (
        ("rollout ops logs --tail 50 --since 10m", "listening on"),
        ("rollout ops logs -o json", '"track"'),
        ("rollout ops exec -i --track candidate -- sh < look.sh", "looked at checkout-candidate-"),
    ):
        assert f"`{script}`" in text
        desk.shows(script, said)
    for script, said in (
        ("rollout ops events --watch", "StepEntered"),
        ("rollout ops port-forward 0:http", "leads to"),
    ):
        assert f"`{script}`" in text
        with desk.going_on(script, said):
            pass


def test_the_controller_runs_at_a_terminal(desk: Desk) -> None:
    desk.practice.stop_controller()
    with running(desk, command(PAGE, "rollout controller")) as started:
        probe(started)
    with alone_on(8081), running(desk, command(PAGE, "rollout controller --namespace")) as started:
        assert (started["namespace"], started["port"]) == ("shop", 8081)
        probe(started)
    with alone_on(8080), running(desk, command(PAGE, "rollout controller --api-port")) as started:
        assert started["api"] == "http://127.0.0.1:8080"
        assert httpx.get(f"{started['api']}/api/v1/openapi.json", trust_env=False).is_success


@contextmanager
def running(desk: Desk, script: str) -> Iterator[dict[str, Any]]:
    """Run a controller until SIGTERM; give what it says when it has started."""
    with desk.going_on(script, '"event": "started"', end=signal.SIGTERM) as line:
        yield json.loads(line)


def probe(started: dict[str, Any]) -> None:
    """Ask whether it is ready, as a kubelet does."""
    url = f"http://{started['address']}:{started['port']}/readyz"
    until(lambda: httpx.get(url, trust_env=False).is_success, "it is ready", 30)


def test_manifests_of_others_are_converted(desk: Desk) -> None:
    """The folder is of somebody who has Flagger, and whose Canary makes the Service."""
    folder = desk.person.folder
    shutil.copy(CONVERTED / "argo-nginx-canary.yaml", folder / "rollout.yaml")
    shutil.copy(CONVERTED / "argo-providers.yaml", folder / "analysis.yaml")
    theirs = (CONVERTED / "flagger-nginx.yaml").read_text()
    theirs = theirs.replace("podinfo", "checkout").replace("namespace: test", "namespace: shop")
    for below in ("manifests", "overlays/production"):
        (folder / below).mkdir(parents=True)
        (folder / below / "canary.yaml").write_text(theirs)
    overlay = {"resources": ["canary.yaml"]}
    (folder / "overlays/production/kustomization.yaml").write_text(yaml.safe_dump(overlay))
    has_kustomize(desk.person)
    partly = ExitCode.PARTLY
    both = command(PAGE, "rollout convert -f rollout.yaml -f analysis.yaml")
    desk.shows(both, "no equal", code=partly)
    kinds = [body["kind"] for body in yaml.safe_load_all((folder / "converted.yaml").read_text())]
    assert "Rollout" in kinds
    desk.shows(command(PAGE, "rollout convert -f manifests/ -o table"), "NoEqual", code=partly)
    desk.shows(command(PAGE, "kustomize build"), "kind: Rollout", code=partly)
    desk.shows(command(PAGE, "rollout convert -f manifests/ --only"), "service/checkout configured")
    selector = desk.practice.cluster.get(Kind.SERVICE, "shop", "checkout")["spec"]["selector"]
    assert selector == {"app": "checkout"}


def has_kustomize(person: Person) -> None:
    """Give somebody the program, which is kubectl's own."""
    program = person.folder / "bin" / "kustomize"
    program.write_text('#!/bin/sh\nshift\nexec kubectl kustomize "$@"\n')
    program.chmod(0o755)


def test_what_needs_no_cluster(person: Person) -> None:
    shutil.copytree(ROOT / "policies", person.folder / "policies")
    (person.folder / "manifests" / "crds").mkdir(parents=True)
    assert "nothing is wrong" in types(person, command(PAGE, "rollout policy lint policies"))
    assert "interval" in types(person, command(PAGE, "rollout policy show"))
    assert "strict" in types(person, command(PAGE, "rollout policy show policies"))
    assert types(person, command(PAGE, "rollout version")) == f"{__version__}\n"
    types(person, command(PAGE, "rollout crds --write"))
    written = {file.name for file in (person.folder / "manifests" / "crds").iterdir()}
    assert written == set(files())


def test_shells_complete(person: Person) -> None:
    """The folder of functions is zsh's to say: here it is said for it."""
    (person.folder / ".config" / "fish" / "completions").mkdir(parents=True)
    asked = f"{command(PAGE, 'source')}\ncomplete -p rollout"
    assert "rollout" in types(person, asked)
    types(person, f'fpath=("" "$HOME")\n{command(PAGE, "rollout completion zsh")}')
    assert "#compdef rollout" in (person.folder / "_rollout").read_text()
    types(person, command(PAGE, "rollout completion fish"))
    fish = person.folder / ".config" / "fish" / "completions" / "rollout.fish"
    assert "complete " in fish.read_text()
