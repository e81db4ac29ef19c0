"""The guides are walked from end to end: each command as it stands there, on a practice cluster.

Only durations differ: where a guide has minutes, the files get seconds.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import pytest
import yaml

from rollout.resources.writes import Kind
from tests.docs.desk import DOCS, LEASE, QUICK, Desk, open_desk
from tests.person import blocks, command
from tests.sandbox.practice import until

pytestmark = [pytest.mark.system, pytest.mark.controlplane, pytest.mark.timeout(200)]


@pytest.fixture
def desk(tmp_path: Path, kubectl_program: Path) -> Iterator[Desk]:
    with open_desk(tmp_path, kubectl_program) as desk:
        yield desk


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
    desk.has_rollout()
    desk.at_weight("v1.2.4", 20)


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
    desk.until_ended("RolledBack")


def test_what_the_readme_and_the_page_on_installing_show_is_so(desk: Desk) -> None:
    """The controller runs, and the context says the namespace."""
    desk.has_rollout()
    until(lambda: desk.looked_at, "the controller works", 40)
    desk.holds("30m")
    desk.shows("kubectl config set-context --current --namespace shop", "modified")
    for shown, said in (
        (command("docs/install.md", "kubectl --namespace rollout-system get lease"), "controller"),
        (command("docs/install.md", "kubectl --namespace rollout-system logs"), "listening on"),
        (command("README.md", "rollout start"), "release checkout-v1.2.4-"),
        (command("README.md", "rollout explain"), "v1.2.4"),
        (command("README.md", "rollout rollback"), "rollback asked for"),
    ):
        desk.shows(shown, said)
    desk.until_ended("RolledBack")
    desk.holds("1s")
    desk.shows(command("docs/install.md", "rollout start"), "Succeeded")
