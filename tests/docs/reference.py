"""Writes the reference pages from the code, so that they cannot lie: commands, kinds, HTTP API.

`python -m tests.docs.reference` writes `docs/reference/`; a test fails when a committed page
differs.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from typer.main import get_command

from rollout.cli.app import app
from rollout.resources.crd import definitions
from rollout.server.app import document
from tests.docs import api_reference
from tests.docs.tables import table

FOLDER: Final = Path(__file__).parents[2] / "docs" / "reference"
EXAMPLES: Final = re.compile(r"^Examples?:$", re.MULTILINE)
"""The line that ends what a help text says of its command; the word may be in that as well."""
HEAD: Final = "<!-- Written by `python -m tests.docs.reference`: change the code instead. -->\n"


def pages() -> dict[str, str]:
    """Give each page by its file's name."""
    made = {"cli.md": cli(), "kinds.md": kinds(), "api.md": api_reference.lines(document())}
    texts = {name: "\n".join(lines).rstrip() for name, lines in made.items()}
    return {name: f"{HEAD}\n{text}\n" for name, text in texts.items()}


def cli() -> Iterator[str]:
    """Every command, with its help, its examples and its options."""
    yield "# Commands"
    yield "\nWhat each is for is in [the overview](../cli.md), which has the exit codes too."
    for name, command in commands(get_command(app), "rollout"):
        about, shown = parts(plain(command.help))
        yield f"\n## {name}\n\n{about}"
        if shown:
            yield "\n```sh\n" + "\n".join(shown) + "\n```"
        rows = [parameter(one) for one in command.params if one.name != "help"]
        yield from table(("argument or option", "what it is"), rows)


def parts(help_text: str) -> tuple[str, list[str]]:
    """Tell what a help text says of its command from its examples."""
    about, *examples = EXAMPLES.split(help_text, maxsplit=1)
    lines = "".join(examples).splitlines()
    return about.strip(), [line.strip() for line in lines if line.strip()]


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
            yield from table(("field", "what it is"), rows)


def fields(schema: dict[str, Any], path: str) -> Iterator[tuple[str, ...]]:
    """Every field below a path, the outer before the inner."""
    needed = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        here = f"{path}.{name}"
        default = f"default `{json.dumps(field['default'])}`" if "default" in field else ""
        needs = [kind(field), "required" if name in needed else default]
        about = f"{field.get('description', '')} ({', '.join(filter(None, needs))})"
        yield f"`{here}`", about
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


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text)
