"""Conditions of a query that name the canary, said with our names for it.

Workloads have other names here, so a query that is handed on as it is asks for something else.
Pods of Argo Rollouts had the hash right behind the Rollout's name; the candidate's have it behind
`NAME-candidate`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from rollout.resources.names import beside

TEXT: Final = r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`'
QUOTED: Final = re.compile(TEXT)
SELECTOR: Final = re.compile(rf"([\w:]*\s*\{{)((?:[^{{}}\"'`]|{TEXT})*)(?=\}})")
CONDITION: Final = re.compile(rf"(\w+)\s*(=~|!~|!=|=)\s*({TEXT})")
PODS: Final = "${pods}"
SERVICE: Final = "${service}"
HASH: Final = "${hash}"
ALIKE: Final = re.compile(r"namespace|hash|container|image|ingress")
"""Labels that tell no sides apart by a name, whatever stands in them."""
SCRAPED: Final = re.compile(r"(?:kubernetes_)?(?:service|service_name|name)")
EDGES: Final = re.compile(
    r"(?:istio|envoy|nginx|traefik|linkerd|skipper|haproxy|kong|apisix|contour|kuma|hubble)_"
)
"""Counters of routers, which say by themselves for which Service a request was."""


@dataclass(frozen=True)
class Condition:
    """A condition on a label, as it is written."""

    label: str
    op: str
    value: str
    quote: str = '"'

    @property
    def text(self) -> str:
        """The condition in PromQL."""
        return f"{self.label}{self.op}{self.quote}{self.value}{self.quote}"

    @property
    def alike(self) -> bool:
        """Whether the label is the same on both sides, or tells them apart by itself."""
        return ALIKE.search(self.label) is not None

    @property
    def of_pods(self) -> bool:
        """Whether the label holds names of pods."""
        return "pod" in self.label and not self.alike

    @property
    def positive(self) -> bool:
        """Whether it selects what it names."""
        return self.op in {"=", "=~"}


@dataclass(frozen=True)
class Reworded:
    """A condition, and what has become of it."""

    before: Condition
    after: tuple[Condition, ...]


@dataclass(frozen=True)
class Told:
    """A query with our names, and what to check in it."""

    query: str
    notes: tuple[str, ...] = ()
    one_side: bool = False
    """Whether it names the candidate itself, so that it cannot be asked of stable too."""


Change: TypeAlias = Callable[[Condition], tuple[Condition, ...]]
Doubt: TypeAlias = Callable[[Sequence[Reworded]], Iterable[str]]


def reworded(query: str, change: Change, doubt: Doubt) -> Told:
    """Change the conditions of each selector, and say once what is doubtful in any of them."""
    notes: dict[str, None] = {}

    def selector(found: re.Match[str]) -> str:
        said = [_read(one) for one in CONDITION.finditer(found[2])]
        pairs = [Reworded(one, change(one)) for one in said]
        told = iter(pairs)
        notes.update(dict.fromkeys([*doubt(pairs), *_scraped(found[1], pairs)]))
        return found[1] + CONDITION.sub(lambda one: _written(one[0], next(told)), found[2])

    return Told(SELECTOR.sub(selector, query), tuple(notes))


def _read(found: re.Match[str]) -> Condition:
    return Condition(found[1], found[2], found[3][1:-1], found[3][0])


def _written(as_it_was: str, pair: Reworded) -> str:
    if pair.after == (pair.before,):
        return as_it_was
    return ", ".join(one.text for one in pair.after)


def _scraped(metric: str, pairs: Sequence[Reworded]) -> Iterator[str]:
    """Doubt a Service in a label that Prometheus has from the Service that it scrapes."""
    for one in (one for pair in pairs for one in pair.after if SERVICE in one.value):
        by_service = SCRAPED.fullmatch(one.label) and not EDGES.match(metric)
        if one.label == "job" or by_service:
            yield (
                f"check {one.text}: the candidate's Service has labels of its own, so that no "
                "ServiceMonitor scrapes it by yours; have the pods scraped (PodMonitor) and write "
                f'pod=~"{PODS}"'
            )


def of_argo(query: str, rollout: str, target: str, candidate_service: str) -> Told:
    """Have a query for the canary of Argo Rollouts ask for the candidate.

    `rollout` is the name that pods and ReplicaSets had; `target` is the Deployment.
    """
    owned = re.compile(rf"(?<![\w-]){re.escape(rollout)}-{re.escape(HASH)}")
    ours = f"({target}|{beside(target)})-{HASH}"

    def change(one: Condition) -> tuple[Condition, ...]:
        if one.alike or HASH not in one.value:
            return (one,)
        if one.of_pods and one.op in {"=~", "!~"}:
            return (replace(one, value=PODS),)
        value = owned.sub(lambda _: ours, one.value)
        if value == one.value:
            return (one,)
        return (replace(one, op="=~" if one.positive else "!~", value=value),)

    return reworded(named(query, candidate_service), change, lambda _: ())


def named(query: str, candidate_service: str) -> str:
    """Have the candidate's Service stand as a variable, in the texts of a query."""
    if not candidate_service:
        return query
    name = re.compile(rf"(?<![\w-]){re.escape(candidate_service)}(?![\w-])")
    return QUOTED.sub(lambda text: name.sub(SERVICE, text[0]), query)
