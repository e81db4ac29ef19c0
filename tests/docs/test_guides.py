"""The guides are walked from end to end: each command as it stands there, on a practice cluster.

Only durations differ: where a guide has minutes, the files get seconds.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import httpx
import pytest
import yaml

from rollout.resources.release import Release
from rollout.resources.writes import Create, Kind, Patch, PatchType
from rollout.sandbox.load import Load, Plan
from rollout.sandbox.practice import ADDRESSES, PracticeCluster
from tests import shop
from tests.person import Person, blocks, command
from tests.sandbox.practice import until

DOCS = Path(__file__).parents[2] / "docs"
YAML = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
QUICKLY = {
    r"minDuration: \S+": "minDuration: 3s",  # ten times that is the longest
    r"bake: \S+": "bake: 2s",
    r"drain: \S+": "drain: 1s",
    r"interval: \S+": "interval: 1s",
    r"minimumRequests: \d+": "minimumRequests: 30",
}
LEASE = ("--lease-namespace", "rollout-system")
"""Where an installed controller has it."""
QUICK = {"inline": {"interval": "1s", "minimumRequests": 30}}

pytestmark = [pytest.mark.system, pytest.mark.controlplane, pytest.mark.timeout(200)]


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
        """Give the newest release."""
        found = self.practice.cluster.list(Kind.RELEASE, "shop").items
        releases = [Release.model_validate(body) for body in found]
        return max(releases, key=lambda one: str(one.status.started_at))

    @property
    def looked_at(self) -> bool:
        """Whether the controller has seen the Rollout."""
        return "status" in self.practice.cluster.get(Kind.ROLLOUT, "shop", "checkout")

    def shows(self, script: str, said: str) -> None:
        """Type a command that goes well, and shows something."""
        done = self.person.types(script)
        assert done.returncode == 0, f"{script}{done.stdout}{done.stderr}"
        assert said in done.stdout + done.stderr, f"{script}{done.stdout}{done.stderr}"

    def at_weight(self, version: str, weight: int) -> None:
        """Have a release stand at a weight."""
        done = self.person.types(f"rollout start {version} -n shop")
        assert done.returncode == 0, done.stderr
        until(lambda: self.release().status.weight.applied == weight, f"{weight} %", 40)


Act: TypeAlias = Callable[[Desk], None]


def nothing(_: Desk) -> None:
    """Change nothing."""


@dataclass(frozen=True)
class Block:
    """What is done before a block of commands, and what the block shows."""

    says: tuple[str, ...]
    before: Act = nothing
    code: int = 0


@dataclass(frozen=True)
class Guide:
    """A page, and what its blocks show, in order."""

    page: str
    blocks: tuple[Block, ...] = field(default=())


@pytest.fixture
def desk(tmp_path: Path, kubectl_program: Path) -> Iterator[Desk]:
    person = Person.at(tmp_path / "desk", kubectl_program)
    with PracticeCluster(tmp_path / "practice") as practice:
        for body in (namespace("shop"), namespace("rollout-system")):
            practice.cluster.apply(Create(Kind.NAMESPACE, "", body))
        practice.apply(service(), "shop")
        practice.apply([stand_in()], "rollout-system")
        practice.start_controller(*LEASE)
        place = {"KUBECONFIG": str(practice.kubeconfig), "ROLLOUT_POD_ADDRESS_MAP": ADDRESSES}
        person.environment.update(place)
        host = shop.HOST
        until(lambda: serves(practice, host), "the service answers", 30)
        with Load(Plan(practice.edge.url, host=host, rate=80, seconds=190)):
            yield Desk(person, practice)


def serves(practice: PracticeCluster, host: str) -> bool:
    return httpx.get(practice.edge.url, headers={"host": host}, trust_env=False).is_success


def namespace(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def service() -> list[dict[str, object]]:
    """Give the reader's own service: what there is before there is a Rollout."""
    found = [shop.deployment("v1.2.3"), shop.service(), shop.ingress()]
    text = yaml.safe_dump_all(found)
    for slow in ("name: web", "app: web"):
        text = text.replace(slow, slow.replace("web", "checkout"))
    return list(yaml.safe_load_all(text))


def stand_in() -> dict[str, object]:
    """A Deployment in place of the controller's own pods: here it is a process beside them."""
    body = shop.deployment("v0", replicas=1)
    body["metadata"]["name"] = "rollout-controller"
    return body


def first_time(desk: Desk) -> None:
    desk.quicken("checkout-rollout.yaml")


def blue_green(desk: Desk) -> None:
    desk.write("blue-green.yaml", "blue-green.md")
    desk.quicken("blue-green.yaml")
    file = desk.person.folder / "blue-green.yaml"
    preview, rollout = yaml.safe_load_all(file.read_text())
    rollout["spec"]["strategy"]["blueGreen"]["drain"] = "1s"
    rollout["spec"]["policy"] = QUICK
    file.write_text(yaml.safe_dump_all([preview, rollout]))


