"""Each check of the doctor, on a world in which it fails, and all of them on one that is well."""

from typing import Any

import pytest

from rollout.commands.doctor.examine import Visit, examine
from rollout.commands.doctor.finding import Level
from rollout.commands.refusal import CommandRefusedError
from rollout.kube.client import HttpCluster
from rollout.resources.writes import Create, Delete, Kind, Patch, PatchType
from tests import build
from tests.commands.ward import NOW, Ward, one, ward
from tests.controlplane.access import Access as ControlPlane
from tests.defined import define
from tests.resources.change import changed, without_rules
from tests.sandbox.practice import until

__all__ = ["ward"]
pytestmark = pytest.mark.system


def test_where_all_is_well_every_check_says_so(ward: Ward) -> None:
    found = ward.visit()
    assert {finding.level for finding in found} == {Level.OK}
    said = {finding.check: finding.message for finding in found}
    assert set(said) == {
        "access",
        "kinds",
        "rights",
        "controller",
        "web: traffic",
        "web: metrics",
    }
    assert "Services that carry the split: web" in said["web: traffic"]
    metrics = [finding.message for finding in found if finding.check == "web: metrics"]
    assert metrics[0] == "stable: errors, latency are counted"


def test_a_cluster_that_is_not_there_is_the_only_thing_that_is_said(ward: Ward) -> None:
    ward.server.stop()
    found = one(ward.bad(), Level.PROBLEM, "access")
    assert "cannot be reached" in found.message
    ward.server.start()


def test_credentials_that_nobody_knows_are_the_only_thing_that_is_said(ward: Ward) -> None:
    found = one(ward.bad("nobody"), Level.PROBLEM, "access")
    assert "log in again" in found.mend


def test_a_kind_that_is_not_installed_is_a_problem(ward: Ward) -> None:
    ward.cluster.apply(Delete(Kind.CUSTOM_RESOURCE_DEFINITION, "", "rolloutpolicies.rollout.dev"))
    found = [f for f in ward.bad() if f.check == "kinds"]
    assert one(found, Level.PROBLEM, "kinds").message == (
        "rolloutpolicies.rollout.dev is not installed"
    )
    assert "rollout crds | kubectl apply" in found[0].mend


