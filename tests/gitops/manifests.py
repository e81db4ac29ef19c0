"""What `manifests/argocd` says, read as Argo CD reads it."""

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from rollout.resources.writes import Object
from tests.controlplane.build import ensure_built

FOLDER: Final = Path(__file__).parents[2] / "manifests" / "argocd"
ACCOUNT: Final = "system:serviceaccount:argocd:argocd-server"


@cache
def kustomized(folder: str = ".") -> tuple[dict[str, Any], ...]:
    """Have Kustomize put a folder together."""
    done = subprocess.run(
        [ensure_built(sys.stderr), "kubectl", "kustomize", str(FOLDER / folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def config_map(into: Path) -> Path:
    """Write argocd-cm into a folder; gives the file."""
    (found,) = kustomized("settings")
    file = into / "argocd-cm.yaml"
    file.write_text(yaml.safe_dump(found))
    return file


def application(namespace: str = "shop") -> Object:
    """Give the Application, with another namespace than the shop's if so wished."""
    found = _only("Application")
    there = {**found["spec"]["destination"], "namespace": namespace}
    return {**found, "spec": {**found["spec"], "destination": there}}


def project(namespace: str = "shop") -> Object:
    """Give its AppProject, likewise."""
    found = _only("AppProject")
    places = [{**one, "namespace": namespace} for one in found["spec"]["destinations"]]
    return {**found, "spec": {**found["spec"], "destinations": places}}


def _only(kind: str) -> Object:
    (found,) = (one for one in kustomized() if one["kind"] == kind)
    return found
