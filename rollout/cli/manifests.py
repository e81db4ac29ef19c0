"""The objects of an installation, with the few things that differ from cluster to cluster.

The CRDs come from the models; the rest are the files of `manifests/install`, which travel in the
wheel as `rollout/manifests`. Kustomize makes the same of that folder: `overlays/namespace` is the
installation that watches one namespace, each folder of `components` is an `Extra`.
"""

from collections.abc import Collection, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import yaml

from rollout.resources.crd import definitions

NAMESPACE: Final = "rollout-system"
"""Where the files put the controller; the word stands in them for nothing else."""

CONTROLLER: Final = "rollout-controller"
"""Names the Deployment, its account, and the role that counts in namespaces."""

WATCHED: Final = "WATCH_NAMESPACE"
"""The variable of the container that names the one namespace."""


class Extra(StrEnum):
    """What is installed only where it is asked for, by its folder's name."""

    NETWORK_POLICY = "network-policy"
    SERVICE_MONITOR = "service-monitor"


def objects(
    namespace: str = NAMESPACE,
    image: str | None = None,
    watched: str | None = None,
    extras: Collection[Extra] = (),
) -> Iterator[dict[str, Any]]:
    """Give all objects, in an order in which one `kubectl apply` can create them.

    `image` None: that of the files. `watched` None: the controller works in all namespaces.
    """
    yield from definitions()
    for file in _files(extras):
        for found in yaml.safe_load_all(file.read_text()):
            body = _moved(found, namespace)
            if body["kind"] == "Deployment":
                _run(body, image, watched)
            if watched:
                _narrow(body, watched)
            yield body


def _moved(value: Any, namespace: str) -> Any:
    """Put another namespace in place of ours; in YAML `123` and `null` would be no names."""
    match value:
        case dict():
            return {key: _moved(item, namespace) for key, item in value.items()}
        case list():
            return [_moved(item, namespace) for item in value]
        case str():
            return value.replace(NAMESPACE, namespace)
    return value


def everything(namespace: str = NAMESPACE) -> Iterator[dict[str, Any]]:
    """Give all that may have been installed, whatever was asked for."""
    return objects(namespace, extras=tuple(Extra))


def _files(extras: Collection[Extra]) -> list[Path]:
    """Find what the kustomizations list, but for the folder of the CRDs."""
    package = Path(__file__).parent.parent
    packaged = package / "manifests"
    root = packaged if packaged.is_dir() else package.parent / "manifests" / "install"
    folders = [root / "base", *(root / "components" / extra for extra in Extra if extra in extras)]
    return [file for folder in folders for file in _listed(folder)]


def _listed(folder: Path) -> list[Path]:
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    return [folder / name for name in listed if name.endswith(".yaml")]


def _run(deployment: dict[str, Any], image: str | None, watched: str | None) -> None:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    container["image"] = image or container["image"]
    if watched:
        container["env"].append({"name": WATCHED, "value": watched})
        container["args"].append(f"--namespace=$({WATCHED})")


def _narrow(body: dict[str, Any], watched: str) -> None:
    """Give in one namespace what counts in namespaces; the rest stays the cluster's."""
    if body["metadata"]["name"] != CONTROLLER or not body["kind"].startswith("ClusterRole"):
        return
    body["kind"] = body["kind"].removeprefix("Cluster")
    body["metadata"]["namespace"] = watched
    if "roleRef" in body:
        body["roleRef"]["kind"] = "Role"