def test_a_kind_of_an_older_rollout_is_a_problem_that_names_what_it_lacks(ward: Ward) -> None:
    versions = ward.cluster.get(Kind.CUSTOM_RESOURCE_DEFINITION, "", "releases.rollout.dev")[
        "spec"
    ]["versions"]
    del versions[0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["fast"]
    body = {"spec": {"versions": versions}}
    write = Patch(
        Kind.CUSTOM_RESOURCE_DEFINITION, "", "releases.rollout.dev", PatchType.MERGE, body
    )
    ward.cluster.apply(write)
    found = one(ward.bad(), Level.PROBLEM, "kinds")
    assert found.message == "releases.rollout.dev is of an older rollout: it lacks spec.fast"


def test_a_kind_that_is_not_established_says_why(ward: Ward) -> None:
    taken = {"type": "NamesAccepted", "status": "False", "message": '"rel" is already in use'}
    conditions = [taken, {"type": "Established", "status": "False"}]
    body = {"status": {"conditions": conditions}}
    definition = Kind.CUSTOM_RESOURCE_DEFINITION
    ward.cluster.apply(
        Patch(definition, "", "releases.rollout.dev", PatchType.MERGE, body, "status")
    )
    found = one(ward.bad(), Level.PROBLEM, "kinds")
    assert found.message == (
        'releases.rollout.dev is not established: NamesAccepted is False ("rel" is already in use),'
        " Established is False"
    )


@pytest.mark.parametrize(
    ("lease", "said"),
    [
        ({"spec": {"holderIdentity": ""}}, "nobody holds Lease default/rollout-controller"),
        (
            {"spec": {"renewTime": "2020-01-01T00:00:00.000000Z"}},
            "controller-1 has not renewed Lease default/rollout-controller for",
        ),
        (None, "there is no Lease rollout-controller in namespace rollout-system and default"),
    ],
)
def test_a_controller_that_is_not_alive_is_a_problem(
    ward: Ward, lease: dict[str, Any] | None, said: str
) -> None:
    if lease is None:
        ward.cluster.apply(Delete(Kind.LEASE, "default", "rollout-controller"))
    else:
        ward.patch(Kind.LEASE, "rollout-controller", lease)
    found = one(ward.bad(), Level.PROBLEM, "controller")
    assert said in found.message
    assert "start one: `rollout install --image IMAGE | kubectl apply -f -`" in found.mend


def test_a_controller_that_leads_elsewhere_is_found_by_its_lease(ward: Ward) -> None:
    """As one does that was started by hand, with a kubeconfig of another namespace."""
    ward.cluster.apply(Delete(Kind.LEASE, "default", "rollout-controller"))
    ward.cluster.apply(Create(Kind.LEASE, "kube-public", ward.lease(holder="by-hand")))
    (found,) = (f for f in ward.visit() if f.check == "controller")
    assert found.message.startswith("by-hand leads; it renewed Lease kube-public/rollout-control")


def test_an_installed_controller_without_a_ready_pod_is_not_told_to_be_installed(
    ward: Ward,
) -> None:
    ward.cluster.apply(Delete(Kind.LEASE, "default", "rollout-controller"))
    body = build.deployment(name="rollout-controller", replicas=2)
    body["metadata"].pop("namespace", None)
    selector = {"app": "rollout-controller"}
    body["spec"]["selector"]["matchLabels"] = selector
    body["spec"]["template"]["metadata"]["labels"] = selector
    ward.create(body)
    found = one(ward.bad(), Level.PROBLEM, "controller")
    assert found.message == (
        "there is no Lease rollout-controller in namespace rollout-system and default: none has "
        "ever run there; Deployment default/rollout-controller has 0 of 2 pods ready"
    )
    assert "`kubectl describe pods -n default -l " in found.mend


def test_a_service_that_cannot_be_steered_is_a_problem_with_the_words_of_the_rules(
    ward: Ward,
) -> None:
    ward.patch(Kind.SERVICE, "web", {"spec": {"publishNotReadyAddresses": True}})
    found = one(ward.bad(), Level.PROBLEM, "web: traffic")
    assert "publishNotReadyAddresses: true" in found.message
    assert "set it to false" in found.mend


def test_a_canary_without_an_ingress_is_a_problem(ward: Ward) -> None:
    ward.cluster.apply(Delete(Kind.INGRESS, "default", "web"))
    ward.patch(Kind.ROLLOUT, "web", {"spec": {"traffic": {"shareBy": "Ingress"}}})
    found = one(ward.bad(), Level.PROBLEM, "web: traffic")
    assert "blue-green" in found.mend


def test_what_passes_by_itself_is_only_a_warning(ward: Ward) -> None:
    ward.patch(Kind.DEPLOYMENT, "web", {"spec": {"replicas": 2}})
    until(lambda: len(ward.cluster.list(Kind.POD, "default").items) == 2, "the second pod")
    found = [f for f in ward.bad() if f.check == "web: traffic"]
    assert "is not settled" in one(found, Level.WARNING, "web: traffic").message


def test_a_tool_that_owns_the_deployment_is_a_warning(ward: Ward) -> None:
    notes = {"argocd.argoproj.io/tracking-id": "x"}
    ward.patch(Kind.DEPLOYMENT, "web", {"metadata": {"annotations": notes}})
    assert "Argo CD owns" in one(ward.bad(), Level.WARNING, "web: owner").message


@pytest.mark.parametrize(
    ("spec", "level", "said"),
    [
        ({"minAvailable": 1}, Level.PROBLEM, "minAvailable: 1 for 1 replicas"),
        ({"maxUnavailable": 0}, Level.PROBLEM, "maxUnavailable: 0"),
        ({"maxUnavailable": "0%"}, Level.PROBLEM, "maxUnavailable: 0%"),
        ({"minAvailable": "100%"}, Level.PROBLEM, "minAvailable: 100%"),
    ],
)
def test_a_budget_under_which_no_pod_can_be_evicted_is_a_problem(
    ward: Ward, spec: dict[str, Any], level: Level, said: str
) -> None:
    ward.create(ward.budget(**spec))
    found = one(ward.bad(), level, "web: disruption")
    assert said in found.message
    assert "maxUnavailable: 25%" in found.mend


def test_an_absolute_budget_lets_a_drain_take_all_of_stable(ward: Ward) -> None:
    ward.patch(Kind.DEPLOYMENT, "web", {"spec": {"replicas": 4}})
    ward.create(ward.budget(minAvailable=2))
    found = [f for f in ward.bad() if f.check == "web: disruption"]
    assert "may evict every pod of the stable version" in (
        one(found, Level.WARNING, "web: disruption").message
    )


def test_a_relative_budget_is_well_and_one_of_other_pods_is_none_of_ours(ward: Ward) -> None:
    ward.create(ward.budget(maxUnavailable="25%"))
    assert ward.bad() == []
    other = ward.budget(minAvailable=5)
    other["metadata"]["name"] = "other"
    other["spec"]["selector"] = {
        "matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]
    }
    ward.create(other)
    assert ward.bad() == []


def test_an_autoscaler_that_follows_memory_is_a_warning(ward: Ward) -> None:
    target = {"type": "Utilization", "averageUtilization": 80}
    ward.create(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                "maxReplicas": 9,
                "metrics": [{"type": "Resource", "resource": {"name": "memory", "target": target}}],
            },
        }
    )
    assert "follows memory" in one(ward.bad(), Level.WARNING, "web: autoscaler").message


