"""Which pod template a release ships: the target's, with another image in one container."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rollout.resources.objects import image_of
from rollout.resources.release import Release, Resolved
from rollout.resources.rollout import Rollout
from rollout.resources.writes import Object


@dataclass(frozen=True)
class Version:
    """A pod template, and the image that names it."""

    template: Mapping[str, Any] | None = None
    container: str = ""
    image: str = ""
    problem: str = ""


def with_version(image: str, version: str) -> str:
    """Return an image at another version.

    A version with a `/` or an `@` is a whole image already; else it replaces tag and digest.
    """
    if "/" in version or "@" in version:
        return version
    repository, slash, last = image.partition("@")[0].rpartition("/")
    return f"{repository}{slash}{last.partition(':')[0]}:{version}"


def version_of(
    release: Release, rollout: Rollout | None, target: Object | None, resolved: Resolved | None
) -> Version:
    """Say what a release ships; `problem` says why that cannot be told."""
    if resolved is not None:
        return Version(resolved.template, resolved.container, resolved.image)
    if target is None or rollout is None:
        return Version()
    template = target["spec"]["template"]
    containers = {str(c["name"]): c for c in template["spec"].get("containers") or []}
    name = rollout.spec.target.container or (next(iter(containers)) if len(containers) == 1 else "")
    if name not in containers:
        return Version(problem=_which(rollout.spec.target.container, containers))
    if release.spec.template is not None:
        return Version(release.spec.template, name, image_of(release.spec.template, name))
    image = with_version(str(containers[name].get("image", "")), str(release.spec.version))
    return Version(_with_image(template, name, image), name, image)


def _which(asked: str | None, containers: Mapping[str, Any]) -> str:
    names = ", ".join(containers)
    if asked:
        return f"spec.target.container: there is no container {asked} (there are: {names})"
    return f"spec.target.container: say which container is the version (there are: {names})"


def _with_image(template: Mapping[str, Any], name: str, image: str) -> dict[str, Any]:
    spec = template["spec"]
    containers = [{**c, "image": image} if c["name"] == name else c for c in spec["containers"]]
    return {**template, "spec": {**spec, "containers": containers}}
