"""Rules of names and labels, and the sentences with which the API server states them."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from rollout.resources.writes import Object
from rollout.simulate.objects import EMPTY
from rollout.simulate.refusals import FieldError, forbidden_field, invalid, required

LONGEST_SUBDOMAIN: Final = 253
LONGEST_LABEL: Final = 63
HIGHEST_PORT: Final = 65535
STANDARD_FINALIZERS: Final = frozenset({"foregroundDeletion", "kubernetes", "orphan"})
IMMUTABLE: Final = "field is immutable"

_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_VALUE: Final = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_QUALIFIED: Final = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")

_BAD_SUBDOMAIN: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_BAD_LABEL: Final = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_BAD_LABEL_VALUE: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  "
    "or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_BAD_QUALIFIED: Final = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)

Complaints = Callable[[str], list[str]]


def subdomain(value: str) -> list[str]:
    """What is wrong with a name such as `web.example`."""
    return _judged(value, _SUBDOMAIN, _BAD_SUBDOMAIN, LONGEST_SUBDOMAIN)


def label_name(value: str) -> list[str]:
    """What is wrong with a name such as `web-1`."""
    return _judged(value, _LABEL, _BAD_LABEL, LONGEST_LABEL)


def service_name(value: str) -> list[str]:
    """What is wrong with the name of a Service (relaxed since 1.36: it may begin with a digit)."""
    return label_name(value)


def label_value(value: str) -> list[str]:
    """What is wrong with the value of a label."""
    return _judged(value, _LABEL_VALUE, _BAD_LABEL_VALUE, LONGEST_LABEL)


def qualified_name(value: str) -> list[str]:
    """What is wrong with the key of a label, an annotation or a finalizer."""
    prefix, slash, name = value.rpartition("/")
    complaints = [f"prefix part {complaint}" for complaint in subdomain(prefix)] if slash else []
    if not name:
        return [*complaints, "name part must be non-empty", _BAD_QUALIFIED]
    return complaints + _judged(name, _QUALIFIED, _BAD_QUALIFIED, LONGEST_LABEL)


def port_number(value: Any) -> list[str]:
    """What is wrong with a port number."""
    return [] if _is_port(value) else ["must be between 1 and 65535, inclusive"]


def _is_port(value: Any) -> bool:
    return isinstance(value, int) and 1 <= value <= HIGHEST_PORT


def _judged(value: str, form: re.Pattern[str], sentence: str, longest: int) -> list[str]:
    complaints = []
    if len(value) > longest:
        complaints.append(f"must be no more than {longest} characters")
    if not form.fullmatch(value):
        complaints.append(sentence)
    return complaints


def complain(field: str, value: str, rule: Complaints) -> Iterator[FieldError]:
    """Errors of one field by one rule."""
    for complaint in rule(value):
        yield invalid(field, value, complaint)


def metadata(
    obj: Object, *, namespaced: bool, rule: Complaints = subdomain, custom: bool = False
) -> list[FieldError]:
    """Errors of `metadata`: the name by the rule of its kind, labels, annotations.

    Kinds of the core know the finalizers without a domain, custom kinds take any.
    """
    meta = obj["metadata"]
    name = meta.get("name", "")
    errors: list[FieldError] = []
    if not name:
        errors.append(required("metadata.name", "name or generateName is required"))
    else:
        errors.extend(complain("metadata.name", name, rule))
    if namespaced and not meta.get("namespace"):
        errors.append(required("metadata.namespace"))
    errors.extend(labels("metadata.labels", meta.get("labels")))
    for key in meta.get("annotations") or ():
        errors.extend(complain("metadata.annotations", key.lower(), qualified_name))
    errors.extend(_owners(meta.get("ownerReferences") or ()))
    errors.extend(_finalizers(meta.get("finalizers") or (), custom=custom))
    return errors


def _owners(owners: Sequence[Object]) -> Iterator[FieldError]:
    for index, owner in enumerate(owners):
        for field in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(field):
                detail = "must not be empty"
                yield required(f"metadata.ownerReferences[{index}].{field}", detail)


def _finalizers(names: Sequence[str], *, custom: bool) -> Iterator[FieldError]:
    for index, name in enumerate(names):
        field = f"metadata.finalizers[{index}]"
        yield from complain(field, name, qualified_name)
        if not custom and "/" not in name and name not in STANDARD_FINALIZERS:
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            yield invalid(field, name, detail)


def labels(field: str, given: Mapping[str, str] | None) -> Iterator[FieldError]:
    """Errors of a map of labels."""
    for key, value in (given or EMPTY).items():
        yield from complain(field, key, qualified_name)
        yield from complain(field, value, label_value)


def metadata_update(new: Object, old: Object) -> Iterator[FieldError]:
    """Errors of changes to `metadata` that nobody may make."""
    before, after = old["metadata"], new["metadata"]
    added = set(after.get("finalizers") or ()) - set(before.get("finalizers") or ())
    if "deletionTimestamp" in before and added:
        detail = (
            "no new finalizers can be added if the object is being deleted, found new finalizers "
        )
        names = ", ".join(f'"{name}"' for name in sorted(added))
        yield forbidden_field("metadata.finalizers", f"{detail}[]string{{{names}}}")


def immutable(field: str, new: Any, old: Any) -> Iterator[FieldError]:
    """An error when the field differs from what it was."""
    if new != old:
        yield invalid(field, new, IMMUTABLE)


def not_negative(field: str, value: Any) -> Iterator[FieldError]:
    """An error when a number is below zero."""
    if isinstance(value, int) and value < 0:
        yield invalid(field, value, "must be greater than or equal to 0")
