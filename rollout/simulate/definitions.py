"""From a CustomResourceDefinition to a kind that is served."""

from collections.abc import Mapping
from typing import Final

import jsonschema

from rollout.resources.writes import Kind, Object, Resource
from rollout.simulate import defaults
from rollout.simulate.catalog import (
    CUSTOM_STATUS_KEEPS,
    ApiResource,
    ScalePaths,
    beyond_metadata_moved,
    beyond_status_moved,
    spec_moved,
)
from rollout.simulate.objects import EMPTY, dig
from rollout.simulate.refusals import FieldError, invalid, required
from rollout.simulate.rules import Rules
from rollout.simulate.schemas import structural_schema
from rollout.simulate.tables import Column, custom_columns
from rollout.simulate.validation.names import metadata, subdomain

DEFINITIONS: Final = "customresourcedefinitions.apiextensions.k8s.io"


def served_kind(definition: Object) -> ApiResource:
    """The kind that a definition brings, in its storage version."""
    spec = definition["spec"]
    names, version = spec["names"], storage_version(spec)
    subresources = version.get("subresources") or EMPTY
    said = version["schema"]["openAPIV3Schema"]
    schema, rules = structural_schema(said), Rules(said)
    has_status = "status" in subresources
    namespaced = spec["scope"] == "Namespaced"

    def validate(new: Object, old: Object | None) -> list[FieldError]:
        found = metadata(new, namespaced=namespaced, custom=True) + schema.errors(new)
        return found or rules.broken(new, old)

    def validate_status(new: Object, old: Object | None) -> list[FieldError]:
        now, before = new.get("status"), (old or EMPTY).get("status")
        return schema.status_errors(new) or rules.field("status").broken(now, before, "status")

    return ApiResource(
        Resource(names["kind"], names["plural"], spec["group"], version["name"], namespaced),
        singular=names["singular"],
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        default=schema.shaped,
        validate=validate,
        validate_status=validate_status,
        default_status=schema.shaped,
        generation_moves=beyond_status_moved if has_status else beyond_metadata_moved,
        initial={} if has_status else None,
        status=has_status,
        status_keeps=CUSTOM_STATUS_KEEPS,
        scale=_scale(subresources.get("scale")),
        unconditional_update=False,
        strategic=False,
        columns=_columns(version),
        schema=said,
        unknown_fields=schema.unknown,
    )


def storage_version(spec: Object) -> Object:
    """The version that is stored; the first, when a broken definition marks none."""
    versions = spec["versions"]
    found: Object = next((each for each in versions if each.get("storage")), versions[0])
    return found


def _columns(version: Object) -> tuple[Column, ...]:
    return custom_columns(version.get("additionalPrinterColumns") or ())


def _scale(given: Mapping[str, str] | None) -> ScalePaths | None:
    if given is None:
        return None
    selector = given.get("labelSelectorPath")
    return ScalePaths(
        _steps(given["specReplicasPath"]),
        _steps(given["statusReplicasPath"]),
        _steps(selector) if selector else None,
    )


def _steps(path: str) -> tuple[str, ...]:
    return tuple(path.removeprefix(".").split("."))


def definition_errors(new: Object, old: Object | None) -> list[FieldError]:
    """What is wrong with a definition."""
    del old
    spec = new["spec"]
    wanted = f"{dig(spec, 'names', 'plural')}.{spec.get('group', '')}"

    def rule(name: str) -> list[str]:
        own = [] if name == wanted else ['must be spec.names.plural+"."+spec.group']
        return subdomain(name) + own

    errors = metadata(new, namespaced=False, rule=rule, custom=True)
    for field in ("group", "scope", "versions"):
        if not spec.get(field):
            errors.append(required(f"spec.{field}"))
    for field in ("plural", "kind"):
        if not dig(spec, "names", field):
            errors.append(required(f"spec.names.{field}"))
    return errors + _version_errors(spec)


def _version_errors(spec: Object) -> list[FieldError]:
    versions = spec.get("versions") or ()
    errors = []
    if sum(bool(version.get("storage")) for version in versions) != 1:
        detail = "must have exactly one version marked as storage version"
        errors.append(invalid("spec.versions", versions, detail))
    for index, version in enumerate(versions):
        field = f"spec.versions[{index}].schema.openAPIV3Schema"
        schema = dig(version, "schema", "openAPIV3Schema")
        if schema is None:
            errors.append(required(field, "schemas are required"))
            continue
        try:
            structural_schema(schema)
        except jsonschema.SchemaError as fault:
            errors.append(invalid(field, "", fault.message))
    return errors


DEFINITION_KIND: Final = ApiResource(
    Kind.CUSTOM_RESOURCE_DEFINITION.value,
    "customresourcedefinition",
    ("crd", "crds"),
    ("api-extensions",),
    default=defaults.custom_resource_definition,
    validate=definition_errors,
    generation_moves=spec_moved,
    status=True,
    unconditional_update=False,
)
