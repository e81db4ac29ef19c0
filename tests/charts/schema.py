"""What the values of the chart gemini-agent take from our CRDs: `python -m tests.charts.schema`.

So that Helm refuses a misspelt step as it refuses any other value, before anything is sent.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from rollout.resources.crd import definitions
from tests.install.installed import ROOT

Schema: TypeAlias = dict[str, Any]
FILE: Final = ROOT / "manifests" / "charts" / "gemini-agent" / "values.schema.json"


def drawn() -> dict[str, Schema]:
    """Give the parts by their names below `$defs`."""
    specs = {one["spec"]["names"]["kind"]: _spec(one) for one in definitions()}
    strategy = specs["Rollout"]["properties"]["strategy"]
    return {"strategy": _strict(strategy), "policy": _strict(specs["RolloutPolicy"])}


def _spec(definition: Mapping[str, Any]) -> Schema:
    (version,) = definition["spec"]["versions"]
    found: Schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return found


def _strict(schema: Schema) -> Schema:
    """Leave out what only an API server reads, and let no field be that is not named."""
    found = {key: value for key, value in schema.items() if not key.startswith("x-kubernetes-")}
    found.pop("default", None)
    if "properties" in found:
        fields = found["properties"].items()
        found["properties"] = {name: _strict(field) for name, field in fields}
        found.setdefault("additionalProperties", False)
    for key in ("items", "additionalProperties"):
        if isinstance(found.get(key), dict):
            found[key] = _strict(found[key])
    return found


def main() -> None:
    """Write them into the file."""
    whole = json.loads(FILE.read_text())
    whole["$defs"] |= drawn()
    FILE.write_text(json.dumps(whole, indent=2) + "\n")


if __name__ == "__main__":
    main()
