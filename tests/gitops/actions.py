"""Puts the Lua of the actions together as argocd-cm wants it: one YAML text for each kind.

`python -m tests.gitops.actions` writes `manifests/argocd/settings/actions/*.yaml`, which a test
holds to the Lua beside them.
"""

from pathlib import Path
from typing import Any, Final

import yaml

FOLDER: Final = Path(__file__).parents[2] / "manifests" / "argocd" / "settings" / "actions"
ASKED: Final = ("promote", "promoteFull", "pause", "resume", "rollback")
HEAD: Final = "# Written by `python -m tests.gitops.actions` from the Lua in this folder.\n"


class _Text(str):
    """A text that is written line by line."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Writes such texts."""


_Dumper.add_representer(
    _Text, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")
)


def documents() -> dict[str, str]:
    """Give the text of each file by its name."""
    asks = [
        _definition(asked, f'local asked = "{asked}"\n' + _lua("release-ask")) for asked in ASKED
    ]
    retry = [_definition("retry", _lua("rollout-retry"))]
    return {
        "release.yaml": _document("release-discovery", asks),
        "rollout.yaml": _document("rollout-discovery", retry),
    }


def _lua(name: str) -> str:
    return (FOLDER / f"{name}.lua").read_text()


def _definition(name: str, lua: str) -> dict[str, Any]:
    return {"name": name, "action.lua": _Text(lua)}


def _document(discovery: str, definitions: list[dict[str, Any]]) -> str:
    body = {"discovery.lua": _Text(_lua(discovery)), "definitions": definitions}
    return HEAD + yaml.dump(body, Dumper=_Dumper, sort_keys=False, width=1000)


def main() -> None:
    """Write them."""
    for name, text in documents().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
