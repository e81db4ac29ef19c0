"""Whether a body is what its path says, and what the options of a deletion say."""

import json
from collections.abc import Mapping
from typing import Any, Final

from rollout.kube.errors import Refused
from rollout.resources.writes import Object
from rollout.sandbox.apiserver.asks import Ask
from rollout.simulate import refusals
from rollout.simulate.decoding import decoded, strict_error
from rollout.simulate.objects import EMPTY, dig
from rollout.simulate.registry import DeleteOptions

SHOWN: Final = 30
"""Characters of a body that is not recognised, in the real server's sentence."""


def checked(ask: Ask, body: Any, *, named: bool) -> Object:
    """The body, if it is an object of the kind, namespace and name of the path.

    Raises Refused (400).
    """
    resource = ask.view.resource
    if not isinstance(body, Mapping):
        raise refusals.bad_request("the body is no JSON object")
    kind, version = body.get("kind"), body.get("apiVersion")
    if (kind, version) not in ((resource.kind, resource.api_version), (None, None)):
        raise refusals.bad_request(
            f"{kind} in version {_quoted(version)} cannot be handled as a {resource.kind}: no kind "
            f"{_quoted(kind)} is registered for version {_quoted(version)} at this path"
        )
    if kind is None and ask.view.api.unknown_fields is not None:
        raise _unrecognised(resource.kind, body)
    _check_place(ask, body, named=named)
    return body


def _unrecognised(kind: str, body: Object) -> Refused:
    """Custom kinds must say what they are; of others the path is enough."""
    said = json.dumps(body)
    start = said if len(said) <= SHOWN else f"{said[:SHOWN]} ..."
    return refusals.bad_request(
        f"the object provided is unrecognized (must be of type {kind}): "
        f"Object 'Kind' is missing in '{said}' ({start})"
    )


def _quoted(text: Any) -> str:
    return f'"{text}"'


def _check_place(ask: Ask, body: Object, *, named: bool) -> None:
    if not isinstance(body.get("metadata", {}), Mapping):
        raise refusals.bad_request("metadata must be an object")
    namespace = dig(body, "metadata", "namespace")
    if namespace and ask.view.api.resource.namespaced and namespace != ask.namespace:
        raise refusals.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    name = dig(body, "metadata", "name")
    if named and name != ask.target.name:
        raise refusals.bad_request(
            f"the name of the object ({name or ''}) does not match the name on the URL "
            f"({ask.target.name})"
        )


def read_object(ask: Ask, obj: Object, known: Object = EMPTY) -> Object:
    """The object as its kind has it, without what the kind does not know.

    Raises Refused (400) for wrong types and, where the client wants it so, for unknown fields.
    """
    read, unknown = decoded(ask.view.api.named(obj), known)
    if ask.view.api.unknown_fields is not None:
        unknown = ask.view.api.unknown_fields(obj)
    if unknown and ask.query.get("fieldValidation") == "Strict":
        resource = ask.view.resource
        raise refusals.bad_request(strict_error(resource.kind, resource.api_version, unknown))
    if ask.query.get("fieldValidation") != "Ignore":
        ask.warnings.extend(f'unknown field "{name}"' for name in unknown)
    return read


def read_patched(ask: Ask, obj: Object, known: Object) -> Object:
    """What a patch has made, as its kind has it. Raises Invalid, for it is the patch's fault."""
    try:
        return read_object(ask, obj, known)
    except Refused as refusal:
        raise refusals.broken_patch(ask.body, refusal.message) from refusal


def delete_options(ask: Ask) -> DeleteOptions:
    """Options of a deletion, from the body or else from the query. Raises Refused (400)."""
    body: Mapping[str, Any] = ask.body if isinstance(ask.body, Mapping) else {}
    conditions = body.get("preconditions") or {}
    grace = body.get("gracePeriodSeconds", ask.query.get("gracePeriodSeconds"))
    propagation = body.get("propagationPolicy") or ask.query.get("propagationPolicy")
    orphan = body.get("orphanDependents")
    if propagation is None and orphan is not None:
        propagation = "Orphan" if orphan else "Background"
    return DeleteOptions(
        uid=conditions.get("uid"),
        resource_version=conditions.get("resourceVersion"),
        propagation=propagation or "Background",
        grace_seconds=None if grace is None else _seconds(grace),
    )


def _seconds(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise refusals.bad_request(f"gracePeriodSeconds: {value!r} is no number") from error
