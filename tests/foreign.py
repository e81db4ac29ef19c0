"""The real CRDs of kinds that our manifests use and Kubernetes does not have.

Their projects are Go modules.
"""

import fcntl
from typing import Final

import yaml

from tests.controlplane.access import Access
from tests.install.installed import apply
from tests.programs.modules import folder

ARGO_CD: Final = "github.com/argoproj/argo-cd/v3@v3.2.1"
FILES: Final = (
    (
        "github.com/external-secrets/external-secrets@v1.3.2",
        "config/crds/bases/external-secrets.io_externalsecrets.yaml",
    ),
    (
        "github.com/bitnami-labs/sealed-secrets@v0.40.0",
        "helm/sealed-secrets/crds/bitnami.com_sealedsecrets.yaml",
    ),
    (
        "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
    ),
    (ARGO_CD, "manifests/crds/application-crd.yaml"),
    (ARGO_CD, "manifests/crds/appproject-crd.yaml"),
)
"""Each in a module, whose version is named."""


def install_foreign(plane: Access) -> None:
    """Let a control plane know all of them, once for all tests that share it."""
    with (plane.folder / "installing-foreign").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = plane.folder / "installed-foreign"
        if done.exists():
            return
        found = [folder(module) / path for module, path in FILES]
        apply(plane, [yaml.safe_load(file.read_text()) for file in found])
        names = [yaml.safe_load(file.read_text())["metadata"]["name"] for file in found]
        crds = [f"crd/{name}" for name in names]
        plane.kubectl("wait", "--for=condition=Established", "--timeout=20s", *crds)
        done.touch()
