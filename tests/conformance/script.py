"""Conversations with an API server, as data that a person can read.

A file `cases/<topic>.yaml` has:

    about: One sentence on the topic.
    controllers: false            # true: Deployments and the like move by themselves meanwhile
    objects: {...}                # YAML anchors for bodies; not read otherwise
    before: [...]                 # steps ahead of each case
    after: [...]                  # steps behind each case, whatever came of it; not recorded
    cases:
      - name: a stale resourceVersion is a conflict
        steps: [...]

Each case has a namespace of its own. `{ns}` stands for its name in every text of a step, `{x}` for
what an earlier step saved as `x`. A step is one of:

    request: POST /api/v1/namespaces/{ns}/configmaps
      body: {...}                 # for PATCH see type
      type: merge                 # merge, strategic, json, apply, or a whole content type
      accept: ...                 # Accept header
      token: ...                  # instead of the right one
      code: 409                   # expected status; without it, any success
      save: {old: metadata.resourceVersion}
      show: [metadata.generation, spec.replicas]   # record these paths only
      hide: true                  # record nothing
      only: [deployments, pods]   # of lists of resources (discovery): these entries

    watch: /api/v1/namespaces/{ns}/configmaps?resourceVersion={old}
      events: 3                   # read so many, or until the server ends the watch
      show: [...]                 # of each event's object
      accept, code                # as above

    until: /apis/apps/v1/namespaces/{ns}/deployments/web
      has: {status.readyReplicas: 2}   # wait for it; of a list, `items.length`
      within: 20                  # seconds

    kubelet: ready                # play the node's part: see player.py
      pods: app=web               # label selector
      count: 2                    # exactly so many must come to need it

    settled: [deployments, pods]  # wait until nothing moves, then record these (or nothing: [])

    pause: 1.5                    # seconds
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

FOLDER: Final = Path(__file__).parent / "cases"
CONTENT_TYPES: Final[Mapping[str, str]] = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}


class ScriptError(Exception):
    """A case file is not as described above; the message names file, case and key."""


@dataclass(frozen=True)
class Request:
    """One request and its answer."""

    request: str
    """Verb and address."""
    body: Any = None
    type: str = "application/json"
    accept: str = "application/json"
    token: str | None = None
    code: int | None = None
    save: Mapping[str, str] = field(default_factory=dict)
    show: Sequence[str] = ()
    hide: bool = False
    only: Sequence[str] = ()

    @property
    def content_type(self) -> str:
        """Value of the Content-Type header."""
        return CONTENT_TYPES.get(self.type, self.type)


@dataclass(frozen=True)
class Watch:
    """A watch, read until enough events came or the server ended it."""

    watch: str
    events: int
    show: Sequence[str] = ()
    accept: str = "application/json"
    code: int | None = None


@dataclass(frozen=True)
class Until:
    """Wait until an object has these values."""

    until: str
    has: Mapping[str, Any]
    within: float = 20.0


@dataclass(frozen=True)
class Kubelet:
    """What a node would do with some pods."""

    kubelet: str
    """`ready`, `unready`, `delete` or `gone`."""
    pods: str
    count: int
    within: float = 20.0


@dataclass(frozen=True)
class Settled:
    """Wait until the namespace is at rest, then record these collections."""

    settled: Sequence[str]


@dataclass(frozen=True)
class Pause:
    """Let time go by."""

    pause: float


Step: TypeAlias = Request | Watch | Until | Kubelet | Settled | Pause
STEPS: Final[Mapping[str, type[Step]]] = {
    "request": Request,
    "watch": Watch,
    "until": Until,
    "kubelet": Kubelet,
    "settled": Settled,
    "pause": Pause,
}


@dataclass(frozen=True)
class Case:
    """One conversation."""

    file: str
    """Name of its file without ending: the topic."""
    name: str
    controllers: bool
    """Whether controllers act meanwhile; then the order of versions and names is not compared."""
    steps: tuple[Step, ...]
    after: tuple[Step, ...] = ()


def load_cases(folder: Path = FOLDER) -> tuple[Case, ...]:
    """All cases of all files, in the order of the files' names.

    Raises:
        ScriptError: a file is not as described.

    """
    return tuple(case for path in sorted(folder.glob("*.yaml")) for case in _load(path))


def _load(path: Path) -> list[Case]:
    document = yaml.safe_load(path.read_text())
    before = document.get("before", [])
    return [
        Case(
            file=path.stem,
            name=case["name"],
            controllers=document.get("controllers", False),
            steps=_steps([*before, *case["steps"]], f"{path.name}: {case['name']}"),
            after=_steps(document.get("after", []), f"{path.name}: after"),
        )
        for case in document["cases"]
    ]


def _steps(steps: Sequence[Mapping[str, Any]], where: str) -> tuple[Step, ...]:
    return tuple(_step(step, where) for step in steps)


def _step(step: Mapping[str, Any], where: str) -> Step:
    kinds = [kind for name, kind in STEPS.items() if name in step]
    if len(kinds) != 1:
        raise ScriptError(f"{where}: a step has exactly one of {', '.join(STEPS)}: {step}")
    try:
        return kinds[0](**step)
    except TypeError as error:
        raise ScriptError(f"{where}: {error} in {step}") from error
