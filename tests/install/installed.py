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

from rollout.cli.manifests import objects
from tests.controlplane.access import Access

ROOT: Final = Path(__file__).parent.parent.parent
MANIFESTS: Final = ROOT / "manifests" / "install"
SECURITY: Final = ROOT / "docs" / "security.md"
ACCOUNT: Final = "system:serviceaccount:rollout-system:rollout-controller"
RELEASES: Final = "/apis/rollout.dev/v1alpha1/namespaces/default/releases"
FORGED: Final = {
    "apiVersion": "rollout.dev/v1alpha1",
    "kind": "Release",
    "metadata": {"name": "probe"},
    "spec": {"rollout": "probe", "version": "v1", "by": "somebody-else"},
}


class Loader(yaml.SafeLoader):
    """Reads a plain `=` as text and `1e-06` as a number, as YAML 1.2 and Kustomize have them."""


Loader.add_constructor("tag:yaml.org,2002:value", lambda _, node: node.value)
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"-?\d+e[-+]?\d+$"), list("-0123456789")
)


def kustomized(program: Path, folder: Path = MANIFESTS) -> list[dict[str, Any]]:
    """All objects, as our kubectl's Kustomize makes them of a folder."""
    done = subprocess.run(
        [program, "kubectl", "kustomize", str(folder)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return list(yaml.load_all(done.stdout, Loader))


def install_rights(plane: Access) -> None:
    """Apply what counts for the whole cluster, once, and wait until the policy is in force.

    The controller itself is left out, and what it may do in namespaces: see `give_rights`.
    """
    with (plane.folder / "installing").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = plane.folder / "installed"
        if not done.exists():
            apply(plane, [one for one in kustomized(plane.program) if not _is_left_out(one)])
            await_policy(plane)
            done.touch()


def _is_left_out(body: dict[str, Any]) -> bool:
    kind, name = body["kind"], body["metadata"]["name"]
    return kind == "Deployment" or (kind, name) == ("ClusterRoleBinding", "rollout-controller")


def give_rights(plane: Access, namespace: str) -> None:
    """Give the controller its rights in one namespace, as `--watch-namespace` does; a Lease too."""
    with plane.client() as client:
        for one in objects(watched=namespace):
            if one["kind"] in {"Role", "RoleBinding"}:
                one["metadata"]["namespace"] = namespace
                _apply_right(client, one)


def _apply_right(client: httpx.Client, body: dict[str, Any]) -> None:
    """Apply it as kubectl would, which takes a tenth of a second of CPU to start."""
    meta, kinds = body["metadata"], f"{body['kind'].lower()}s"
    answer = client.patch(
        f"/apis/{body['apiVersion']}/namespaces/{meta['namespace']}/{kinds}/{meta['name']}",
        params={"fieldManager": "kubectl", "force": "true"},
        headers={"Content-Type": "application/apply-patch+yaml"},
        content=json.dumps(body),
    )
    assert answer.is_success, answer.text


def apply(plane: Access, objects: list[dict[str, Any]], *options: str) -> None:
    """Apply objects as an administrator; what is there already is made the same."""
    text = "\n---\n".join(map(json.dumps, objects))
    command = ("apply", "--server-side", "--force-conflicts", *options, "-f", "-")
    plane.kubectl(*command, stdin=text)


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


def secret_rights(namespace: str) -> list[dict[str, Any]]:
    """Read the Role for one Secret out of the security page, for a namespace of the tests."""
    page = SECURITY.read_text().partition("## Secrets for metrics")[2]
    found: list[dict[str, Any]] = list(yaml.safe_load_all(page.split("```yaml")[1].split("```")[0]))
    for body in found:
        body["metadata"]["namespace"] = namespace
    return found
