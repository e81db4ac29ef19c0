"""Between JSON on the wire and values: bodies in, objects, lists, tables and refusals out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

import yaml

from rollout.kube.errors import Refused
from rollout.resources.writes import Object
from rollout.sandbox.apiserver.protobuf import MEDIA_TYPE, read_protobuf
from rollout.simulate import refusals
from rollout.simulate.catalog import ApiResource
from rollout.simulate.objects import Json
from rollout.simulate.tables import COLUMNS, PLAIN, Column, table

Form: TypeAlias = Literal["object", "table", "partial"]

YAML_TYPES: Final = ("application/yaml", "application/x-yaml", "text/yaml")


@dataclass(frozen=True)
class Shape:
    """How the client wants answers: whole objects, a table, or metadata only."""

    form: Form = "object"
    include: str = "Metadata"


def wanted_shape(accept: str, include: str) -> Shape:
    """The first form of the Accept header that this server has."""
    for choice in accept.split(","):
        parameters = {part.strip() for part in choice.split(";")[1:]}
        if "as=Table" in parameters:
            return Shape("table", include or "Metadata")
        if parameters & {"as=PartialObjectMetadata", "as=PartialObjectMetadataList"}:
            return Shape("partial")
        if not any(part.startswith("as=") for part in parameters):
            break
    return Shape()


def read_body(content: bytes, content_type: str) -> Any:
    """The JSON (or YAML) of a request. Raises Refused (400, 415)."""
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind in YAML_TYPES:
            return yaml.safe_load(content)
        if kind.endswith("json") or not kind:
            return json.loads(content)
    except (ValueError, yaml.YAMLError) as error:
        raise refusals.bad_request(
            f"couldn't get version/kind; json parse error: {error}"
        ) from error
    if kind == MEDIA_TYPE:
        return read_protobuf(content)
    raise refusals.foreign_media_type()


def status_of(refusal: Refused) -> Json:
    """A refusal as the Status object that goes out."""
    details = dict(refusal.details)
    if refusal.retry_after:
        details["retryAfterSeconds"] = int(refusal.retry_after)
    has_details = details or refusal.message in refusals.GENERIC
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": refusal.message,
        **({"reason": refusal.reason} if refusal.reason else {}),
        **({"details": details} if has_details else {}),
        "code": refusal.status,
    }


def columns_of(api: ApiResource, key: str) -> Sequence[Column]:
    """The columns that `kubectl get` shows of a kind."""
    return api.columns or COLUMNS.get(key, PLAIN)


@dataclass(frozen=True)
class Drawing:
    """The form in which answers go out, and what it takes to draw a table."""

    shape: Shape
    columns: Sequence[Column]
    now: datetime

    def table(self, objects: Sequence[Object], version: str) -> Json:
        """The objects as a Table."""
        drawn = table(self.columns, objects, self.now, include=self.shape.include)
        return {**drawn, "metadata": {"resourceVersion": version}}


def shown(obj: Object, drawing: Drawing) -> Json:
    """One object in the form the client wants."""
    if drawing.shape.form == "table":
        return drawing.table([obj], obj["metadata"]["resourceVersion"])
    return _partial(obj) if drawing.shape.form == "partial" else dict(obj)


def shown_list(api: ApiResource, objects: Sequence[Object], version: str, drawing: Drawing) -> Json:
    """Objects as a list in the form the client wants."""
    if drawing.shape.form == "table":
        return drawing.table(objects, version)
    if drawing.shape.form == "partial":
        return {
            "kind": "PartialObjectMetadataList",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": {"resourceVersion": version},
            "items": [_partial(obj) for obj in objects],
        }
    return {
        "kind": f"{api.resource.kind}List",
        "apiVersion": api.resource.api_version,
        "metadata": {"resourceVersion": version, **({} if api.strategic else {"continue": ""})},
        "items": [_item(api, obj) for obj in objects],
    }


def _item(api: ApiResource, obj: Object) -> Object:
    """Built-in kinds leave `kind` and `apiVersion` out of the items of a list."""
    if not api.strategic:
        return obj
    return {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}


def _partial(obj: Object) -> Json:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj["metadata"],
    }


def flag(query: Mapping[str, str], name: str) -> bool:
    """Whether a query parameter says yes."""
    return query.get(name, "") in ("1", "true", "True")
