"""Queries for Flagger's canary and primary as queries for the candidate and stable.

Flagger's canary was `NAME` beside `NAME-primary`. Here `NAME` is stable, so a query that is handed
on as it is would measure stable, and let a bad candidate pass.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rollout.convert.sides import HASH, PODS, SERVICE, Condition, Reworded, Told, reworded
from rollout.resources.names import beside

WORKLOAD: Final = re.compile(
    r"deployment|workload|replicaset|^(?:owner|created_by|destination)_name$"
)
OF_SERVICE: Final = re.compile(r"service|job|route|cluster|backend|upstream")
PRIMARY: Final = "-primary"
BOTH: Final = (
    "it was the primary alone, and finds the candidate too; add what tells stable, as "
    f'pod!~"{PODS}" does'
)
STABLE_TOO: Final = (
    "here stable has that name too, so a bad candidate may pass; add what tells the candidate, as "
    f'pod=~"{PODS}" does'
)
NOBODY: Final = (
    "nothing has that name here, so it may find nothing; write what tells the candidate, as "
    f'pod=~"{PODS}" does'
)
TRIED: Final = "5d8f9c7b6d-x2k4z"
"""How the names of pods end."""


def told(query: str, target: str, apex: str) -> Told:
    """Have a query for the canary ask for the candidate, and one for the primary for stable.

    `target` is the Deployment, `apex` the Service that users reach.
    """
    names = _Names(target, apex)
    found = reworded(query, names.changed, names.doubts)
    return replace(found, one_side=beside(target) in found.query)


@dataclass(frozen=True)
class _Names:
    """What the canary and its primary were called."""

    target: str
    apex: str

    def changed(self, one: Condition) -> tuple[Condition, ...]:
        """Say a condition with our names."""
        if one.alike:
            return (one,)
        if one.of_pods:
            return self._pods(one)
        if WORKLOAD.search(one.label):
            value = _name(self.target).sub(self._workload, one.value)
        else:
            value = _name(self.target, self.apex).sub(_service, one.value)
        return (replace(one, value=value),)

    def _workload(self, found: re.Match[str]) -> str:
        return self.target if found[2] == "primary" else beside(self.target)

    def _pods(self, one: Condition) -> tuple[Condition, ...]:
        """Name the candidate's pods where the canary's were named, stable's for the primary's."""
        found = _name(self.target).match(one.value)
        if found is None or one.op in {"=", "!="}:
            return (one,)
        if found[2] != "primary":
            return (replace(one, value=PODS),)
        if not one.positive:
            return (replace(one, op="=~", value=PODS),)
        stable = replace(one, value=self.target + one.value[found.end() :])
        if not _finds(stable.value, f"{beside(self.target)}-{TRIED}"):
            return (stable,)
        return (stable, replace(one, op="!~", value=PODS))

    def doubts(self, pairs: Sequence[Reworded]) -> Iterator[str]:
        """Say what may find another side than it did, or nothing."""
        told = any(self._tells(one) for pair in pairs for one in pair.after)
        for pair in pairs:
            before, now = pair.before, pair.after[0]
            if before.alike or not before.positive:
                continue
            if PRIMARY in before.value and self._both(before, now):
                yield f"check {now.text}: {BOTH}"
            elif not told and self._stands(before.value):
                yield f"check {now.text}: {STABLE_TOO}"
            elif self._longer(now.value):
                yield f"check {now.text}: {NOBODY}"

    def _tells(self, one: Condition) -> bool:
        """Whether a condition finds the candidate alone."""
        telling = (PODS, SERVICE, HASH, beside(self.target))
        return one.label == "canary" or (
            one.positive and any(said in one.value for said in telling)
        )

    @staticmethod
    def _both(before: Condition, now: Condition) -> bool:
        """Whether a condition on the primary is one on a label that both sides share here."""
        elsewhere = WORKLOAD.search(before.label) or OF_SERVICE.search(before.label)
        return before != now and not before.of_pods and not elsewhere

    def _stands(self, value: str) -> bool:
        """Whether a text has one of the names, which the primary did not have."""
        alone = _name(self.target, self.apex).finditer(value.replace("/", "_"))
        return any(found[2] != "primary" for found in alone)

    def _longer(self, value: str) -> bool:
        """Whether the canary is still named in a text, within a name that is not understood."""
        either = f"{re.escape(self.target)}|{re.escape(self.apex)}"
        return re.search(rf"(?<![a-zA-Z0-9])(?:{either})-canary", value) is not None


def _service(found: re.Match[str]) -> str:
    return {"canary": SERVICE, "primary": found[1]}.get(found[2], found[0])


def _name(*names: str) -> re.Pattern[str]:
    """Find a name with or without `-canary` or `-primary`, but not within a longer name."""
    either = "|".join(sorted({re.escape(name) for name in names}, key=len, reverse=True))
    before = r"(?:(?<![\w-])|(?<=\$\{namespace\}[-_]))"
    return re.compile(
        rf"{before}({either})"
        r"(?:-(canary|primary)(?![a-zA-Z0-9])|(?![a-zA-Z0-9])(?!-[a-zA-Z0-9]))"
    )


def _finds(expression: str, name: str) -> bool:
    try:
        return re.fullmatch(expression, name) is not None
    except re.error:
        return True
