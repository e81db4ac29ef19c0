"""The objects that are written: bodies, and a comment at each field that was guessed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from rollout.convert.ledger import Path
from rollout.report.commented import comment


class _Plain(yaml.SafeDumper):
    """Writes equal parts out instead of naming them once."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - of no value
        """Say that nothing is referred to."""
        return True


def _lines(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    """Write a text of several lines as it is read."""
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Plain.add_representer(str, _lines)


@dataclass
class Draft:
    """One object in the making."""

    body: dict[str, Any]
    notes: dict[Path, str] = field(default_factory=dict)
    origin: str = ""
    """The object that it comes from."""

    @property
    def kind(self) -> str:
        """What kind of object it is."""
        return str(self.body["kind"])

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.body["metadata"]["name"])

    def note(self, text: str, *path: str | int) -> None:
        """Say something about a field; what was said before stays."""
        before = self.notes.get(path)
        if before is None or text not in before:
            self.notes[path] = f"{before} {text}" if before else text


def text(drafts: Sequence[Draft]) -> str:
    """Word objects as YAML with their comments, in the order to apply."""
    return "".join(f"---\n{_worded(draft)}" for draft in drafts)


def _worded(draft: Draft) -> str:
    plain: str = yaml.dump(
        draft.body, Dumper=_Plain, sort_keys=False, width=10_000, allow_unicode=True
    )
    lines = plain.splitlines()
    root = yaml.compose(plain, Loader=yaml.SafeLoader)
    above: dict[int, list[str]] = {}
    for path, said in draft.notes.items():
        line = _line(root, path)
        indent = len(lines[line]) - len(lines[line].lstrip())
        above.setdefault(line, []).extend(comment(said, indent))
    head = list(comment(f"From {draft.origin}.")) if draft.origin else []
    told = [one for i, line in enumerate(lines) for one in (*above.get(i, ()), line)]
    return "\n".join((*head, *told)) + "\n"


def _line(node: yaml.Node | None, path: Path) -> int:
    """Find the line of a field, or of the nearest one above it that is written."""
    line = node.start_mark.line if node is not None else 0
    for part in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == part), None)
            if found is None:
                return line
            line, node = found[0].start_mark.line, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line
    return line
