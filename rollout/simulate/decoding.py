"""Objects of built-in kinds, read as the real server reads them into its Go structs."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from rollout.resources.writes import Object
from rollout.simulate.fields import Struct, Type, root_struct
from rollout.simulate.objects import EMPTY, Json
from rollout.simulate.refusals import bad_request

_ROOT_ONLY: Final = ("apiVersion", "kind")
_PLAIN: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "bytes": (str,),
    "bool": (bool,),
    "int32": (int,),
    "int64": (int,),
    "float": (int, float),
    "time": (str,),
    "microtime": (str,),
    "quantity": (str, int, float),
    "intstr": (str, int),
}
_GO_NAMES: Final[Mapping[str, str]] = {
    "float": "float64",
    "bytes": "[]uint8",
    "time": "v1.Time",
    "microtime": "v1.MicroTime",
    "intstr": "intstr.IntOrString",
    "quantity": "resource.Quantity",
}


class Decoder:
    """Reads one object; `unknown` are the fields that were dropped."""

    def __init__(self, object_kind: str, version: str) -> None:
        self._kind = object_kind
        self._version = version
        self.unknown: list[str] = []

    def struct(
        self, struct: Struct, given: Mapping[str, Any], known: Mapping[str, Any], path: str
    ) -> Json:
        """The struct as Go would write it; parts that are those of `known` are taken over."""
        result: Json = {}
        for name, value in given.items():
            field = struct.fields.get(name)
            if field is None:
                self.unknown.append(f"{path}{name}")
            elif value is not None:
                before = known.get(name)
                spot = _Spot(struct, f"{path}{name}", before)
                read = value if value is before else self._value(field.type, value, spot)
                if not field.leaves_out(read):
                    result[name] = read
        for name, zero in struct.zeroes.items():
            result.setdefault(name, zero)
        return result

    def _value(self, kind: Type, value: Any, spot: "_Spot") -> Any:
        if kind.form == "struct":
            self._require(isinstance(value, Mapping), kind, value, spot)
            known = spot.before if isinstance(spot.before, Mapping) else EMPTY
            return self.struct(kind.struct, value, known, f"{spot.path}.")
        if kind.form == "list" and kind.element is not None:
            self._require(isinstance(value, list), kind, value, spot)
            element = kind.element
            read = [self._value(element, part, spot.at(f"[{n}]")) for n, part in enumerate(value)]
            return read or None  # as it comes back from the real store
        if kind.form == "map" and kind.element is not None:
            self._require(isinstance(value, Mapping), kind, value, spot)
            element = kind.element
            return {
                key: self._value(element, part, spot.at(f".{key}")) for key, part in value.items()
            }
        return self._plain(kind, value, spot)

    def _plain(self, kind: Type, value: Any, spot: "_Spot") -> Any:
        wanted = _PLAIN.get(kind.name)
        if wanted is None:
            return value
        wrong_bool = isinstance(value, bool) and bool not in wanted
        self._require(isinstance(value, wanted) and not wrong_bool, kind, value, spot)
        return _quantity(value) if kind.name == "quantity" else value

    def _require(self, fits: bool, kind: Type, value: Any, spot: "_Spot") -> None:  # noqa: FBT001
        if not fits:
            owner = spot.struct.name.rpartition(".")[2]
            raise bad_request(
                f'{self._kind} in version "{self._version}" cannot be handled as a {self._kind}: '
                f"json: cannot unmarshal {_json_name(value)} into Go struct field "
                f"{owner}.{_without_indexes(spot.path)} of type {_go_name(kind)}"
            )


class _Spot(NamedTuple):
    """Where a value stands: in which struct, at which path, and what stood there before."""

    struct: Struct
    path: str
    before: Any = None

    def at(self, step: str) -> "_Spot":
        return _Spot(self.struct, self.path + step)


def _without_indexes(path: str) -> str:
    return ".".join(part.partition("[")[0] for part in path.split("."))


def _json_name(value: Any) -> str:
    names: Mapping[type, str] = {bool: "bool", str: "string", list: "array"}
    if isinstance(value, Mapping):
        return "object"
    return names.get(type(value), "number")


def _go_name(kind: Type) -> str:
    if kind.element is not None:
        prefix = "[]" if kind.form == "list" else "map[string]"
        return prefix + _go_name(kind.element)
    if kind.form == "struct":
        return f"v1.{kind.name.rpartition('.')[2]}"
    return _GO_NAMES.get(kind.name, kind.name)


def _quantity(value: Any) -> str:
    """A quantity in the canonical form, as far as plain numbers go: 0.5 is 500m."""
    text = str(value)
    try:
        number = Decimal(text)
    except ArithmeticError:
        return text
    if number == number.to_integral_value():
        return str(int(number))
    thousandths = number * 1000
    return f"{int(thousandths)}m" if thousandths == thousandths.to_integral_value() else text


def decoded(obj: Object, known: Object = EMPTY) -> tuple[Object, list[str]]:
    """The object as its Go struct holds it, and the unknown fields that were dropped.

    Parts that are the very parts of `known`, an object that was decoded before, are not read
    again. Objects of custom kinds stay as they are. Raises Refused (400) for a wrong type.
    """
    api_version, kind = str(obj.get("apiVersion", "")), str(obj.get("kind", ""))
    struct = root_struct(api_version, kind)
    if struct is None:
        return obj, []
    decoder = Decoder(kind, api_version.rpartition("/")[2])
    given = {key: value for key, value in obj.items() if key not in _ROOT_ONLY}
    read = decoder.struct(struct, given, known, "")
    return {"apiVersion": api_version, "kind": kind, **read}, decoder.unknown


def strict_error(kind: str, version: str, unknown: list[str]) -> str:
    """The sentence with which unknown fields are refused."""
    listed = ", ".join(f"unknown field {json.dumps(name)}" for name in unknown)
    return (
        f'{kind} in version "{version.rpartition("/")[2]}" cannot be handled as a {kind}: '
        f"strict decoding error: {listed}"
    )
