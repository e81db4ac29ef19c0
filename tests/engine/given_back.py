"""I5 at the end of a story: all that the user owns is as its owner had it, key by key."""

from collections.abc import Hashable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from rollout.resources.release import Phase
from rollout.resources.words import POD_TEMPLATE_HASH, RESTORE, RESTORE_FINALIZER, ROLLOUT_LABEL
from rollout.resources.writes import Kind, Object
from rollout.simulate.world import World
from tests.engine.states import States
from tests.engine.stories import Story

KINDS: Final = (Kind.DEPLOYMENT, Kind.SERVICE, Kind.INGRESS, Kind.ROLLOUT)
MOVING: Final = {"resourceVersion", "generation", "managedFields"}
"""What the server counts of an object, whoever writes to it."""
REVISION: Final = "deployment.kubernetes.io/revision"
DECIDED: Final = {"template", "replicas", "paused"}
"""Fields of the target that a release, or people, may have changed by the end."""


@dataclass(frozen=True)
class Owned:
    """What people own, as they have it."""

    objects: Mapping[str, Object]
    """KIND/name: the object as it was created."""
    template: Any
    """Pod template that people wrote to the target last; None: it never was there."""
    replicas: int | None

    @classmethod
    def of(cls, world: World) -> Self:
        """Take all that is there at first."""
        return cls({}, None, None).after(world, None)

    def after(self, world: World, before: Object | None) -> Self:
        """The same after somebody did something to the world; `before` is the target until then."""
        target = world.get(Kind.DEPLOYMENT, "web")
        old = before["spec"]["template"] if before is not None else None
        new = target["spec"]["template"] if target is not None else None
        return replace(
            self,
            objects={**_theirs(world), **self.objects},
            template=self.template if new in (None, old) else new,
            replicas=target["spec"]["replicas"] if target is not None else None,
        )

    def state(self, states: States) -> Hashable:
        """What people have, as a value."""
        return (
            *((key, states.text(obj)) for key, obj in self.objects.items()),
            None if self.template is None else states.text(self.template),
            self.replicas,
        )


def _theirs(world: World) -> dict[str, Object]:
    return {
        f"{kind.name}/{found['metadata']['name']}": found
        for kind in KINDS
        for found in world.all(kind)
        if ROLLOUT_LABEL not in (found["metadata"].get("labels") or {})
    }


def all_is_given_back(world: World, story: Story, owned: Owned, end: Phase) -> None:
    """Nothing of ours is left, and nothing of theirs has changed but what was asked for."""
    gone = {"DEPLOYMENT/web"} if story.gone else set[str]()
    for key, old in owned.objects.items():
        kind, name = key.split("/")
        new = world.get(Kind[kind], name)
        if new is None and (key in gone or kind == "ROLLOUT"):
            continue
        assert new is not None, f"{key} is gone"
        is_as_it_was(key, new, old, {RESTORE} if story.edited else ())
    target = world.get(Kind.DEPLOYMENT, "web")
    if target is not None:
        assert target["spec"]["template"] == wanted_template(story, owned, end), "the template"
        assert target["spec"]["replicas"] == owned.replicas, "the target's size"
        assert bool(target["spec"].get("paused")) == (story.paused or story.edited), "paused"
    nothing_of_ours_is_left(world, {*owned.objects, *story.extra} - gone)


def is_as_it_was(key: str, new: Object, old: Object, aside: Iterable[str] = ()) -> None:
    """Compare an object with what it was: metadata, and all of its spec that is its owner's."""
    assert _metadata(new, aside) == _metadata(old, aside), f"metadata of {key}"
    decided = DECIDED if key == "DEPLOYMENT/web" else set[str]()
    specs = [{k: v for k, v in one["spec"].items() if k not in decided} for one in (new, old)]
    assert specs[0] == specs[1], f"spec of {key}"


def _metadata(found: Object, aside: Iterable[str]) -> dict[str, Any]:
    metadata = {k: v for k, v in found["metadata"].items() if k not in MOVING}
    notes = metadata.pop("annotations", None) or {}
    kept = {key: value for key, value in notes.items() if key not in {REVISION, *aside}}
    return {**metadata, "annotations": kept}


def wanted_template(story: Story, owned: Owned, end: Phase) -> Any:
    """The template that the target must have: whole, and without a word of ours in it."""
    if story.edited or story.image is not None:
        return owned.template
    first = owned.objects["DEPLOYMENT/web"]["spec"]["template"]
    return with_tag(first, "v2") if end is Phase.SUCCEEDED else first


def with_tag(template: Any, tag: str) -> Any:
    """A template with another version of the same image, and nothing else changed."""
    changed = deepcopy(template)
    changed["spec"]["containers"][0]["image"] = f"registry.local/web:{tag}"
    return changed


def nothing_of_ours_is_left(world: World, expected: set[str]) -> None:
    """No object of ours is there, no Service is narrowed, and whatever ends may be deleted."""
    for kind in KINDS:
        kept = {key.split("/")[1] for key in expected if key.startswith(kind.name + "/")}
        found = {str(o["metadata"]["name"]) for o in world.all(kind)}
        assert found == kept or (kind is Kind.ROLLOUT and found < kept), f"{kind.name}: {found}"
    for service in world.all(Kind.SERVICE):
        assert POD_TEMPLATE_HASH not in service["spec"]["selector"], "a Service stays narrowed"
    for release in world.all(Kind.RELEASE):
        held = release["metadata"].get("finalizers") or []
        assert RESTORE_FINALIZER not in held, f"Release {release['metadata']['name']} is held"
