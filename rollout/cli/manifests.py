"""The objects of an installation, with the few things that differ from cluster to cluster.

The CRDs come from the models; the rest are the files of `manifests/install`, which travel in the
wheel as `rollout/manifests`. Kustomize makes the same of that folder.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from rollout.resources.crd import definitions

NAMESPACE: Final = "rollout-system"
"""Where the files put the controller; the word stands in them for nothing else."""

CONTROLLER: Final = "rollout-controller"
"""Names the Deployment, its account, and the role that counts in namespaces."""


def objects(
    namespace: str = NAMESPACE, image: str | None = None, watched: str | None = None
) -> Iterator[dict[str, Any]]:
    """Give all objects, in an order in which one `kubectl apply` can create them.

    `image` None: that of the files. `watched` None: the controller works in all namespaces.
    """
    yield from definitions()
    for file in _files():
        text = file.read_text().replace(NAMESPACE, namespace)
        for body in yaml.safe_load_all(text):
            if body["kind"] == "Deployment":
                _run(body, image, watched)
            if watched and body["kind"] == "ClusterRoleBinding":
                _narrow(body, watched)
            yield body


def _files() -> list[Path]:
    """Find what the kustomization lists, but for the folder of the CRDs."""
    package = Path(__file__).parent.parent
    packaged = package / "manifests"
    folder = packaged if packaged.is_dir() else package.parent / "manifests" / "install"
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    return [folder / name for name in listed if name.endswith(".yaml")]


def _run(deployment: dict[str, Any], image: str | None, watched: str | None) -> None:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    container["image"] = image or container["image"]
    if watched:
        container["args"].append(f"--namespace={watched}")


def _narrow(binding: dict[str, Any], watched: str) -> None:
    """Bind in one namespace what counts in namespaces; the rest stays the cluster's."""
    if binding["metadata"]["name"] == CONTROLLER:
        binding["kind"] = "RoleBinding"
        binding["metadata"]["namespace"] = watched
