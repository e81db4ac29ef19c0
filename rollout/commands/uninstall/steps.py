"""What an uninstallation does, step by step, and what stands against it; pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from rollout.commands.uninstall.survey import Survey, place_of
from rollout.resources.objects import name_of, namespace_of
from rollout.resources.writes import Kind, Object

SHOWN: Final = 5
"""How many objects a sentence names."""
LAST: Final = (Kind.DEPLOYMENT, Kind.CUSTOM_RESOURCE_DEFINITION, Kind.NAMESPACE)
"""Kinds that have a step of their own."""
BACKUP: Final = "kubectl get rollouts,releases,rolloutpolicies -A -o yaml > rollout-backup.yaml"
UNTOUCHED: Final = (
    "your Deployments, Services and Ingresses stay as you wrote them, and go on serving"
)


@dataclass(frozen=True)
class Step:
    """One step: what is done, and why in this place."""

    does: str
    why: str

    def __str__(self) -> str:
        return f"{self.does}: {self.why}"


def steps(found: Survey, *, roll_back: bool) -> tuple[Step, ...]:
    """Say what is done, in order; what is not there is left out."""
    return (*_giving_back(found, roll_back=roll_back), *_removing(found))


def _giving_back(found: Survey, *, roll_back: bool) -> Iterator[Step]:
    if found.running and roll_back:
        yield Step(
            f"roll back {_named('running release', found.running)}, and wait for the end",
            "traffic returns to the version that users had; one that is past the way back finishes",
        )
    if found.rollouts:
        yield Step(
            f"delete {_named('Rollout', found.rollouts)}",
            "while the controller runs, because it gives back what they hold",
        )
    ended = [one for one in found.releases if one not in found.running]
    if found.releases:
        known = ended or found.releases
        yield Step(f"delete {_named('Release', known)}", f"the history; `{BACKUP}` keeps it")


def _removing(found: Survey) -> Iterator[Step]:
    controllers = found.of_kind(Kind.DEPLOYMENT)
    if controllers:
        said = ", ".join(map(str, controllers))
        yield Step(f"delete {said}, and wait for its pods", "nothing is left for it to do")
    rest = [str(one) for one in reversed(found.installed) if one.kind not in LAST]
    if rest:
        yield Step(f"delete {', '.join(rest)}", "its rights, and what stood around it")
    kinds = found.of_kind(Kind.CUSTOM_RESOURCE_DEFINITION)
    if kinds:
        policies = f", and with it {_named('RolloutPolicy', found.policies)}"
        said = ", ".join(one.name for one in kinds) + (policies if found.policies else "")
        yield Step(f"delete the kinds {said}", "nothing of them is left")
    for one in found.of_kind(Kind.NAMESPACE):
        yield Step(
            f"delete {one}", "it was the controller's; with something of others in it it stays"
        )


def against(found: Survey, *, roll_back: bool) -> tuple[str, ...]:
    """Say what stands against it, each with the way out; nothing when it can be done."""
    return tuple(_against(found, roll_back=roll_back))


def _against(found: Survey, *, roll_back: bool) -> Iterator[str]:
    if found.controllers and not found.of_kind(Kind.DEPLOYMENT):
        place = found.controllers[0]
        yield (
            f"no controller is in namespace {found.home}, but one is in {place}: "
            f"`rollout uninstall --namespace {place}`"
        )
    elif found.controllers:
        places = ", ".join(found.controllers)
        yield (
            f"another controller is installed in namespace {places}, which needs the same kinds "
            f"and rights: `kubectl delete deployment rollout-controller -n {found.controllers[0]}` "
            "first, if that one is to go as well"
        )
    if found.silence:
        yield from _unheard(found)
    elif found.running and not roll_back:
        yield (
            f"{_named('release', found.running)} under way: wait for the end, or give --roll-back"
        )


def _unheard(found: Survey) -> Iterator[str]:
    """Say what stays as it is while no controller leads."""
    if found.held:
        yield (
            f"{found.silence}, and nobody else takes the finalizer off "
            f"{', '.join(_kinds_and_places(found.held))}: {_start(found)}"
        )
    waiting = [one for one in found.running if one not in found.held]
    if waiting:
        first = waiting[0]
        yield (
            f"{found.silence}, so {_named('release', waiting)} under way will not end: "
            f"{_start(found)}, or delete what has not begun "
            f"(`kubectl delete release {name_of(first)} -n {namespace_of(first)}`)"
        )


def _start(found: Survey) -> str:
    if not found.of_kind(Kind.DEPLOYMENT):
        return "start a controller again first"
    deployment = "kubectl scale deployment rollout-controller --replicas=2"
    return f"start the controller again first (`{deployment} -n {found.home}`)"


def notes(found: Survey) -> Iterator[str]:
    """Say what people must know beforehand."""
    yield UNTOUCHED
    for place in found.paused:
        namespace = place.partition("/")[0]
        yield f"{stays_paused(place)}; `rollout discard-edit -n {namespace}` drops it beforehand"
    if found.kept:
        yield (
            f"Namespace {found.kept} stays, because others may have something in it: "
            f"`kubectl delete namespace {found.kept}` removes it with all of that"
        )
    for one in found.strangers:
        yield f"{one} stays: without the label app.kubernetes.io/part-of=rollout it is not ours"


def stays_paused(place: str) -> str:
    """Say that a Deployment stays paused, and the ways out."""
    namespace, _, name = place.partition("/")
    return (
        f"Deployment {place} stays paused, because an edit of its template waits that no release "
        f"shipped: `kubectl rollout resume deployment/{name} -n {namespace}` rolls it out"
    )


def _named(what: str, objects: Iterable[Object]) -> str:
    """Count objects and name the first: `2 Rollouts (shop/web, shop/cart)`."""
    places = sorted(map(place_of, objects))
    plural = what if len(places) == 1 else _plural(what)
    more = ["..."] if len(places) > SHOWN else []
    return f"{len(places)} {plural} ({', '.join([*places[:SHOWN], *more])})"


def _plural(what: str) -> str:
    return f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"


def _kinds_and_places(objects: Iterable[Object]) -> Iterator[str]:
    for one in objects:
        yield f"{one['kind']} {namespace_of(one)}/{name_of(one)}"
