"""Records the fields of the kinds of Argo Rollouts and Flagger, out of their own definitions.

`python -m tests.convert.record_fields` is run by hand, not in CI: it has Go fetch both modules and
writes a line for each field of a spec, with its type, to tests/convert/fields/. Pod templates are
left out below their first field, as they are Kubernetes' own.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from tests.convert.upstream import ARGO, FLAGGER, folder

FIELDS: Final = Path(__file__).with_name("fields")
DEFINITIONS: Final = {
    "argo-rollouts": (ARGO, "manifests/crds"),
    "flagger": (FLAGGER, "artifacts/flagger"),
}
KINDS: Final = ("Rollout", "AnalysisTemplate", "Canary", "MetricTemplate")
WHOLE: Final = ("template", "job", "jsonBody")
"""Fields that hold objects of somebody else."""


def main() -> None:
    """Record the fields anew."""
    for name, (module, inside) in DEFINITIONS.items():
        files = sorted((folder(module) / inside).glob("*.yaml"))
        lines = sorted({line for file in files for line in lines_of(file)})
        head = f"# Fields of {module}: `python -m tests.convert.record_fields`.\n"
        (FIELDS / f"{name}.txt").write_text(head + "\n".join(lines) + "\n")


def lines_of(file: Path) -> Iterator[str]:
    """Give a line for each field: kind, path, type."""
    for definition in yaml.safe_load_all(file.read_text()):
        if not definition or definition.get("kind") != "CustomResourceDefinition":
            continue
        kind = definition["spec"]["names"]["kind"]
        if kind in KINDS:
            schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
            for path, type_ in fields(schema["properties"]["spec"], "spec"):
                yield f"{kind} {path} {type_}"


def fields(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Give the leaves of a schema; `[]` stands for each item of a list."""
    inner = schema.get("items")
    if isinstance(inner, Mapping) and inner.get("properties"):
        yield from fields(inner, f"{path}[]")
    elif schema.get("properties") and path.rpartition(".")[2] not in WHOLE:
        for key, value in schema["properties"].items():
            yield from fields(value, f"{path}.{key}")
    else:
        yield path, schema.get("type") or "any"


if __name__ == "__main__":
    main()
