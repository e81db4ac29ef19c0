"""What every router owes: the split asked for, once, guarded, and all given back as it was."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from rollout.resources.words import LATCH
from rollout.resources.writes import Create, Delete, Kind, Object, Patch, PatchType
from rollout.simulate import SimulatedCluster
from rollout.simulate.world import START
from rollout.traffic.registry import ROUTERS, Means
from rollout.traffic.router import (
    Router,
    Settings,
    Split,
    Steered,
    UnreachableSplitError,
    View,
    our_labels,
)
from tests import build

CANDIDATE = "5d8f7c9b6"
SPACE = "default"
PREFIXES = ("nginx.ingress.kubernetes.io", "ingress.example.com")
"""The default, and that of a controller which reads the same annotations under its own name."""
SETTINGS = Settings(
    annotation_prefix=PREFIXES[0],
    services=("web",),
    labels=our_labels("web", "web-v2", "u1"),
    hashes=("8c4bf7d9f", CANDIDATE),
    stable="8c4bf7d9f",
    ready={"8c4bf7d9f": 4, CANDIDATE: 1},
)


@dataclass(frozen=True)
class Case:
    """How one router is put to the test."""

    kind: Kind
    own: Callable[[], dict[str, Any]]
    reachable: tuple[int, ...]
    unreachable: tuple[int, ...] = ()


CASES = {
    Means.SERVICE: Case(Kind.SERVICE, build.service, reachable=(100,), unreachable=(0, 20)),
    Means.REPLICAS: Case(Kind.SERVICE, build.service, reachable=(0, 20, 100), unreachable=(1, 19)),
    Means.INGRESS: Case(Kind.INGRESS, build.ingress, reachable=(0, 1, 20, 100)),
}


class Stage:
    """A server with the user's object on it, and a router that steers it."""

    def __init__(self, means: Means, prefix: str) -> None:
        self.means = means
        self.prefix = prefix
        self.case = CASES[means]
        self.kind = self.case.kind
        self.cluster = SimulatedCluster(lambda: START)
        self.cluster.apply(Create(self.kind, SPACE, self.case.own()))
        settings = replace(SETTINGS, annotation_prefix=prefix)
        self.router: Router = ROUTERS[means](settings)

    def steered(self) -> Steered:
        beside = self.router.beside("web")
        objects = {
            obj["metadata"]["name"]: obj for obj in self.cluster.list(self.kind, SPACE).items
        }
        return Steered(objects.get("web"), objects.get(beside or ""))

    def view(self) -> View:
        return self.router.view(self.steered())

    def prepare(self) -> None:
        self.carry_out(self.router.prepare(self.steered()))

    def ask(self, split: Split) -> None:
        self.carry_out(self.router.patches(self.steered(), split))

    def restore(self) -> None:
        self.carry_out(self.router.restore(self.steered()))

    def carry_out(self, writes: tuple[Create | Patch | Delete, ...]) -> None:
        for write in writes:
            self.cluster.apply(write)

    def label(self, name: str, value: str) -> None:
        body = {"metadata": {"labels": {name: value}}}
        self.cluster.apply(Patch(self.kind, SPACE, "web", PatchType.MERGE, body))

    def canary_annotations(self) -> dict[str, str]:
        """What any object tells controllers of Ingresses, under whatever prefix."""
        return {
            name: value
            for obj in self.cluster.list(self.kind, SPACE).items
            for name, value in obj["metadata"].get("annotations", {}).items()
            if name.partition("/")[2].startswith("canary")
        }

    def users(self) -> Object:
        """The user's object, without what the server counts."""
        own = self.cluster.get(self.kind, SPACE, "web")
        counted = ("resourceVersion", "generation", "managedFields")
        metadata = {k: v for k, v in own["metadata"].items() if k not in counted and v != {}}
        return {**own, "metadata": metadata}


@pytest.fixture(params=PREFIXES)
def prefix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=list(ROUTERS), ids=lambda means: means.name.lower())
def stage(request: pytest.FixtureRequest, prefix: str) -> Stage:
    """Every router that is registered; one without a case here fails."""
    return Stage(request.param, prefix)