def test_a_namespace_without_a_rollout_is_a_warning(ward: Ward) -> None:
    ward.cluster.apply(Delete(Kind.ROLLOUT, "default", "web"))
    assert "`rollout init DEPLOYMENT`" in one(ward.bad(), Level.WARNING, "rollouts").mend


def test_a_rollout_that_is_not_there_is_refused_with_those_that_are(ward: Ward) -> None:
    with pytest.raises(CommandRefusedError, match=r"there is no Rollout shop .* \(there are: web"):
        ward.visit(rollout="shop")


@pytest.mark.controlplane
def test_on_a_real_control_plane_all_that_can_be_looked_at_is_well(
    control_plane: ControlPlane, namespace: str
) -> None:
    ca = str(control_plane.ca_file)
    with HttpCluster.for_server(control_plane.url, control_plane.token(), ca) as cluster:
        define(cluster)
        for body in (build.deployment(), build.service(), build.ingress(), build.rollout()):
            kind = next(kind for kind in Kind if kind.value.kind == body["kind"])
            cluster.apply(Create(kind, namespace, body))
        found = list(examine(cluster, Visit(namespace), NOW))
    bad = {one.check for one in found if one.level is not Level.OK}
    assert {"access", "kinds", "rights"}.isdisjoint(bad), found
    # Nothing runs there: neither pods nor a controller.
    assert bad <= {"controller", "web: traffic", "web: metrics"}, found


def test_an_invalid_rollout_is_a_problem_of_its_own(ward: Ward) -> None:
    name = "rollouts.rollout.dev"
    known = ward.cluster.get(Kind.CUSTOM_RESOURCE_DEFINITION, "", name)
    versions = without_rules(known["spec"]["versions"])
    body = {"spec": {"versions": versions}}
    ward.cluster.apply(Patch(Kind.CUSTOM_RESOURCE_DEFINITION, "", name, PatchType.MERGE, body))
    two = build.rollout("two", strategy={"canary": {}, "blueGreen": {}})
    ward.create(changed(two, "spec.target.deployment", "other"))
    found = ward.visit()
    assert one([f for f in found if f.level is Level.PROBLEM], Level.PROBLEM, "two").message == (
        "the Rollout is invalid: spec.strategy: set exactly one of canary and blueGreen"
    )
    assert any(f.check == "web: traffic" for f in found)
