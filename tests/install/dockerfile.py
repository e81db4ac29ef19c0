"""The Dockerfile as values: what its stages run, and what the image starts.

Only what our own file uses is understood; anything else is an error, so that the image that the
tests play can not drift from the one that people build.
"""

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any


@dataclass
class Stage:
    """One stage: commands of the build, and the settings of what runs."""

    name: str
    base: str
    """What it is made from."""
    workdir: str = "/"
    steps: list[tuple[str, str]] = field(default_factory=list)
    """RUN with its command, COPY with source and target; in order."""
    environment: dict[str, str] = field(default_factory=dict)
    user: str = ""
    words: dict[str, Any] = field(default_factory=dict)
    """ENTRYPOINT, CMD and HEALTHCHECK as lists of words."""
    labels: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    """What a build may be told, as it is when nothing is said."""


def stages(file: Path) -> list[Stage]:
    """Read a Dockerfile. Raises ValueError for what is not understood."""
    found: list[Stage] = []
    before: dict[str, str] = {}
    for instruction, rest in _instructions(file.read_text()):
        if instruction == "FROM":
            base, _, name = rest.partition(" AS ")
            found.append(Stage(name, Template(base).substitute(before)))
        elif not found:
            before |= _argument(instruction, rest)
        else:
            _take(found[-1], instruction, rest)
    return found


def _argument(instruction: str, rest: str) -> dict[str, str]:
    if instruction != "ARG":
        raise ValueError(f"{instruction}: what does it say before FROM?")
    name, _, value = rest.partition("=")
    return {name: value}


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            instruction, _, rest = line.partition(" ")
            yield instruction, rest.strip()


def _take(stage: Stage, instruction: str, rest: str) -> None:
    match instruction:
        case "WORKDIR":
            stage.workdir = rest
        case "RUN":
            stage.steps.append((instruction, _without_options(rest)))
        case "COPY":
            stage.steps.append((instruction, rest))
        case "ENV":
            stage.environment |= _pairs(stage, rest)
        case "USER":
            stage.user = rest
        case "ENTRYPOINT" | "CMD":
            stage.words[instruction] = json.loads(rest)
        case "HEALTHCHECK":
            stage.words[instruction] = json.loads(rest[rest.index("CMD ") + 4 :])
        case "ARG" | "LABEL":
            _tell(stage, instruction, rest)
        case _ if instruction != "EXPOSE":
            raise ValueError(f"{instruction}: teach tests/install to play it, or do without")


def _tell(stage: Stage, instruction: str, rest: str) -> None:
    if instruction == "ARG":
        stage.arguments |= _argument(instruction, rest)
    else:
        stage.labels |= _pairs(stage, rest)


def _pairs(stage: Stage, rest: str) -> dict[str, str]:
    said = Template(rest).substitute(stage.arguments)
    return dict(word.split("=", 1) for word in shlex.split(said))


def _without_options(command: str) -> str:
    """Leave `--mount=...` out: the cache of pip is this machine's own."""
    words = command.split(" ")
    while words[0].startswith("--"):
        words.pop(0)
    return " ".join(words).strip()