def split(weight: int = 100, latch: str | None = None) -> Split:
    return Split(CANDIDATE, weight, latch)


def test_nothing_is_asked_for_before_a_release(stage: Stage) -> None:
    assert stage.view().asked == 0


def test_to_prepare_asks_for_nothing_and_happens_once(stage: Stage) -> None:
    stage.prepare()
    assert (stage.view().ready, stage.view().asked) == (True, 0)
    assert stage.router.prepare(stage.steered()) == ()


def test_what_was_asked_for_is_read_back(stage: Stage) -> None:
    stage.prepare()
    for weight in stage.case.reachable:
        stage.ask(split(weight))
        assert stage.view().asked == weight
        assert stage.view().applied == weight


def test_the_same_split_twice_changes_nothing(stage: Stage) -> None:
    stage.prepare()
    for weight in stage.case.reachable:
        stage.ask(split(weight))
        assert stage.router.patches(stage.steered(), split(weight)) == ()


def test_a_share_that_cannot_be_expressed_is_refused(stage: Stage) -> None:
    stage.prepare()
    for weight in stage.case.unreachable:
        with pytest.raises(UnreachableSplitError, match=str(weight)):
            stage.router.patches(stage.steered(), split(weight))


def test_a_latch_is_written_with_the_split_and_read_back(stage: Stage) -> None:
    stage.prepare()
    (write,) = stage.router.patches(stage.steered(), split(stage.case.reachable[0], latch="u1"))
    stage.carry_out((write,))
    assert stage.view().latch == "u1"


def test_a_split_is_refused_when_the_object_has_changed_since(stage: Stage) -> None:
    stage.prepare()
    looked_at = stage.steered()
    (write,) = stage.router.patches(looked_at, split(100))
    assert isinstance(write, Patch)
    assert isinstance(write.body, dict)
    steered = looked_at.beside or looked_at.own
    assert steered is not None
    version = steered["metadata"]["resourceVersion"]
    assert write.body["metadata"]["resourceVersion"] == version


@pytest.mark.parametrize("weight", [1, 20, 100])
def test_the_users_object_is_as_it_was_after_a_restore(stage: Stage, weight: int) -> None:
    before = stage.users()
    stage.prepare()
    if weight in stage.case.reachable:
        stage.ask(split(weight, latch="u1"))
    stage.restore()
    assert stage.users() == before
    assert stage.steered().beside is None
    assert stage.view().asked == 0


def test_a_second_restore_changes_nothing(stage: Stage) -> None:
    stage.prepare()
    stage.ask(split())
    stage.restore()
    assert stage.router.restore(stage.steered()) == ()


def test_what_the_user_changed_meanwhile_is_kept(stage: Stage) -> None:
    stage.prepare()
    stage.ask(split())
    stage.label("team", "checkout")
    stage.restore()
    assert stage.users()["metadata"]["labels"] == {"team": "checkout"}
    assert LATCH not in stage.users()["metadata"].get("annotations", {})


def test_an_object_that_the_user_has_removed_is_left_alone(stage: Stage) -> None:
    gone = Steered(None)
    assert not stage.router.view(gone).ready
    assert stage.router.prepare(gone) == ()
    assert stage.router.patches(gone, split()) == ()
    assert stage.router.restore(gone) == ()


def test_canary_annotations_have_the_prefix_that_was_chosen_and_no_other(stage: Stage) -> None:
    stage.prepare()
    for weight in stage.case.reachable:
        stage.ask(split(weight, latch="u1"))
        assert stage.canary_annotations() == (
            {f"{stage.prefix}/canary": "true", f"{stage.prefix}/canary-weight": str(weight)}
            if stage.means is Means.INGRESS
            else {}
        )
    stage.restore()
    assert stage.canary_annotations() == {}


def test_every_router_has_a_case() -> None:
    assert set(CASES) == set(ROUTERS)
