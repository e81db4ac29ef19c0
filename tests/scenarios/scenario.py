"""A scenario as data that a person can read: what is shipped, who does what when, how it ends."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

CASES: Final = Path(__file__).parent / "cases"
COMMITS: Final = CASES / "git.yaml"
"""Told with other words: see commits.py."""


class Part(BaseModel):
    """A part of a scenario; unknown words are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class When(Part):
    """A state of the release to wait for; all that is given must hold."""

    phase: str | None = None
    weight: int | None = None
    reason: str | None = None
    mark: str | None = None
    committed: bool | None = None
    write: int | None = None
    """After so many writes of the phase; the first is the one that enters it, 0 is before any.
    The controller's next write is held until the deed is done."""
    verdict: str | None = None


class Deed(Part):
    """Something that somebody does once, when something holds."""

    when: When
    run: str | None = None
    """A command of ours, such as `rollback --reason "too slow"`."""
    refused: str | None = None
    """That command must be refused, and say this."""
    do: str | None = None
    """Something else: kill controller, unpause, widen, set image, ..."""
    to: str | int | None = None
    """What it is done with: replicas, a tag, a name."""


class Ends(Part):
    """How it must end."""

    phase: str
    reason: str | None = None
    exit: int
    within: float = 60.0
    """Seconds from the start."""


class Scenario(Part):
    """One scenario."""

    claim: str
    version: str = "v2"
    strategy: Literal["canary", "blue-green"] = "canary"
    spec: dict[str, Any] = Field(default_factory=dict)
    """Fields of the strategy that differ from those of the stage."""
    rollout: dict[str, Any] = Field(default_factory=dict)
    """Fields of the Rollout that differ: traffic, adoption, trigger."""
    routed: bool = True
    """Whether an Ingress is there; without one, callers are inside the cluster."""
    lingers: float = 0.0
    """Seconds for which the pods go on serving when they are told to stop."""
    options: tuple[str, ...] = ()
    """What `rollout start` is told besides the version."""
    refused: str | None = None
    """`rollout start` must be refused, and say this; then nothing happens."""
    counted: dict[int, float] = Field(default_factory=dict)
    """Shares that callers must count while the candidate has them, and points they may be off."""
    policy: dict[str, Any] = Field(default_factory=dict)
    """Fields of the policy that differ."""
    metrics: Literal["scrape", "prometheus", "prometheus down", "edge", "guarded"] = "scrape"
    """Who counts: the pods, read by us or by Prometheus, or the edge, read by Prometheus.
    Guarded: it wants a token, which is in a Secret."""
    token_key: str = "token"
    """The key of that Secret that the policy names."""
    rate: float = 60.0
    """Requests a second; 0: nobody comes. More come where a version must be found to be bad."""
    inside: float = 0.0
    """Requests a second from inside the cluster, which go to the Service past the edge."""
    others: tuple[str, ...] = ()
    """Other hosts that callers ask for, with the same pods behind them."""
    applied: bool = False
    """Whether the user's own objects came by server-side apply, and not by create."""
    deeds: tuple[Deed, ...] = ()
    ends: Ends
    tells: tuple[str, ...] = ()
    """The story: words that the timeline must have, in this order, and events too."""
    says: tuple[str, ...] = ()
    """What the status says at the end, in its message or in the verdict's reason."""
    highest: int = 100
    """The largest share that the candidate may ever have had."""
    image: str | None = None
    """Tag of the target at the end; left out: by how it ended."""
    displaced: str | None = None
    """Tag of the edit that the release has replaced, and kept in its status."""
    restarted: bool = False
    """Whether the target's template asks for new pods at the end, as a restart does."""
    also: tuple[dict[str, Any], ...] = ()
    """Objects that are there besides those of the stage."""
    scaled: bool = False
    """Whether the user's own scale-down stops pods that serve; the same one without us, before
    the release, tells how long requests are lost then."""
    edited: bool = False
    """Whether an edit waits on a paused target at the end."""
    servers: tuple[Literal["emulator", "real"], ...] = ("emulator", "real")
    gone: bool = False
    """Whether the Release is gone at the end, because somebody deleted it: how it ends is then
    what it was on its way to, and `exit` that of asking for what is no more."""
    kills: bool = False
    """Whether a controller is killed by other hands than those of the deeds."""
    writes: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """What the controller writes in a phase, in this order and nothing else."""

    @model_validator(mode="after")
    def _told(self) -> "Scenario":
        if not self.tells and self.refused is None:
            raise ValueError("tells: say what the timeline must tell")
        return self

    @property
    def gated(self) -> bool:
        """Whether the controller's writes must be counted."""
        return bool(self.writes) or any(deed.when.write is not None for deed in self.deeds)

    @property
    def waits(self) -> bool:
        """Whether a write is held for longer than a killed controller's lease may last.

        A person's command takes its time, and so does all that comes before the first write.
        """
        held = [deed for deed in self.deeds if deed.when.write is not None]
        return any(deed.run is not None or deed.when.write == 0 for deed in held)

    @property
    def killed(self) -> bool:
        """Whether a controller is killed, so that the next one must wait for its lease."""
        return self.kills or any("kill" in (deed.do or "") for deed in self.deeds)


def scenarios() -> list[Scenario]:
    """Read all scenarios; those with `afterEach` are told once after each write."""
    found = []
    for file in sorted(set(CASES.glob("*.yaml")) - {COMMITS}):
        for case in yaml.safe_load(file.read_text()):
            found += list(_told(case))
    return found


def _told(case: dict[str, Any]) -> Iterator[Scenario]:
    after = case.pop("afterEach", None)
    yield Scenario.model_validate(case)
    if after is None:
        return
    for phase, names in case["writes"].items():
        for number, name in enumerate(names, 1):
            late = "commit" in names[:number]
            yield _after(case, phase, number, name, after["late" if late else "early"])


def _after(
    case: dict[str, Any], phase: str, number: int, name: str, rest: dict[str, Any]
) -> Scenario:
    when = {"phase": phase, "write": number}
    until = case["tells"].index(phase) + 1
    told = {
        **{key: value for key, value in case.items() if key != "writes"},
        **{key: value for key, value in rest.items() if key not in {"deed", "then"}},
        "claim": f"{rest['claim']} after write {number} of {phase}: {name}",
        "deeds": [{"when": when, **rest["deed"]}],
        "tells": [*case["tells"][:until], *rest["then"]],
    }
    return Scenario.model_validate(told)
