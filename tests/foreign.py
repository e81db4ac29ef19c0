"""The real CRDs of kinds that the examples use and Kubernetes does not have.

Their projects are Go modules, so Go's own proxy has them, and checks what it gives.
"""

import fcntl
import json
import subprocess
from pathlib import Path
from typing import Final

import yaml

from tests.controlplane.access import Access
from tests.controlplane.build import SOURCES
from tests.install.installed import apply
from tests.programs.program import cache_folder
from tests.programs.toolchain import environment, find_go

DOWNLOAD_SECONDS: Final = 300
MODULES: Final = {
    "github.com/external-secrets/external-secrets@v1.3.2": (
        "config/crds/bases/external-secrets.io_externalsecrets.yaml"
    ),
    "github.com/bitnami-labs/sealed-secrets@v0.40.0": (
        "helm/sealed-secrets/crds/bitnami.com_sealedsecrets.yaml"
    ),
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": (
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml"
    ),
}


def install_foreign(plane: Access) -> None:
    """Let a control plane know all of them, once for all tests that share it."""
    with (plane.folder / "installing-foreign").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = plane.folder / "installed-foreign"
        if done.exists():
            return
        found = [_definition(module, path) for module, path in MODULES.items()]
        apply(plane, [yaml.safe_load(file.read_text()) for file in found])
        names = [yaml.safe_load(file.read_text())["metadata"]["name"] for file in found]
        crds = [f"crd/{name}" for name in names]
        plane.kubectl("wait", "--for=condition=Established", "--timeout=20s", *crds)
        done.touch()


def _definition(module: str, path: str) -> Path:
    """Give the file of a module's CRD, downloaded into the user's cache."""
    go = find_go((SOURCES / "go.mod").read_text(), cache_folder())
    done = subprocess.run(
        [str(go), "mod", "download", "-json", module],
        env=environment(),
        cwd=cache_folder(),  # where there is no go.mod
        capture_output=True,
        text=True,
        timeout=DOWNLOAD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{module}: {done.stdout}{done.stderr}"
    return Path(json.loads(done.stdout)["Dir"]) / path
