"""The rules of our own kinds, as our models hold them: CEL itself is not evaluated here."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from rollout.resources.faults import Location, found, path, worded
from rollout.resources.image import NOT_A_VERSION, version_fault
from rollout.resources.model import Model
from rollout.resources.policy import RolloutPolicy
from rollout.resources.release import Release
from rollout.resources.rollout import Rollout
from rollout.resources.words import GROUP
from rollout.resources.writes import Object
from rollout.simulate.objects import EMPTY, dig
from rollout.simulate.refusals import FieldError

MODELS: Final[Mapping[str, type[Model]]] = {
    "Rollout": Rollout,
    "Release": Release,
    "RolloutPolicy": RolloutPolicy,
}
RULES: Final = "x-kubernetes-validations"


def broken(new: Object, old: Object | None, schema: Object) -> list[FieldError]:
    """What our rules have against an object that its schema takes; nothing for other kinds."""
    group, kind = str(new.get("apiVersion", "")).partition("/")[0], str(new.get("kind"))
    if group != GROUP or kind not in MODELS:
        return []
    return [
        FieldError("FieldValueInvalid", path(place), f'Invalid value: "object": {said}')
        for place, said in (*_of_model(new, MODELS[kind], schema), *_of_version(new, old))
    ]


def _of_model(new: Object, model: type[Model], schema: Object) -> Iterator[tuple[Location, str]]:
    """Give what the model says where the schema has rules; elsewhere it may know more than it."""
    try:
        model.model_validate({key: value for key, value in new.items() if key != "status"})
    except ValidationError as error:
        for place, fault in found(error):
            if fault["type"] == "value_error" and RULES in _at(schema, place):
                yield place, worded(fault)


def _at(schema: Any, place: Location) -> Mapping[str, Any]:
    for part in place:
        inner = schema.get("items") if isinstance(part, int) else None
        schema = inner or (schema.get("properties") or EMPTY).get(str(part)) or EMPTY
    return dict(schema)


def _of_version(new: Object, old: Object | None) -> Iterator[tuple[Location, str]]:
    """Hold a new Release to an image; models do not, for those that were there before the rule."""
    version = dig(new, "spec", "version")
    if old is None and new["kind"] == "Release" and version and version_fault(version):
        yield ("spec",), NOT_A_VERSION
