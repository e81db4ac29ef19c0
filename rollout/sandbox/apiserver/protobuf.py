"""Reads the protobuf bodies that `kubectl create namespace` and its like send.

kubectl does not ask whether a server understands protobuf. The field numbers are those of the Go
structs; answers always go out as JSON.
"""

import base64
import json
import struct as binary
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from rollout.simulate import refusals
from rollout.simulate.fields import Struct, Type, root_struct, struct_of
from rollout.simulate.objects import Json

MEDIA_TYPE: Final = "application/vnd.kubernetes.protobuf"
MAGIC: Final = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SIGN_BIT: Final = 1 << 63

Wire: TypeAlias = int | bytes
"""A value as it is on the wire: a number, or the bytes of a string or message."""


def read_protobuf(content: bytes) -> Json:
    """The object of a body. Raises Refused (400)."""
    if not content.startswith(MAGIC):
        raise refusals.bad_request("the body does not begin as a Kubernetes protobuf message does")
    try:
        envelope = dict(_fields(content.removeprefix(MAGIC)))
        meta = dict(_fields(_bytes(envelope[1])))
        named = {"apiVersion": _text(meta[1]), "kind": _text(meta[2])}
        root = root_struct(named["apiVersion"], named["kind"])
        if root is None:
            raise refusals.bad_request(f"{named['kind']} cannot be sent as protobuf to this server")
        return {**named, **_message(_bytes(envelope[2]), root)}
    except (LookupError, TypeError, ValueError, binary.error) as error:
        raise refusals.bad_request(f"the protobuf message is broken: {error!r}") from error


def _fields(content: bytes) -> Iterator[tuple[int, Wire]]:
    """Numbers and values of a message, in the order of the wire."""
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = _varint(content, at)
            yield number, value
        elif kind == _BYTES:
            size, at = _varint(content, at)
            yield number, content[at : at + size]
            at += size
        else:
            size = {_FIXED64: 8, _FIXED32: 4}[kind]
            yield number, content[at : at + size]
            at += size


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:  # noqa: PLR2004 - the high bit says that more bytes follow
            return value, at


def _bytes(value: Wire) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"expected bytes, found the number {value}")
    return value


def _text(value: Wire) -> str:
    return _bytes(value).decode()


def _integer(value: Wire) -> int:
    if not isinstance(value, int):
        raise TypeError("expected a number, found bytes")
    return value - (1 << 64) if value & _SIGN_BIT else value


def _message(content: bytes, kind: Struct) -> Json:
    by_number = {field.number: field for field in _own_fields(kind)}
    result: Json = {}
    for number, value in _fields(content):
        if number in kind.embedded:
            result.update(_message(_bytes(value), struct_of(kind.embedded[number])))
        elif number in by_number:
            field = by_number[number]
            _take(result, field.name, field.type, value)
    return result


def _own_fields(kind: Struct) -> Iterator[Any]:
    """Fields without those of embedded structs, whose numbers are of another message."""
    inner = {name for each in kind.embedded.values() for name in struct_of(each).fields}
    return (field for name, field in kind.fields.items() if name not in inner)


def _take(result: Json, name: str, kind: Type, value: Wire) -> None:
    if kind.form == "list" and kind.element is not None:
        result.setdefault(name, []).append(_value(kind.element, value))
    elif kind.form == "map" and kind.element is not None:
        entry = dict(_fields(_bytes(value)))
        key = _text(entry.get(1, b""))
        result.setdefault(name, {})[key] = _value(kind.element, entry.get(2, b""))
    else:
        result[name] = _value(kind, value)


def _value(kind: Type, value: Wire) -> Any:
    if kind.form == "struct":
        return _message(_bytes(value), kind.struct)
    return _READERS[kind.name](value)


def _moment(value: Wire) -> str | None:
    parts = dict(_fields(_bytes(value)))
    if not parts:
        return None
    seconds, nanos = _integer(parts.get(1, 0)), _integer(parts.get(2, 0))
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{nanos // 1000:06d}Z" if nanos else f"{text}Z"


def _int_or_string(value: Wire) -> int | str:
    parts = dict(_fields(_bytes(value)))
    return _text(parts.get(3, b"")) if parts.get(1) else _integer(parts.get(2, 0))


def _first_text(value: Wire) -> str:
    return _text(dict(_fields(_bytes(value))).get(1, b"0"))


def _raw(value: Wire) -> Any:
    return json.loads(_bytes(dict(_fields(_bytes(value))).get(1, b"null")))


_READERS: Final[Mapping[str, Any]] = {
    "string": _text,
    "bytes": lambda value: base64.b64encode(_bytes(value)).decode(),
    "bool": bool,
    "int32": _integer,
    "int64": _integer,
    "float": lambda value: binary.unpack("<d", _bytes(value))[0],
    "time": _moment,
    "microtime": _moment,
    "quantity": _first_text,
    "intstr": _int_or_string,
    "any": _raw,
}
