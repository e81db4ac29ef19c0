"""Where pages are walked: somebody at a shell, whose service runs on a practice cluster."""

import re
import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml

from rollout.resources.release import Release
from rollout.resources.writes import Create, Kind, Patch, PatchType
from rollout.sandbox.load import Load, Plan
from rollout.sandbox.practice import ADDRESSES, PracticeCluster
from tests import shop
from tests.person import ROOT, Person
from tests.sandbox.practice import until

DOCS: Final = ROOT / "docs"
YAML: Final = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
QUICKLY: Final = {
    r"minDuration: \S+": "minDuration: 3s",  # ten times that is the longest
    r"bake: \S+": "bake: 2s",
    r"drain: \S+": "drain: 1s",
    r"interval: \S+": "interval: 1s",
    r"minimumRequests: \d+": "minimumRequests: 30",
}
LEASE: Final = ("--lease-namespace", "rollout-system")
"""Where an installed controller has it."""
LONGEST: Final = 240
"""Seconds for which callers come, and which a test may take at most."""
QUICK: Final = {"inline": {"interval": "1s", "minimumRequests": 30}}


@dataclass
class Desk:
    """Somebody whose service, `checkout` in `shop`, runs on a practice cluster."""

    person: Person
    practice: PracticeCluster

    def quicken(self, name: str) -> None:
        """Put seconds where a file has minutes."""
        file = self.person.folder / name
        text = file.read_text()
        for slow, quick in QUICKLY.items():
            text = re.sub(slow, quick, text)
        file.write_text(text)

    def write(self, name: str, page: str) -> None:
        """Write the YAML that a page shows into a file."""
        (text,) = YAML.findall((DOCS / page).read_text())
        (self.person.folder / name).write_text(text)

    def release(self) -> Release:
        """Give the newest release; one that has yet to start is the newest."""
        found = self.practice.cluster.list(Kind.RELEASE, "shop").items
        releases = [Release.model_validate(body) for body in found]
        began = [(one.status.started_at is None, str(one.status.started_at)) for one in releases]
        return releases[began.index(max(began))]

    @property
    def looked_at(self) -> bool:
        """Whether the controller has seen the Rollout."""
        return "status" in self.practice.cluster.get(Kind.ROLLOUT, "shop", "checkout")

    def shows(self, script: str, said: str, code: int = 0) -> str:
        """Type a command that shows something, on either stream; give all that it shows."""
        done = self.person.types(script)
        shown = done.stdout + done.stderr
        assert done.returncode == code, f"{script}: {done.returncode}\n{shown}"
        assert said in shown, f"{script}\n{shown}"
        return shown

    @contextmanager
    def going_on(self, script: str, said: str, end: int = signal.SIGINT) -> Iterator[str]:
        """Type a command that goes on until a signal; give the line in which it shows something."""
        process = subprocess.Popen(
            ["bash", "-c", f"exec {script}"],
            cwd=self.person.folder,
            env=self.person.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            assert process.stdout is not None
            yield _line(process.stdout, said, script)
            process.send_signal(end)
            code = process.wait(20)
            assert code == (130 if end == signal.SIGINT else 0), process.stdout.read()
        finally:
            process.kill()
            process.communicate()

    def at_weight(self, version: str, weight: int) -> None:
        """Have a release stand at a weight."""
        self.shows(f"rollout start {version} -n shop", "release checkout-")
        self.until_weight(weight)

    def until_weight(self, weight: int) -> None:
        """Wait until the newest release has a weight."""
        until(lambda: self.release().status.weight.applied == weight, f"{weight} %", 40)

    def until_ended(self, phase: str) -> None:
        """Wait until the newest release is over, and hold it to its phase."""
        until(lambda: self.release().status.phase.ended, "it is over", 60)
        found = self.release()
        assert str(found.status.phase) == phase, found

    def has_rollout(self) -> None:
        """Have a Rollout there."""
        body = shop.rollout()
        body["metadata"]["name"] = body["spec"]["target"]["deployment"] = "checkout"
        body["spec"]["policy"] = QUICK
        self.practice.apply([body], "shop")

    def holds(self, duration: str) -> None:
        """Have the releases from now on hold one step for so long, bake shortly, judge quickly."""
        steps = [{"weight": 20, "minDuration": duration}]
        canary = {"steps": steps, "bake": "2s", "drain": "1s"}
        body = {"spec": {"strategy": {"canary": canary}, "policy": QUICK}}
        patch = Patch(Kind.ROLLOUT, "shop", "checkout", PatchType.MERGE, body)
        self.practice.cluster.apply(patch)


def _line(output: Iterable[str], said: str, script: str) -> str:
    """Read up to the line that shows something, and give it."""
    before = []
    for line in output:
        if said in line:
            return line
        before.append(line)
    return pytest.fail(f"{script} has ended without {said!r}:\n{''.join(before)}")


@contextmanager
def open_desk(folder: Path, kubectl_program: Path) -> Iterator[Desk]:
    """Sit somebody down whose service is there and has callers, and whose controller runs."""
    person = Person.at(folder / "desk", kubectl_program)
    with PracticeCluster(folder / "practice") as practice:
        for body in (namespace("shop"), namespace("rollout-system")):
            practice.cluster.apply(Create(Kind.NAMESPACE, "", body))
        practice.apply(service(), "shop")
        practice.apply([stand_in()], "rollout-system")
        practice.start_controller(*LEASE)
        practice.api_url()  # it has read the kubeconfig, which kubectl may now rewrite
        place = {"KUBECONFIG": str(practice.kubeconfig), "ROLLOUT_POD_ADDRESS_MAP": ADDRESSES}
        person.environment.update(place)
        until(lambda: serves(practice), "the service answers", 30)
        with Load(Plan(practice.edge.url, host=shop.HOST, rate=80, seconds=LONGEST)):
            yield Desk(person, practice)


def serves(practice: PracticeCluster) -> bool:
    """Say whether the service answers through the edge."""
    answer = httpx.get(practice.edge.url, headers={"host": shop.HOST}, trust_env=False)
    return answer.is_success


def namespace(name: str) -> dict[str, Any]:
    """Word a namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def service() -> list[dict[str, Any]]:
    """Give the reader's own service: what there is before there is a Rollout."""
    found = [shop.deployment("v1.2.3"), shop.service(), shop.ingress()]
    text = yaml.safe_dump_all(found)
    for slow in ("name: web", "app: web"):
        text = text.replace(slow, slow.replace("web", "checkout"))
    return list(yaml.safe_load_all(text))


def stand_in() -> dict[str, Any]:
    """Word a Deployment in place of the controller's own pods: a process beside them here."""
    body = shop.deployment("v0", replicas=1)
    body["metadata"]["name"] = "rollout-controller"
    return body
