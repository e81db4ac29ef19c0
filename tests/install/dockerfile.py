"""The Dockerfile as values: what its stages run, and what the image starts.

Only what our own file uses is understood; anything else is an error, so that the image that the
tests play can not drift from the one that people build.
"""

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Stage:
    """One stage: commands of the build, and the settings of what runs."""

    name: str
    workdir: str = "/"
    steps: list[tuple[str, str]] = field(default_factory=list)
    """RUN with its command, COPY with source and target; in order."""
    environment: dict[str, str] = field(default_factory=dict)
    user: str = ""
    words: dict[str, Any] = field(default_factory=dict)
    """ENTRYPOINT, CMD and HEALTHCHECK as lists of words."""


def stages(file: Path) -> list[Stage]:
    """Read a Dockerfile. Raises ValueError for what is not understood."""
    found: list[Stage] = []
    for instruction, rest in _instructions(file.read_text()):
        if instruction == "FROM":
            found.append(Stage(rest.partition(" AS ")[2]))
        else:
            _take(found[-1], instruction, rest)
    return found


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
            stage.environment |= dict(word.split("=", 1) for word in shlex.split(rest))
        case "USER":
            stage.user = rest
        case "ENTRYPOINT" | "CMD":
            stage.words[instruction] = json.loads(rest)
        case "HEALTHCHECK":
            stage.words[instruction] = json.loads(rest[rest.index("CMD ") + 4 :])
        case "EXPOSE":
            pass
        case _:
            raise ValueError(f"{instruction}: teach tests/install to play it, or do without")


def _without_options(command: str) -> str:
    """Leave `--mount=...` out: the cache of pip is this machine's own."""
    words = command.split(" ")
    while words[0].startswith("--"):
        words.pop(0)
    return " ".join(words).strip()
