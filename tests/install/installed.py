"""Our kinds, rights and admission policy on a real control plane, as an administrator puts them.

All tests of a run share one control plane, and some run at the same moment: the first one applies,
the others wait for it.
"""

import fcntl
import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from tests.controlplane.access import Access

ROOT: Final = Path(__file__).parent.parent.parent
MANIFESTS: Final = ROOT / "manifests" / "install"
ACCOUNT: Final = "system:serviceaccount:rollout-system:rollout-controller"
RELEASES: Final = "/apis/rollout.dev/v1alpha1/namespaces/default/releases"
FORGED: Final = {
    "apiVersion": "rollout.dev/v1alpha1",
    "kind": "Release",
    "metadata": {"name": "probe"},
    "spec": {"rollout": "probe", "version": "v1", "by": "somebody-else"},
}
LEASE_ROLE: Final = "rollout-controller-lease"


class Loader(yaml.SafeLoader):
    """Reads a plain `=` as text and `1e-06` as a number, as YAML 1.2 and Kustomize have them."""


Loader.add_constructor("tag:yaml.org,2002:value", lambda _, node: node.value)
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"-?\d+e[-+]?\d+"), list("-0123456789")
)


def kustomized(program: Path) -> list[dict[str, Any]]:
    """All objects, as our kubectl's Kustomize makes them of the folder."""
    done = subprocess.run(
        [program, "kubectl", "kustomize", str(MANIFESTS)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return list(yaml.load_all(done.stdout, Loader))


def install_rights(plane: Access) -> None:
    """Apply everything but the controller itself, once, and wait until the policy is in force."""
    with (plane.folder / "installing").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = plane.folder / "installed"
        if not done.exists():
            wanted = [one for one in kustomized(plane.program) if one["kind"] != "Deployment"]
            apply(plane, wanted)
            await_policy(plane)
            done.touch()


def apply(plane: Access, objects: list[dict[str, Any]]) -> None:
    """Apply objects as an administrator; what is there already is made the same."""
    text = "\n---\n".join(map(json.dumps, objects))
    plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)


def await_policy(plane: Access) -> None:
    """Wait until a forged Release is refused: the server takes a moment to heed a new policy."""
    deadline = time.monotonic() + 30
    with plane.client() as client:
        while time.monotonic() < deadline:
            answer = client.post(RELEASES, json=FORGED, params={"dryRun": "All"})
            if answer.status_code == httpx.codes.FORBIDDEN:
                return
            time.sleep(0.05)
    raise AssertionError(f"the policy does not act after 30 s: {answer.text}")


def account_token(plane: Access) -> str:
    """A token of the controller's service account."""
    account = ("rollout-controller", "--namespace=rollout-system", "--duration=2h")
    return plane.kubectl("create", "token", *account).stdout.strip()


def give_lease(plane: Access, namespace: str) -> None:
    """Give the controller the same rights to a Lease in another namespace than its own."""
    roles = [one for one in kustomized(plane.program) if one["metadata"]["name"] == LEASE_ROLE]
    for role in roles:
        role["metadata"]["namespace"] = namespace
    apply(plane, roles)
