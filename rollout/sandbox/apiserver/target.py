"""What a path of the API names: a resource, one object, or a part of it."""

from dataclasses import dataclass, replace
from typing import Final

_OF_NAMESPACE: Final = frozenset({"status", "finalize"})


@dataclass(frozen=True)
class Target:
    """A place in the API, as its path names it."""

    group: str
    version: str
    plural: str = ""
    namespace: str | None = None
    name: str = ""
    subresource: str = ""

    @property
    def is_version(self) -> bool:
        """Whether the path names an API version and no resource in it."""
        return not self.plural


def parse_target(path: str) -> Target | None:
    """The target of a path below `/api/` or `/apis/`, None when it has no such form."""
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"] and len(parts) > 1:
        return _within(Target("", parts[1]), parts[2:])
    if parts[:1] == ["apis"] and len(parts) > 2:  # noqa: PLR2004 - /apis/GROUP/VERSION
        return _within(Target(parts[1], parts[2]), parts[3:])
    return None


def _within(target: Target, parts: list[str]) -> Target | None:
    """`namespaces` is a resource of its own, and what stands before all others."""
    is_prefix = parts[:1] == ["namespaces"] and len(parts) > 2  # noqa: PLR2004 - NAMESPACE, PLURAL
    if is_prefix and parts[2] not in _OF_NAMESPACE:
        return _named(replace(target, namespace=parts[1]), parts[2:])
    return _named(target, parts)


def _named(target: Target, parts: list[str]) -> Target | None:
    match parts:
        case []:
            return target
        case [plural]:
            return replace(target, plural=plural)
        case [plural, name]:
            return replace(target, plural=plural, name=name)
        case [plural, name, subresource]:
            return replace(target, plural=plural, name=name, subresource=subresource)
        case _:
            return None
