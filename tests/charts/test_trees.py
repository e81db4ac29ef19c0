"""Both charts render what the Kustomize trees render; what differs is named in `trees.py`."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from rollout import __version__
from rollout.cli.manifests import objects
from rollout.resources.crd import definitions
from tests.charts.helm import CONTROLLER, KUBERNETES, Helm, Release, Tree
from tests.charts.trees import TWINS, Named, Twin, named, of_helm, of_kustomize
from tests.examples.test_trees import FOREIGN, OURS
from tests.examples.trees import build
from tests.install.installed import MANIFESTS, kustomized

pytestmark = pytest.mark.controlplane
HELM = Helm()
HOME = "rollout-system"
KEPT = {"helm.sh/resource-policy": "keep"}


def controller(*options: str) -> Tree:
    return HELM.template(Release(CONTROLLER, "delivery", HOME, options))


@pytest.fixture(params=TWINS)
def twin(request: pytest.FixtureRequest) -> Twin:
    return TWINS[str(request.param)]


def test_the_agent_is_what_its_tree_is(twin: Twin, kubectl_program: Path) -> None:
    theirs = of_kustomize(build(kubectl_program, twin.folder))
    ours = of_helm(HELM.template(twin.release), theirs, twin.names)
    assert ours.keys() == theirs.keys()
    for key, body in ours.items():
        assert body == theirs[key], key


def test_every_object_of_the_agent_is_valid_for_a_current_kubernetes(twin: Twin) -> None:
    for body in HELM.template(twin.release):
        if body["kind"] in OURS:
            OURS[body["kind"]].model_validate(body)
        elif body["apiVersion"] not in FOREIGN:
            kubernetes_validate.validate(body, KUBERNETES, strict=True)


@pytest.mark.parametrize(("overlay", "watched"), [("cluster", ""), ("namespace", "default")])
def test_the_controller_is_what_its_tree_is(
    kubectl_program: Path, overlay: str, watched: str
) -> None:
    theirs = of_kustomize(kustomized(kubectl_program, MANIFESTS / "overlays" / overlay))
    ours = of_helm(controller("--set", f"image.tag=edge,watchNamespace={watched}"), theirs)
    assert kept(ours) == {one["metadata"]["name"] for one in definitions()}
    assert image(ours) == "rollout-controller:edge"
    container(theirs)["image"] = "rollout-controller:edge"  # its tag, latest, is refused here
    assert ours.keys() == theirs.keys()
    for key, body in ours.items():
        assert body == theirs[key], key


def test_what_may_be_added_is_what_the_components_are() -> None:
    theirs: Named = {}
    for name in ("network-policy", "service-monitor"):
        text = (MANIFESTS / "components" / name / f"{name}.yaml").read_text()
        theirs |= of_kustomize([yaml.safe_load(text)])
    added = ("--set", "networkPolicy.enabled=true,monitoring.serviceMonitor.enabled=true")
    ours = of_helm(controller(*added), theirs)
    assert {key: ours[key] for key in theirs} == theirs
    assert ours.keys() - theirs.keys() == named(controller()).keys()


def kept(tree: Named) -> set[str]:
    """Names of the objects that stay when the chart goes; they are made as the tree has them."""
    found = {name for (_, name), body in tree.items() if annotations(body) == KEPT}
    for (_, name), body in tree.items():
        if name in found:
            del body["metadata"]["annotations"]
    return found


def annotations(body: dict[str, Any]) -> Any:
    return body["metadata"].get("annotations")


def container(tree: Named) -> dict[str, Any]:
    deployment = tree["Deployment", "rollout-controller"]
    (found,) = deployment["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def image(tree: Named) -> str:
    return str(container(tree)["image"])


def test_the_controller_is_the_program_of_its_version() -> None:
    assert image(named(controller())) == f"rollout-controller:{__version__}"


def test_every_object_of_the_controller_is_valid_for_a_current_kubernetes() -> None:
    for body in controller("--set", "networkPolicy.enabled=true"):
        kubernetes_validate.validate(body, KUBERNETES, strict=True)


def test_its_test_asks_the_service_whether_it_is_ready() -> None:
    tree = HELM.template(Release(CONTROLLER, "delivery", HOME), tests=True)
    found = named(tree)
    pod = found["Pod", "rollout-controller-test"]
    assert annotations(pod)["helm.sh/hook"] == "test"
    (asking,) = pod["spec"]["containers"]
    assert asking["image"] == image(found)
    service = found["Service", "rollout-controller"]["spec"]
    (port,) = [one for one in service["ports"] if one["name"] == "metrics"]
    ready = container(found)["readinessProbe"]["httpGet"]
    url = f"http://rollout-controller:{port['port']}{ready['path']}"
    assert asking["env"] == [{"name": "ASK_URL", "value": url}]
    assert not service["selector"].items() <= pod["metadata"]["labels"].items()


def test_another_namespace_is_used_everywhere() -> None:
    wanted = named(list(objects("delivery")))
    for key, body in named(HELM.template(Release(CONTROLLER, "x", "delivery"))).items():
        assert HOME not in str(body), key
        if body["kind"] == "ValidatingAdmissionPolicy":
            assert body["spec"] == wanted[key]["spec"]


def test_a_watched_namespace_is_the_only_one_with_rights() -> None:
    everywhere, ours = named(controller()), named(controller("--set", "watchNamespace=shop"))
    role, binding = ours["Role", "rollout-controller"], ours["RoleBinding", "rollout-controller"]
    assert role["rules"] == everywhere["ClusterRole", "rollout-controller"]["rules"]
    assert {one["metadata"]["namespace"] for one in (role, binding)} == {"shop"}
    assert binding["roleRef"]["kind"] == "Role"
    assert binding["subjects"][0]["namespace"] == HOME
    assert "--namespace=$(WATCH_NAMESPACE)" in container(ours)["args"]
    assert {"name": "WATCH_NAMESPACE", "value": "shop"} in container(ours)["env"]
    assert everywhere.keys() - ours.keys() == {
        ("ClusterRole", "rollout-controller"),
        ("ClusterRoleBinding", "rollout-controller"),
    }


@pytest.mark.parametrize(
    ("option", "kinds"),
    [
        ("crds.install=false", {"CustomResourceDefinition"}),
        ("serviceAccount.create=false", {"ServiceAccount"}),
        ("podDisruptionBudget.enabled=false", {"PodDisruptionBudget"}),
        (
            "admissionPolicies.enabled=false",
            {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"},
        ),
    ],
)
def test_what_others_bring_is_left_out(option: str, kinds: set[str]) -> None:
    everything = {body["kind"] for body in controller()}
    assert everything - {body["kind"] for body in controller("--set", option)} == kinds


def test_definitions_go_with_the_chart_when_asked() -> None:
    for body in controller("--set", "crds.keep=false"):
        assert annotations(body) is None