def policy(desk: Desk) -> None:
    desk.write("policy.yaml", "writing-a-policy.md")


def quick_rollout(desk: Desk) -> None:
    """Have a Rollout there, and a release of it at its first step."""
    rollout(desk)
    desk.at_weight("v1.2.4", 20)


def rollout(desk: Desk) -> None:
    """Have a Rollout there."""
    body = shop.rollout()
    body["metadata"]["name"] = body["spec"]["target"]["deployment"] = "checkout"
    body["spec"]["policy"] = QUICK
    desk.practice.apply([body], "shop")


def shipped(desk: Desk) -> None:
    done = desk.person.types("rollout start v1.2.4 -n shop --watch")
    assert done.returncode == 0, done.stdout + done.stderr


def controller_gone(desk: Desk) -> None:
    desk.at_weight("v1.2.7", 20)
    desk.practice.stop_controller()


GUIDES = (
    Guide(
        "first-canary.md",
        (
            Block(("checkout-rollout.yaml",)),
            Block(("created",), first_time),
            Block(("first canary", "Baking", "Succeeded")),
            Block(("v1.2.4", "stable", "Committed")),
            Block(("RollingBack", "exit code 3")),
        ),
    ),
    Guide(
        "blue-green.md",
        (
            Block(("rollout.rollout.dev/checkout created",), blue_green),
            Block(("exit code 4",)),
            Block(("approval", "candidate", "Succeeded")),
            Block(("exit code 4", "exit code 3")),
        ),
    ),
    Guide(
        "writing-a-policy.md",
        (
            Block(("interval", "checkout-rollout.yaml")),
            Block(("nothing is wrong", "created"), policy),
            Block(("Preparing", "exit code 3")),
        ),
    ),
    Guide(
        "runbook.md",
        (
            Block(("checkout", "exit code 3"), quick_rollout),
            Block(("v1.2.4", "is brought back", "Succeeded"), shipped),
            Block(("checkout",)),
            Block(("pause asked for", "candidate", "listening on", "exit code 3")),
            Block(("rollout-controller", "controller"), controller_gone, code=1),
            Block(("rollback asked for",)),
            Block(("annotated",)),
            Block(("patched",)),
        ),
    ),
)
WALKS = {f"docs/{guide.page}": guide.blocks for guide in GUIDES}


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.page)
def test_every_command_of_a_guide_does_what_it_says(guide: Guide, desk: Desk) -> None:
    typed = blocks(DOCS / guide.page)
    assert len(typed) == len(guide.blocks)
    for script, block in zip(typed, guide.blocks, strict=True):
        block.before(desk)
        done = desk.person.types(script)
        shown = done.stdout + done.stderr
        assert done.returncode == block.code, f"{script}{shown}"
        missing = [words for words in block.says if words not in shown]
        assert not missing, f"{missing}\n{script}{shown}"


def test_what_a_person_did_by_hand_is_taken_over_by_the_controller(desk: Desk) -> None:
    """The last lines of the runbook: requests go back at once, and the release is rolled back."""
    quick_rollout(desk)
    desk.practice.stop_controller()
    *_, order, weight, _ = blocks(DOCS / "runbook.md")
    assert desk.person.types(order + weight).returncode == 0
    canary = desk.practice.cluster.get(Kind.INGRESS, "shop", "checkout-candidate")
    notes = canary["metadata"]["annotations"]
    assert notes["nginx.ingress.kubernetes.io/canary-weight"] == "0"
    desk.practice.start_controller(*LEASE)
    until(lambda: desk.release().status.phase.ended, "it is rolled back", 40)
    assert str(desk.release().status.phase) == "RolledBack"


def test_what_the_readme_and_the_page_on_installing_show_is_so(desk: Desk) -> None:
    """The controller runs, and the context says the namespace."""
    rollout(desk)
    until(lambda: desk.looked_at, "the controller works", 40)
    holds(desk, "30m")
    desk.shows("kubectl config set-context --current --namespace shop", "modified")
    for shown, said in (
        (command("docs/install.md", "kubectl --namespace rollout-system get lease"), "controller"),
        (command("docs/install.md", "kubectl --namespace rollout-system logs"), "listening on"),
        (command("README.md", "rollout start"), "release checkout-v1.2.4-"),
        (command("README.md", "rollout explain"), "v1.2.4"),
        (command("README.md", "rollout rollback"), "rollback asked for"),
    ):
        desk.shows(shown, said)
    until(lambda: desk.release().status.phase.ended, "it is rolled back", 40)
    holds(desk, "1s")
    desk.shows(command("docs/install.md", "rollout start"), "Succeeded")


def holds(desk: Desk, duration: str) -> None:
    """Have the releases from now on hold their one step for so long."""
    steps = [{"weight": 20, "minDuration": duration}]
    body = {"spec": {"strategy": {"canary": {"steps": steps}}}}
    patch = Patch(Kind.ROLLOUT, "shop", "checkout", PatchType.MERGE, body)
    desk.practice.cluster.apply(patch)
