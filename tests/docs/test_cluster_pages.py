"""Pages for whoever looks after a cluster: their commands are typed on a real control plane.

One of our own, because what they apply counts for all namespaces.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.controlplane.access import Access
from tests.controlplane.cluster import ControlPlane
from tests.foreign import install_foreign
from tests.gitops.manifests import ACCOUNT, kustomized
from tests.install.grounds import await_kinds, until
from tests.install.installed import ROOT
from tests.person import Person, blocks, command

pytestmark = [pytest.mark.system, pytest.mark.controlplane, pytest.mark.timeout(180)]


@dataclass(frozen=True)
class Question:
    """What may be asked of somebody before and after a block, and the answers."""

    verb: str
    who: tuple[str, ...]
    namespace: str
    before: bool
    after: bool


ON_CALL: Final = ("--as=ana", "--as-group=on-call")
THEIRS: Final = {"url": "https://argocd.example.com"}
WALKS: Final = {
    "docs/git.md": (Question("rollback", (f"--as={ACCOUNT}",), "shop", before=False, after=True),),
    "docs/security.md": (Question("rollback", ON_CALL, "shop", before=False, after=True),),
}
"""The blocks of each page, in order."""


@pytest.fixture
def plane(own_control_plane: ControlPlane) -> Access:
    return own_control_plane.access


@pytest.fixture
def administrator(plane: Access, tmp_path: Path) -> Person:
    """Somebody in a checkout of ours, whose cluster has the shop and all kinds of others."""
    person = Person.at(tmp_path / "desk", plane.program)
    person.environment["KUBECONFIG"] = str(plane.kubeconfig)
    (person.folder / "manifests").symlink_to(ROOT / "manifests")
    install_foreign(plane)
    for name in ("shop", "argocd"):
        plane.kubectl("create", "namespace", name)
    return person


def types(person: Person, script: str) -> str:
    done = person.types(script)
    assert done.returncode == 0, f"{script}{done.stdout}{done.stderr}"
    return done.stdout


def may(plane: Access, question: Question) -> bool:
    asked = ("auth", "can-i", question.verb, "releases.rollout.dev", *question.who)
    return plane.kubectl(*asked, namespace=question.namespace, check=False).returncode == 0


def test_installed_for_one_namespace_bound_and_given_to_argo_cd_and_removed(
    administrator: Person, plane: Access
) -> None:
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(their_settings()))
    types(administrator, command("docs/install.md", "rollout install --watch-namespace"))
    await_kinds(plane)
    for page, questions in WALKS.items():
        for script, question in zip(blocks(ROOT / page), questions, strict=True):
            assert may(plane, question) is question.before, page
            types(administrator, script)
            until(lambda: may(plane, question) is question.after, page)  # noqa: B023 - at once
    check_binding(plane)
    check_argo_cd(plane)
    check_removal(administrator, plane)


def their_settings() -> dict[str, Any]:
    """Argo CD's own, and a key of its owner, who applies by the client as its manual shows."""
    metadata = {"name": "argocd-cm", "namespace": "argocd"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": THEIRS}


def check_binding(plane: Access) -> None:
    """Who is on call may not ship, nor take anything back anywhere else."""
    for verb, namespace in (("promote", "shop"), ("rollback", "default")):
        assert not may(plane, Question(verb, ON_CALL, namespace, before=False, after=False))


def check_argo_cd(plane: Access) -> None:
    """It has what the page says, and what was there before."""
    shown = ("get", "configmap/argocd-cm", "-o", "json")
    (ours,) = kustomized("settings")
    data = json.loads(plane.kubectl(*shown, namespace="argocd").stdout)["data"]
    assert data == {**THEIRS, **ours["data"]}
    found = plane.kubectl("get", "applications,appprojects", "-o", "name", namespace="argocd")
    assert found.stdout.split() == [
        "application.argoproj.io/shop",
        "appproject.argoproj.io/shop",
    ]


def check_removal(administrator: Person, plane: Access) -> None:
    """The first says what the second does."""
    said = types(administrator, command("docs/install.md", "rollout uninstall"))
    assert "Nothing was done" in said
    kinds = ("api-resources", "--api-group=rollout.dev", "-o", "name")
    assert plane.kubectl(*kinds).stdout
    types(administrator, command("docs/install.md", "rollout uninstall --yes"))
    assert plane.kubectl(*kinds).stdout == ""


REFERENCE: Final = "docs/reference/cli.md"


def test_the_examples_of_the_reference_install_look_and_remove(
    administrator: Person, plane: Access
) -> None:
    assert "created" in types(administrator, command(REFERENCE, "rollout crds | kubectl"))
    types(administrator, command(REFERENCE, "rollout install --image"))
    await_kinds(plane)
    looked = administrator.types(command(REFERENCE, "rollout doctor --as-controller"))
    assert "may do all that the controller does" in looked.stdout
    assert looked.returncode == 1, "no kubelet runs the controller's pods here"
    assert "Nothing was done" in types(administrator, command(REFERENCE, "rollout uninstall"))
    assert installed(plane)
    types(administrator, command(REFERENCE, "rollout uninstall --yes"))
    check_gone(plane)
    types(administrator, command(REFERENCE, "rollout install --watch-namespace"))
    await_kinds(plane)
    assert "rolebinding.rbac.authorization.k8s.io/rollout-controller" in ours(plane, "shop")
    types(administrator, command(REFERENCE, "rollout uninstall --roll-back"))
    check_gone(plane)
    types(administrator, command(REFERENCE, "rollout install --with"))
    also = {"networkpolicy.networking.k8s.io", "servicemonitor.monitoring.coreos.com"}
    assert also <= {name.partition("/")[0] for name in ours(plane, "rollout-system")}


def installed(plane: Access) -> list[str]:
    """Give what a cluster keeps of ours, for all namespaces."""
    found = plane.kubectl("get", "crd,namespace,clusterrole", "-o", "name")
    return [name for name in found.stdout.split() if "rollout.dev" in name or "rollout-" in name]


def check_gone(plane: Access) -> None:
    until(lambda: installed(plane) == [], "all of it is gone")


def ours(plane: Access, namespace: str) -> list[str]:
    """Give what bears our label in a namespace."""
    kinds = "rolebinding,networkpolicy,servicemonitor"
    label = ("-l", "app.kubernetes.io/part-of=rollout")
    return plane.kubectl("get", kinds, *label, "-o", "name", namespace=namespace).stdout.split()
