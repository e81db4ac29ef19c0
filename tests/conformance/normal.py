"""Takes out of answers what differs from run to run, and keeps what it meant.

| in an answer | in a recording |
|---|---|
| name of the case's namespace | `{ns}` |
| uid | `<uid 2>`: the second object seen in the case |
| resourceVersion of an object | `<version 3>`: the third one *of this object* |
| resourceVersion of a list or bookmark | `<list version>` |
| pod-template-hash, everywhere | `<hash 2>`: the second template seen in the case |
| end of a generated name | `<suffix>` |
| times, node ports | `<time>`, `<node port>` |
| addresses | `<cluster ip>`, `<pod ip>` |
| ages in tables | `<age>` |

`managedFields` and the descriptions of tables' columns are left out. Where controllers act, uids
and versions of objects lose their numbers and lists are sorted, because several things happen at
once. The hash is the same in every run, but it is taken over Go's own printing of a Go structure,
so another implementation has other ones.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

DROPPED: Final = frozenset(
    {
        "managedFields",
        "storageVersionHash",
        "selfLink",
        "endpoints.kubernetes.io/last-change-trigger-time",
    }
)
HASH_LABEL: Final = "pod-template-hash"
SUFFIX: Final = r"[bcdfghjklmnpqrstvwxz2456789]{5}"
UID: Final = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
FIXED: Final = (
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"), "<time>"),
    (re.compile(r"\b10\.244\.\d+\.\d+\b"), "<pod ip>"),
    (re.compile(r"\b10\.0\.\d+\.\d+\b"), "<cluster ip>"),
)
VERSIONS: Final = (
    re.compile(r"(?<=ResourceVersion in the precondition \()\d+"),
    re.compile(r"(?<=ResourceVersion in record \()\d+"),
    re.compile(r"(?<=too old resource version: )\d+ \(\d+\)"),
)
"""Where a sentence has a version in it."""
SORTED: Final = frozenset({"endpoints", "conditions", "verbs"})
SORTED_BESIDE_CONTROLLERS: Final = frozenset({"items", "rows"})


class Normaliser:
    """Learns from all answers of one case, then rewrites them."""

    def __init__(self, namespace: str, *, controllers: bool) -> None:
        self._namespace = namespace
        self._controllers = controllers
        self._uids: list[str] = []
        self._hashes: list[str] = []
        self._names: dict[str, str] = {}
        self._versions: dict[str, set[int]] = {}

    def learn(self, answer: Any) -> None:
        """See an answer, recorded or not; to be called in the order of the answers."""
        for thing in sorted(_objects(answer), key=_age):
            metadata = thing["metadata"]
            self._learn_metadata(metadata)
            if template_hash := _labels(metadata).get(HASH_LABEL):
                _remember(self._hashes, template_hash)

    def _learn_metadata(self, metadata: Mapping[str, Any]) -> None:
        uid, version = metadata.get("uid"), metadata.get("resourceVersion")
        if uid:
            _remember(self._uids, uid)
            if version:
                self._versions.setdefault(uid, set()).add(int(version))
        prefix, name = metadata.get("generateName"), metadata.get("name", "")
        if prefix and name.startswith(prefix):
            self._names[name] = f"{prefix}<suffix>"

    def normal(self, value: Any, key: str = "", uid: str = "") -> Any:
        """The value as it is recorded; `key` is what it is the value of, `uid` whose it is."""
        if isinstance(value, dict):
            return self._mapping(value, key, uid)
        if isinstance(value, list):
            return self._list(value, key, uid)
        if key == "resourceVersion" and isinstance(value, str):
            return self._version(value, uid)
        if key in {"nodePort", "healthCheckNodePort"} and value:
            return "<node port>"
        if isinstance(value, str):
            return self._text(value)
        return value

    def _mapping(self, value: Mapping[str, Any], key: str, uid: str) -> dict[str, Any]:
        if value.get("kind") == "Table":
            value = _plain_table(value)
        elif value.get("kind") == "Status":
            value = _ordered_causes(value)
        owner = value.get("uid", "") if key == "metadata" else uid
        return {
            name: self.normal(entry, name, owner)
            for name, entry in value.items()
            if name not in DROPPED and not _is_dropped(name, entry)
        }

    def _list(self, value: list[Any], key: str, uid: str) -> list[Any]:
        entries = [self.normal(entry, "", uid) for entry in value]
        if key in SORTED or (key in SORTED_BESIDE_CONTROLLERS and self._controllers):
            return sorted(entries, key=lambda entry: json.dumps(entry, sort_keys=True))
        return entries

    def _version(self, value: str, uid: str) -> str:
        if not uid:
            return "<list version>" if value else value
        if self._controllers:
            return "<version>"
        known = sorted(self._versions.get(uid, ()))
        return f"<version {known.index(int(value)) + 1}>" if int(value) in known else "<version ?>"

    def _text(self, text: str) -> str:
        text = text.replace(self._namespace, "{ns}")
        for name, general in self._names.items():
            text = text.replace(name, general)
        for number, template_hash in enumerate(self._hashes, start=1):
            text = re.sub(rf"-{template_hash}-{SUFFIX}\b", f"-{template_hash}-<suffix>", text)
            text = re.sub(rf"\b{template_hash}\b", f"<hash {number}>", text)
        text = UID.sub(lambda found: self._uid(found[0]), text)
        for pattern, replacement in FIXED:
            text = pattern.sub(replacement, text)
        for pattern in VERSIONS:
            text = pattern.sub("<version>", text)
        return text

    def _uid(self, uid: str) -> str:
        if self._controllers or uid not in self._uids:
            return "<uid>"
        return f"<uid {self._uids.index(uid) + 1}>"


def _is_dropped(name: str, entry: Any) -> bool:
    """Whether nothing would be left of these annotations."""
    return name == "annotations" and bool(entry) and set(entry) <= DROPPED


def _ordered_causes(status: Mapping[str, Any]) -> Mapping[str, Any]:
    """A refusal with its causes in order of their names: a schema is checked in any order."""
    details = status.get("details") or {}
    causes = sorted(details.get("causes") or (), key=_cause_order)
    if len(causes) < 2:
        return status
    listed = ", ".join(f"{cause.get('field')}: {cause['message']}" for cause in causes)
    head = status["message"].partition("is invalid: ")[0]
    message = f"{head}is invalid: [{listed}]"
    return {**status, "message": message, "details": {**details, "causes": causes}}


def _cause_order(cause: Mapping[str, str]) -> tuple[str, str]:
    return cause.get("field", ""), cause.get("message", "")


def _plain_table(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table without the columns' descriptions and without the ages in its cells."""
    columns = table.get("columnDefinitions") or []
    ages = {number for number, column in enumerate(columns) if column["name"] == "Age"}
    return {
        **table,
        "columnDefinitions": [
            {key: value for key, value in column.items() if key != "description"}
            for column in columns
        ],
        "rows": [
            {
                **row,
                "cells": [
                    "<age>" if number in ages else cell for number, cell in enumerate(row["cells"])
                ],
            }
            for row in table["rows"]
        ],
    }


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every Kubernetes object within an answer: itself, items of a list, rows, events."""
    if isinstance(value, dict):
        if isinstance(value.get("metadata"), dict):
            yield value
        for entry in value.values():
            yield from _objects(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _objects(entry)


def _age(thing: Mapping[str, Any]) -> str:
    """So that of two templates seen at once the older is the first."""
    return str(thing["metadata"].get("creationTimestamp") or "")


def _labels(metadata: Mapping[str, Any]) -> Mapping[str, str]:
    return metadata.get("labels") or {}


def _remember(known: list[str], value: str) -> None:
    if value not in known:
        known.append(value)
