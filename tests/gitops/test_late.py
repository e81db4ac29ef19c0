"""A Deployment whose pods do not come in time, as Kubernetes' own controller tells of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from rollout.kube.client import HttpCluster
from rollout.resources.words import RESTORE
from rollout.resources.writes import Create, Kind, Object, Patch, PatchType
from tests import build
from tests.controlplane.access import Access
from tests.gitops.build import ARGO_CD
from tests.gitops.manifests import config_map
from tests.gitops.parts import answers
from tests.scenarios.test_commits import await_

pytestmark = [pytest.mark.system, pytest.mark.controlplane, pytest.mark.timeout(60)]
OWN_KEY: Final = "resource.customizations.health.apps_Deployment"
HELD: Final = {"metadata": {"annotations": {RESTORE: "{}"}}, "spec": {"paused": True}}
NEWER: Final = {"spec": {"template": {"metadata": {"annotations": {"newer": "yes"}}}}}
LATE: Final = 'Deployment "web" exceeded its progress deadline'


@pytest.fixture
def cluster(control_plane: Access) -> Iterator[HttpCluster]:
    found = HttpCluster.for_server(
        control_plane.url, control_plane.token(), str(control_plane.ca_file)
    )
    yield found
    found.close()


def test_it_is_degraded_also_while_it_is_held_until_a_newer_template_waits(
    cluster: HttpCluster, namespace: str, tmp_path: Path
) -> None:
    """Nobody runs pods in this namespace."""
    body = build.deployment(replicas=2, progressDeadlineSeconds=1)
    cluster.apply(Create(Kind.DEPLOYMENT, namespace, body))
    await_(lambda: is_late(cluster, namespace))
    assert (of_argo_cd(cluster, namespace, tmp_path), ours(cluster, namespace, tmp_path)) == (
        ("Degraded", LATE),
        ("Degraded", LATE),
    )
    change(cluster, namespace, {"spec": HELD["spec"]})
    assert of_argo_cd(cluster, namespace, tmp_path) == ours(cluster, namespace, tmp_path)
    assert ours(cluster, namespace, tmp_path)[0] == "Suspended"
    change(cluster, namespace, HELD)
    assert is_late(cluster, namespace)
    assert ours(cluster, namespace, tmp_path) == ("Degraded", LATE)
    change(cluster, namespace, NEWER)
    assert is_late(cluster, namespace)
    assert ours(cluster, namespace, tmp_path)[0] == "Suspended"


def test_it_is_healthy_when_its_pods_have_come_after_all(
    cluster: HttpCluster, namespace: str, tmp_path: Path
) -> None:
    """Kubernetes leaves the reason on a paused Deployment."""
    body = build.deployment(replicas=2, progressDeadlineSeconds=1)
    cluster.apply(Create(Kind.DEPLOYMENT, namespace, body))
    await_(lambda: is_late(cluster, namespace))
    change(cluster, namespace, HELD)
    for pod in cluster.list(Kind.POD, namespace).items:
        come(cluster, namespace, pod)
    await_(lambda: found(cluster, namespace)["status"].get("availableReplicas") == 2)
    assert is_late(cluster, namespace)
    assert ours(cluster, namespace, tmp_path)[0] == "Healthy"


def found(cluster: HttpCluster, namespace: str) -> Object:
    return cluster.get(Kind.DEPLOYMENT, namespace, "web")


def is_late(cluster: HttpCluster, namespace: str) -> bool:
    conditions = found(cluster, namespace).get("status", {}).get("conditions", [])
    return any(one.get("reason") == "ProgressDeadlineExceeded" for one in conditions)


def change(cluster: HttpCluster, namespace: str, body: Any) -> None:
    """Change the Deployment, and wait until Kubernetes has seen it."""
    patch = Patch(Kind.DEPLOYMENT, namespace, "web", PatchType.MERGE, body)
    generation = cluster.apply(patch)["metadata"]["generation"]
    await_(lambda: found(cluster, namespace)["status"]["observedGeneration"] == generation)


def come(cluster: HttpCluster, namespace: str, pod: Object) -> None:
    """Say of a pod that it is ready, as a node does."""
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    name, body = pod["metadata"]["name"], {"status": ready}
    cluster.apply(Patch(Kind.POD, namespace, name, PatchType.MERGE, body, "status"))


def ours(cluster: HttpCluster, namespace: str, folder: Path) -> tuple[str, str]:
    """What Argo CD shows of it with our settings."""
    return shown(found(cluster, namespace), config_map(folder))


def of_argo_cd(cluster: HttpCluster, namespace: str, folder: Path) -> tuple[str, str]:
    """What it shows by itself."""
    settings = config_map(folder)
    bare = yaml.safe_load(settings.read_text())
    del bare["data"][OWN_KEY]
    settings.write_text(yaml.safe_dump(bare))
    return shown(found(cluster, namespace), settings)


def shown(deployment: Object, settings: Path) -> tuple[str, str]:
    (said,) = answers(ARGO_CD, ["judge", "-config-map", str(settings)], [deployment])
    return said["health"], said["message"]
