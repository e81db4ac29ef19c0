"""Writes the reference pages from the code, so that they cannot lie: commands, kinds, HTTP API.

`python -m tests.docs.reference` writes `docs/reference/`; a test fails when a committed page
differs.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from typer.main import get_command

from rollout.cli.app import app
from rollout.resources.crd import definitions
from rollout.server.app import document

FOLDER: Final = Path(__file__).parents[2] / "docs" / "reference"
HEAD: Final = "<!-- Written by `python -m tests.docs.reference`: change the code instead. -->\n"


def pages() -> dict[str, str]:
    """Give each page by its file's name."""
    made = {"cli.md": cli(), "kinds.md": kinds(), "api.md": api()}
    texts = {name: "\n".join(lines).rstrip() for name, lines in made.items()}
    return {name: f"{HEAD}\n{text}\n" for name, text in texts.items()}


def cli() -> Iterator[str]:
    """Every command, with its help, its examples and its options."""
    yield "# Commands"
    yield "\nWhat each is for is in [the overview](../cli.md), which has the exit codes too."
    for name, command in commands(get_command(app), "rollout"):
        about, _, examples = plain(command.help).partition("Example")
        yield f"\n## {name}\n\n{about.strip()}"
        shown = [line.strip() for line in examples.splitlines()[1:] if line.strip()]
        if shown:
            yield "\n```sh\n" + "\n".join(shown) + "\n```"
        rows = [parameter(one) for one in command.params if one.name != "help"]
        yield from table(("argument or option", "what it is"), rows)


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Every command that does something, by what people type."""
    inner: dict[str, Any] = getattr(command, "commands", {})
    for word, found in inner.items():
        yield from commands(found, f"{name} {word}")
    if not inner:
        yield name, command


def plain(text: str | None) -> str:
    """Drop the mark with which a help text keeps its lines apart."""
    return (text or "").replace("\b", "")


def parameter(one: Any) -> tuple[str, str]:
    """Word an argument or an option."""
    if one.param_type_name == "argument":
        return f"`{one.name.upper()}`", plain(one.help)
    return ", ".join(f"`{name}`" for name in one.opts), plain(one.help)


def kinds() -> Iterator[str]:
    """Every field of our kinds, as `kubectl explain` has them."""
    yield "# Kinds"
    yield "\nOf `rollout.dev/v1alpha1`, as `kubectl explain` tells of them in a cluster."
    for definition in definitions():
        (version,) = definition["spec"]["versions"]
        schema = version["schema"]["openAPIV3Schema"]
        yield f"\n## {definition['spec']['names']['kind']}\n\n{schema['description']}"
        for part in ("spec", "status"):
            rows = list(fields(schema["properties"][part], part))
            yield from table(("field", "type", "default", "what it is"), rows)


def fields(schema: dict[str, Any], path: str) -> Iterator[tuple[str, ...]]:
    """Every field below a path, the outer before the inner."""
    needed = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        here = f"{path}.{name}"
        default = f"`{json.dumps(field['default'])}`" if "default" in field else ""
        shown = "required" if name in needed else default
        yield f"`{here}`", kind(field), shown, field.get("description", "")
        inner = field.get("items") or field.get("additionalProperties") or field
        mark = "[]" if "items" in field else ".*" if "additionalProperties" in field else ""
        if isinstance(inner, dict):
            yield from fields(inner, f"{here}{mark}")


def kind(field: dict[str, Any]) -> str:
    """Name the type of a field, or the words that it may be."""
    if "enum" in field:
        return ", ".join(f"`{word}`" for word in field["enum"])
    if "items" in field:
        return f"list of {field['items'].get('type', 'anything')}"
    return str(field.get("format") or field.get("type") or "integer or string")


def api() -> Iterator[str]:
    """Every path of the HTTP API, with what it takes and what it answers."""
    found = document()
    yield f"# HTTP API\n\n{found['info'].get('description', '')}".rstrip()
    yield "\nHow it is used is in [the guide](../api.md)."
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            yield f"\n## {method.upper()} {path}\n\n{operation.get('summary', '')}".rstrip()
            yield "\n" + operation.get("description", "").strip()
            taken = [
                (f"`{one['name']}`", one["in"], one.get("description", ""))
                for one in operation.get("parameters", ())
            ]
            yield from table(("parameter", "in", "what it is"), taken)
            answered = [(code, one["description"]) for code, one in operation["responses"].items()]
            yield from table(("answer", "what it means"), answered)


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Draw a table; nothing where it would be empty."""
    if not rows:
        return
    yield f"\n| {' | '.join(head)} |\n|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell(text) for text in row)} |"


def cell(text: str) -> str:
    """Put a text into one line that no column ends in the middle of."""
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text)
