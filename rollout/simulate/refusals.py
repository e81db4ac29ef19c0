"""Refusals in the words of the real API server, so that people and programs read the same text."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from rollout.kube.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Refused,
    ServerFault,
)
from rollout.resources.writes import Resource
from rollout.simulate.objects import Json

NO_SUCH_PATH: Final = "the server could not find the requested resource"
NO_SUCH_METHOD: Final = "the server does not allow this method on the requested resource"
UNPROCESSABLE: Final = "the server rejected our request due to an error in our request"
FOREIGN_MEDIA_TYPE: Final = "415: Unsupported Media Type"
GENERIC: Final = frozenset({NO_SUCH_PATH, NO_SUCH_METHOD, UNPROCESSABLE, FOREIGN_MEDIA_TYPE})
"""Sentences that go out with empty details, as the real server's generic answers do."""
MODIFIED: Final = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


@dataclass(frozen=True)
class FieldError:
    """One thing that is wrong with one field."""

    reason: str
    field: str
    body: str

    def __str__(self) -> str:
        return f"{self.field}: {self.body}"


def required(field: str, detail: str = "") -> FieldError:
    """A required field is missing."""
    return FieldError("FieldValueRequired", field, _joined("Required value", detail))


def invalid(field: str, value: Any, detail: str) -> FieldError:
    """The value is malformed or out of bounds."""
    return FieldError("FieldValueInvalid", field, _joined(f"Invalid value: {shown(value)}", detail))


def type_invalid(field: str, value: Any, detail: str) -> FieldError:
    """The value has another JSON type than the field's schema."""
    body = _joined(f"Invalid value: {shown(value)}", detail)
    return FieldError("FieldValueTypeInvalid", field, body)


def unsupported(field: str, value: Any, supported: Sequence[str]) -> FieldError:
    """The value is not one of the words that the field knows."""
    words = ", ".join(json.dumps(word) for word in supported)
    body = f"Unsupported value: {shown(value)}: supported values: {words}"
    return FieldError("FieldValueNotSupported", field, body)


def forbidden_field(field: str, detail: str) -> FieldError:
    """The field may not be set or changed here."""
    return FieldError("FieldValueForbidden", field, _joined("Forbidden", detail))


def duplicate(field: str, value: Any) -> FieldError:
    """The value must be unique and is not."""
    return FieldError("FieldValueDuplicate", field, f"Duplicate value: {shown(value)}")


def shown(value: Any) -> str:
    """A value as the real server writes it into a message."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def group_resource(resource: Resource) -> str:
    """`deployments.apps`, or `pods` for the core group."""
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def group_kind(resource: Resource) -> str:
    """`Deployment.apps`, or `Pod` for the core group."""
    return f"{resource.kind}.{resource.group}" if resource.group else resource.kind


def not_found(resource: Resource, name: str) -> NotFound:
    """There is no such object."""
    message = f'{group_resource(resource)} "{name}" not found'
    return NotFound(message, details=details(resource, name))


def no_such_path() -> NotFound:
    """The server serves nothing at that path."""
    return NotFound(NO_SUCH_PATH)


def already_exists(resource: Resource, name: str, *, terminating: bool) -> AlreadyExists:
    """The name is taken."""
    message = f'{group_resource(resource)} "{name}" already exists'
    if terminating:
        message = f"object is being deleted: {message}"
    return AlreadyExists(message, details=details(resource, name))


def conflict(resource: Resource, name: str, why: str, *, by_kind: bool = False) -> Conflict:
    """The object is not the one that the write was decided on."""
    what = group_kind(resource) if by_kind else group_resource(resource)
    message = f'Operation cannot be fulfilled on {what} "{name}": {why}'
    facts = details(resource, name)
    return Conflict(message, details={**facts, "kind": resource.kind} if by_kind else facts)


def invalid_object(resource: Resource, name: str, errors: Sequence[FieldError]) -> Invalid:
    """The object breaks rules of its kind."""
    texts = list(dict.fromkeys(str(error) for error in errors))
    listed = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    message = f'{group_kind(resource)} "{name}" is invalid: {listed}'
    causes = [
        {"reason": error.reason, "message": error.body, "field": error.field} for error in errors
    ]
    facts = {**details(resource, name), "kind": resource.kind, "causes": causes}
    return Invalid(message, details=facts)


def unprocessable() -> Invalid:
    """The patch cannot be applied to the object; the real server does not say why either."""
    return Invalid(UNPROCESSABLE)


def broken_patch(patch: Any, why: str) -> Invalid:
    """What the patch makes of the object is no object of its kind."""
    error = invalid("patch", shown(patch), why)
    message = f' "" is invalid: {error}'
    cause = {"reason": error.reason, "message": error.body, "field": error.field}
    return Invalid(message, details={"causes": [cause]})


def no_version_given(resource: Resource, name: str) -> Invalid:
    """The kind is replaced only by those who say which version they saw."""
    error = invalid("metadata.resourceVersion", 0, "must be specified for an update")
    message = f'{group_resource(resource)} "{name}" is invalid: {error}'
    cause = {"reason": error.reason, "message": error.body, "field": error.field}
    return Invalid(message, details={**details(resource, name), "causes": [cause]})


def unreadable(message: str) -> ServerFault:
    """Something that the real server takes for its own fault: 500, without a reason."""
    return ServerFault(message, reason="")


def forbidden(resource: Resource, name: str, why: str, causes: Sequence[Json] = ()) -> Forbidden:
    """The user, or the state of the cluster, does not allow the request."""
    message = f'{group_resource(resource)} "{name}" is forbidden: {why}'
    facts = details(resource, name)
    return Forbidden(message, details={**facts, "causes": list(causes)} if causes else facts)


def expired(asked: int, oldest: int) -> Gone:
    """The version asked for is no longer in the log."""
    return Gone(f"too old resource version: {asked} ({oldest})")


def bad_request(message: str) -> Refused:
    """The request cannot be read."""
    return Refused(message)


def unsupported_media_type(supported: Sequence[str]) -> Refused:
    """The content type is not one that this kind takes."""
    message = (
        "the body of the request was in an unknown format - accepted media types include: "
        f"{', '.join(supported)}"
    )
    return Refused(message, status=415, reason="UnsupportedMediaType")


def method_not_allowed() -> Refused:
    """The path does not know the verb."""
    return Refused(NO_SUCH_METHOD, status=405, reason="MethodNotAllowed")


def foreign_media_type() -> Refused:
    """The content type is not one that the path takes at all."""
    return Refused(FOREIGN_MEDIA_TYPE, status=415, reason="UnsupportedMediaType")


def details(resource: Resource, name: str) -> Json:
    """Which object a refusal is about."""
    facts = {"name": name, "group": resource.group, "kind": resource.plural}
    return {key: value for key, value in facts.items() if value}


def _joined(first: str, detail: str) -> str:
    return f"{first}: {detail}" if detail else first
