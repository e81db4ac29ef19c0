"""Scenarios of a service that is released from Git: who commits what when, what comes of it."""

from collections.abc import Callable
from typing import Any, Literal

import yaml
from pydantic import Field

from rollout.resources.release import Release
from rollout.resources.writes import Kind, Patch, PatchType
from tests import shop
from tests.scenarios.scenario import COMMITS, Ends, Part, Scenario
from tests.scenarios.stage import Stage


class State(Part):
    """A state to wait for; all that is given must hold of the newest release of the tag."""

    of: str | None = None
    phase: str | None = None
    weight: int | None = None
    reason: str | None = None
    mark: str | None = None
    says: str | None = None
    """Reason of the Rollout's condition Ready, in one word."""


class Step(Part):
    """Something that somebody does once, when something holds."""

    when: State
    commit: str | None = None
    """A tag: the Deployment's manifest with it is applied, as a tool does."""
    run: str | None = None
    """A command of ours."""
    do: Literal["delete Rollout", "kill and start controller", "trigger Command"] | None = None


class Commits(Part):
    """One scenario."""

    claim: str
    steps: tuple[Step, ...]
    releases: tuple[str, ...]
    """All releases that there must be at the end, the oldest first: tag, phase and reason."""
    template: str
    """Tag of the Deployment's template at the end."""
    serves: str
    """Tag of the pods that serve at the end."""
    paused: bool = True
    says: str | None = None
    """Reason of the Rollout's condition Ready at the end; left out: the Rollout is gone."""
    spec: dict[str, Any] = Field(default_factory=dict)
    """Fields of the strategy that differ from those of the stage."""
    within: float = 100.0
    """Seconds from the start."""

    @property
    def scene(self) -> Scenario:
        """What the stage is set for."""
        ends = Ends(phase="", exit=0)
        trigger = {"trigger": "Template"}
        told = ("Started",)
        return Scenario(
            claim=self.claim,
            spec=self.spec,
            rollout=trigger,
            ends=ends,
            tells=told,
            kills=any("kill" in (step.do or "") for step in self.steps),
            rate=80.0,
        )


def commits() -> list[Commits]:
    """Read all of them."""
    return [Commits.model_validate(case) for case in yaml.safe_load(COMMITS.read_text())]


def releases(stage: Stage) -> list[Release]:
    """Give all releases, the oldest first."""
    return stage.releases.now()


def tag_of(release: Release) -> str:
    """Tag of what a release ships."""
    if release.spec.version is not None:
        return release.spec.version
    containers = (release.spec.template or {})["spec"]["containers"]
    return str(containers[0]["image"]).rpartition(":")[2]


def ready(stage: Stage) -> str | None:
    """Reason of the Rollout's condition Ready; None when there is no Rollout."""
    mine = [one for one in stage.rollouts.now() if one.metadata.name == "web"]
    if not mine:
        return None
    return next((one.reason for one in mine[0].status.conditions if one.type == "Ready"), "")


def holds(when: State, stage: Stage) -> bool:
    """Whether all is as a step waits for."""
    if when.says is not None and ready(stage) != when.says:
        return False
    if when.of is None:
        return True
    mine = [r for r in releases(stage) if tag_of(r) == when.of]
    status = mine[-1].status if mine else None
    return status is not None and all(
        [
            when.phase in {None, str(status.phase)},
            when.weight in {None, status.weight.applied},
            when.reason in {None, status.reason},
            when.mark is None or when.mark in status.marks,
        ]
    )


def carry_out(step: Step, stage: Stage) -> None:
    """Do it."""
    if step.commit is not None:
        commit(stage, step.commit)
    if step.run is not None:
        done = stage.cli(*step.run.split())
        assert done.returncode == 0, f"{step.run}: {done.stdout}{done.stderr}"
    if step.do is not None:
        DEEDS[step.do](stage)


def commit(stage: Stage, tag: str) -> None:
    """Apply the manifest of the Deployment, on the server that can by the server itself."""
    body = shop.deployment(tag)
    if stage.server.name == "real":
        stage.apply_server_side(body)
        return
    applied = {key: body[key] for key in ("metadata", "spec")}
    patch = Patch(Kind.DEPLOYMENT, stage.namespace, "web", PatchType.STRATEGIC, applied)
    stage.cluster.apply(patch)


def _replace(stage: Stage) -> None:
    stage.kill_controller()
    stage.start_controller()


def _to_command(stage: Stage) -> None:
    stage.patch(Kind.ROLLOUT, "web", {"spec": {"trigger": "Command"}})


DEEDS: dict[str, Callable[[Stage], None]] = {
    "delete Rollout": lambda stage: stage.delete(Kind.ROLLOUT, "web"),
    "kill and start controller": _replace,
    "trigger Command": _to_command,
}
