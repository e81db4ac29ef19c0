"""What every `Cluster` does alike: the real control plane, the practice cluster, the simulated one.

The real control plane is the oracle: a claim is written here once it holds there.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from itertools import islice
from pathlib import Path
from queue import Queue
from typing import Any, cast

import pytest

from rollout.kube.cache import Change, ChangeType
from rollout.kube.candidate import Candidate, Durations
from rollout.kube.client import HttpCluster, connect
from rollout.kube.cluster import Cluster, EventType, WatchEvent
from rollout.kube.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refused,
    Unauthorized,
    Unreachable,
)
from rollout.kube.events import EventLevel, Recorder
from rollout.kube.reflector import Reflector
from rollout.resources.writes import Create, Delete, Kind, Object, Patch, PatchType, Resource
from rollout.simulate.cluster import SimulatedCluster
from tests.conformance.player import MOST_WATCHES
from tests.controlplane.access import Access


@dataclass(frozen=True)
class Case:
    """One implementation, with a namespace of one's own."""

    cluster: Cluster
    namespace: str

    def create(self, kind: Kind, name: str, **fields: Any) -> Object:
        labels = fields.pop("labels", {})
        metadata = {"name": name, "labels": labels, **fields.pop("metadata", {})}
        body = {
            "apiVersion": kind.value.api_version,
            "kind": kind.value.kind,
            "metadata": metadata,
            **fields,
        }
        return self.cluster.apply(Create(kind, self.namespace, body))

    def patch(
        self,
        kind: Kind,
        name: str,
        body: Any,
        how: PatchType = PatchType.MERGE,
        subresource: str | None = None,
    ) -> Object:
        return self.cluster.apply(Patch(kind, self.namespace, name, how, body, subresource))

    def get(self, kind: Kind, name: str) -> Object:
        return self.cluster.get(kind, self.namespace, name)

    def service(self, name: str = "checkout", **fields: Any) -> Object:
        spec = {"selector": {"app": name}, "ports": [{"name": "http", "port": 80}]}
        return self.create(Kind.SERVICE, name, spec={**spec, **fields.pop("spec", {})}, **fields)

    def deployment(self, name: str = "checkout", **spec: Any) -> Object:
        labels = {"app": name}
        pod = {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }
        wanted = {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod, **spec}
        return self.create(Kind.DEPLOYMENT, name, spec=wanted)


def version(thing: Object) -> str:
    return str(thing["metadata"]["resourceVersion"])


class Unknown(Enum):
    """A kind that no server knows."""

    THING = Resource("Thing", "things", "none.test")


class Contract:
    """The claims. A class for each implementation brings the fixture `case`."""

    def test_a_created_object_is_complete_and_can_be_read(self, case: Case) -> None:
        created = case.service()
        metadata = created["metadata"]
        assert (created["apiVersion"], created["kind"]) == ("v1", "Service")
        assert (metadata["name"], metadata["namespace"]) == ("checkout", case.namespace)
        assert metadata["uid"]
        assert metadata["creationTimestamp"]
        assert version(created).isdecimal()
        assert case.get(Kind.SERVICE, "checkout") == created

    def test_a_name_can_be_taken_once(self, case: Case) -> None:
        case.service()
        with pytest.raises(AlreadyExists) as caught:
            case.service()
        assert str(caught.value) == 'services "checkout" already exists'
        assert (caught.value.status, caught.value.reason) == (409, "AlreadyExists")

    @pytest.mark.parametrize("verb", ["get", "patch", "delete", "status", "scale"])
    def test_what_is_not_there_is_not_found_by_name(self, case: Case, verb: str) -> None:
        place = (Kind.DEPLOYMENT, case.namespace, "nothing")
        calls: dict[str, Callable[[], object]] = {
            "get": lambda: case.cluster.get(*place),
            "patch": lambda: case.cluster.apply(Patch(*place, PatchType.MERGE, {"spec": {}})),
            "delete": lambda: case.cluster.apply(Delete(*place)),
            "status": lambda: case.cluster.apply(Patch(*place, PatchType.MERGE, {}, "status")),
            "scale": lambda: case.cluster.apply(Patch(*place, PatchType.MERGE, {}, "scale")),
        }
        with pytest.raises(NotFound) as caught:
            calls[verb]()
        assert str(caught.value) == 'deployments.apps "nothing" not found'
        assert caught.value.details["name"] == "nothing"
        assert not caught.value.kind_is_missing

    def test_nothing_is_created_in_a_namespace_that_is_not_there(self, case: Case) -> None:
        body = {"metadata": {"name": "a"}}
        with pytest.raises(NotFound) as caught:
            case.cluster.apply(Create(Kind.CONFIG_MAP, "no-such-namespace", body))
        assert str(caught.value) == 'namespaces "no-such-namespace" not found'

    def test_an_invalid_object_is_refused_with_its_fields(self, case: Case) -> None:
        with pytest.raises(Invalid) as caught:
            case.service(spec={"ports": [{"name": "http", "port": 0}]})
        assert "spec.ports[0].port" in [cause.field for cause in caught.value.causes]
        assert "spec.ports[0].port" in str(caught.value)

    def test_a_list_has_the_objects_of_the_namespace_with_their_kind(self, case: Case) -> None:
        before = case.create(Kind.CONFIG_MAP, "a")
        case.create(Kind.CONFIG_MAP, "b")
        listed = case.cluster.list(Kind.CONFIG_MAP, case.namespace)
        ours = [i for i in listed.items if i["metadata"]["name"] in ("a", "b")]
        assert [(i["apiVersion"], i["kind"]) for i in ours] == [("v1", "ConfigMap")] * 2
        assert ours[0] == before
        assert int(listed.resource_version) >= int(version(ours[1]))
        everywhere = case.cluster.list(Kind.CONFIG_MAP).items
        assert ours[0] in everywhere

    @pytest.mark.parametrize(
        ("selector", "names"),
        [
            ("app=shop", ["a", "b"]),
            ("app==shop,track=candidate", ["b"]),
            ("app=shop,track!=candidate", ["a"]),
            ("track", ["b"]),
            ("app,!track", ["a", "c"]),
            ("app in (shop,bank),track notin (candidate)", ["a", "c"]),
            ("app=none", []),
        ],
    )
    def test_a_list_can_be_narrowed_by_labels(
        self, case: Case, selector: str, names: list[str]
    ) -> None:
        case.create(Kind.CONFIG_MAP, "a", labels={"app": "shop"})
        case.create(Kind.CONFIG_MAP, "b", labels={"app": "shop", "track": "candidate"})
        case.create(Kind.CONFIG_MAP, "c", labels={"app": "bank"})
        listed = case.cluster.list(Kind.CONFIG_MAP, case.namespace, selector)
        assert [item["metadata"]["name"] for item in listed.items] == names

    def test_cluster_wide_kinds_have_no_namespace(self, case: Case) -> None:
        found = case.cluster.get(Kind.NAMESPACE, "", case.namespace)
        assert found["metadata"]["name"] == case.namespace
        assert case.cluster.get(Kind.NAMESPACE, "ignored", case.namespace) == found

    def test_a_merge_patch_changes_adds_and_removes(self, case: Case) -> None:
        created = case.create(Kind.CONFIG_MAP, "c", data={"keep": "1", "change": "1", "go": "1"})
        changed = case.patch(
            Kind.CONFIG_MAP, "c", {"data": {"change": "2", "come": "2", "go": None}}
        )
        assert changed["data"] == {"keep": "1", "change": "2", "come": "2"}
        assert int(version(changed)) > int(version(created))
        assert changed["metadata"]["uid"] == created["metadata"]["uid"]
        assert case.get(Kind.CONFIG_MAP, "c") == changed

    def test_a_patch_that_changes_nothing_is_no_write(self, case: Case) -> None:
        created = case.create(Kind.CONFIG_MAP, "c", data={"a": "1"})
        assert case.patch(Kind.CONFIG_MAP, "c", {"data": {"a": "1"}}) == created

    @pytest.mark.parametrize("how", [PatchType.MERGE, PatchType.STRATEGIC])
    def test_a_patch_decided_on_an_older_version_is_a_conflict(
        self, case: Case, how: PatchType
    ) -> None:
        old = case.create(Kind.CONFIG_MAP, "c", data={"a": "1"})
        new = case.patch(Kind.CONFIG_MAP, "c", {"data": {"a": "2"}})
        stale = {"metadata": {"resourceVersion": version(old)}, "data": {"a": "3"}}
        with pytest.raises(Conflict) as caught:
            case.patch(Kind.CONFIG_MAP, "c", stale, how)
        assert (caught.value.status, caught.value.reason) == (409, "Conflict")
        fresh = {"metadata": {"resourceVersion": version(new)}, "data": {"a": "3"}}
        assert case.patch(Kind.CONFIG_MAP, "c", fresh, how)["data"] == {"a": "3"}

    def test_a_json_patch_replaces_a_field_whole_where_its_test_holds(self, case: Case) -> None:
        created = case.service(spec={"selector": {"app": "checkout", "old": "key"}})
        steps = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": version(created)},
            {"op": "replace", "path": "/spec/selector", "value": {"app": "other"}},
        ]
        changed = case.patch(Kind.SERVICE, "checkout", steps, PatchType.JSON)
        assert changed["spec"]["selector"] == {"app": "other"}

    def test_a_json_patch_whose_test_fails_changes_nothing(self, case: Case) -> None:
        created = case.service()
        steps = [
            {"op": "replace", "path": "/spec/selector", "value": {"app": "other"}},
            {"op": "test", "path": "/metadata/resourceVersion", "value": "1"},
        ]
        with pytest.raises(Invalid):
            case.patch(Kind.SERVICE, "checkout", steps, PatchType.JSON)
        assert case.get(Kind.SERVICE, "checkout") == created

    def test_a_strategic_patch_merges_lists_by_their_key(self, case: Case) -> None:
        case.service()
        body = {"spec": {"ports": [{"name": "admin", "port": 81}]}}
        changed = case.patch(Kind.SERVICE, "checkout", body, PatchType.STRATEGIC)
        assert sorted(port["port"] for port in changed["spec"]["ports"]) == [80, 81]

    def test_status_is_written_by_its_subresource_and_by_nothing_else(self, case: Case) -> None:
        case.deployment(paused=True)
        main = case.patch(Kind.DEPLOYMENT, "checkout", {"status": {"readyReplicas": 7}})
        assert "readyReplicas" not in main.get("status", {})
        body = {"status": {"readyReplicas": 7, "replicas": 7}, "spec": {"replicas": 9}}
        status = case.patch(Kind.DEPLOYMENT, "checkout", body, subresource="status")
        assert status["kind"] == "Deployment"
        assert status["status"]["readyReplicas"] == 7
        assert status["spec"]["replicas"] == 0

    def test_scale_changes_the_size_and_nothing_else(self, case: Case) -> None:
        case.deployment(paused=True)
        case.patch(Kind.DEPLOYMENT, "checkout", {"spec": {"replicas": 3}}, subresource="scale")
        assert case.get(Kind.DEPLOYMENT, "checkout")["spec"]["replicas"] == 3

    @pytest.mark.parametrize("wrong", ["uid", "resource_version"])
    def test_another_object_than_the_one_looked_at_is_not_deleted(
        self, case: Case, wrong: str
    ) -> None:
        created = case.service()
        wanted = {"uid": created["metadata"]["uid"], "resource_version": version(created)}
        with pytest.raises(Conflict):
            case.cluster.apply(
                Delete(Kind.SERVICE, case.namespace, "checkout", **{**wanted, wrong: "1"})
            )
        assert case.get(Kind.SERVICE, "checkout") == created
        case.cluster.apply(Delete(Kind.SERVICE, case.namespace, "checkout", **wanted))
        with pytest.raises(NotFound):
            case.get(Kind.SERVICE, "checkout")

    def test_an_object_with_a_finalizer_waits_for_its_removal(self, case: Case) -> None:
        case.create(Kind.CONFIG_MAP, "c", metadata={"finalizers": ["rollout.dev/restore"]})
        case.cluster.apply(Delete(Kind.CONFIG_MAP, case.namespace, "c"))
        waiting = case.get(Kind.CONFIG_MAP, "c")
        assert waiting["metadata"]["deletionTimestamp"]
        case.patch(Kind.CONFIG_MAP, "c", {"metadata": {"finalizers": None}})
        with pytest.raises(NotFound):
            case.get(Kind.CONFIG_MAP, "c")

    def test_a_name_made_anew_is_another_object(self, case: Case) -> None:
        first = case.create(Kind.CONFIG_MAP, "c")
        case.cluster.apply(Delete(Kind.CONFIG_MAP, case.namespace, "c"))
        second = case.create(Kind.CONFIG_MAP, "c")
        assert second["metadata"]["uid"] != first["metadata"]["uid"]
        with pytest.raises(Refused):
            case.patch(Kind.CONFIG_MAP, "c", {"metadata": {"uid": first["metadata"]["uid"]}})
        assert case.get(Kind.CONFIG_MAP, "c") == second


class RemoteContract(Contract):
    """The claims about clusters behind a wire, and about what `kube/` builds on them."""

    def test_the_answer_to_a_scale_is_a_scale(self, remote: HttpCluster, case: Case) -> None:
        case.deployment(paused=True)
        place = (Kind.DEPLOYMENT, case.namespace, "checkout")
        body = {"spec": {"replicas": 3}}
        scale = remote.apply(Patch(*place, PatchType.MERGE, body, "scale"))
        assert (scale["kind"], scale["spec"]["replicas"]) == ("Scale", 3)

    def test_a_pod_is_bound_to_a_node_by_its_subresource(
        self, remote: HttpCluster, case: Case
    ) -> None:
        containers = [{"name": "c", "image": "i"}]
        case.create(Kind.POD, "p", spec={"containers": containers, "nodeName": ""})
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": "p"},
            "target": {"apiVersion": "v1", "kind": "Node", "name": "worker"},
        }
        remote.apply(Create(Kind.POD, case.namespace, body, subresource="binding"))
        assert case.get(Kind.POD, "p")["spec"]["nodeName"] == "worker"

    def test_a_token_that_nobody_has_is_not_known(self, stranger: HttpCluster, case: Case) -> None:
        with pytest.raises(Unauthorized):
            stranger.get(Kind.SERVICE, case.namespace, "checkout")

    def test_a_watch_tells_what_happened_in_order(self, remote: HttpCluster, case: Case) -> None:
        start = remote.list(Kind.CONFIG_MAP, case.namespace).resource_version
        created = case.create(Kind.CONFIG_MAP, "c", data={"a": "1"})
        changed = case.patch(Kind.CONFIG_MAP, "c", {"data": {"a": "2"}})
        case.cluster.apply(Delete(Kind.CONFIG_MAP, case.namespace, "c"))
        events = list(islice(ours(remote.watch(Kind.CONFIG_MAP, case.namespace, start, 5)), 3))
        types = [event.type for event in events]
        assert types == [EventType.ADDED, EventType.MODIFIED, EventType.DELETED]
        assert [event.object for event in events[:2]] == [created, changed]
        versions = [int(version(event.object)) for event in events]
        assert versions == sorted(set(versions))  # a deletion has a version of its own

    def test_a_silent_watch_opens_at_once_and_ends_in_time(
        self, remote: HttpCluster, case: Case
    ) -> None:
        start = remote.list(Kind.SERVICE, case.namespace).resource_version
        began = time.monotonic()
        watch = remote.within(1).watch(Kind.SERVICE, case.namespace, start, 3)
        assert time.monotonic() - began < 1
        assert list(ours(watch)) == []
        assert 2 < time.monotonic() - began < 5

    def test_a_watch_ends_with_a_bookmark(self, remote: HttpCluster, case: Case) -> None:
        """It is what the next watch goes on from when nothing has happened for long.

        None comes before the server's cache knows something newer than the watch's start, and a
        busy server skips the one before the end: so of a few watches one must have it.
        """
        start = remote.list(Kind.SERVICE, case.namespace).resource_version
        for number in range(MOST_WATCHES):
            case.create(Kind.CONFIG_MAP, f"newer-{number}")
            remote.list(Kind.SERVICE, case.namespace)  # asks storage how far it is
            events = list(remote.watch(Kind.SERVICE, case.namespace, start, 4))
            if events:
                break
        assert {event.type for event in events} == {EventType.BOOKMARK}
        assert int(version(events[-1].object)) > int(start)

    def test_a_reflector_keeps_true(self, remote: HttpCluster, case: Case) -> None:
        changes: Queue[Change] = Queue()
        case.service("before")
        reflector = Reflector(remote, Kind.SERVICE, case.namespace, changes.put)
        reflector.start()
        assert changes.get(timeout=5).name == "before"
        reflector.updated(case.service("mine"))
        assert reflector.get(case.namespace, "mine")
        assert changes.get(timeout=5).type is ChangeType.ADDED
        patched = case.patch(Kind.SERVICE, "mine", {"spec": {"selector": {"app": "x"}}})
        noted = {k: v for k, v in patched["metadata"].items() if k != "managedFields"}
        assert changes.get(timeout=5).new == {**patched, "metadata": noted}
        case.cluster.apply(Delete(Kind.SERVICE, case.namespace, "mine"))
        assert changes.get(timeout=5).type is ChangeType.DELETED
        names = [thing["metadata"]["name"] for thing in reflector.list()]
        assert names == ["before"]
        began = time.monotonic()
        reflector.stop()
        assert time.monotonic() - began < 1

    def test_a_lease_is_taken_kept_given_back_and_taken_over(
        self, remote: HttpCluster, case: Case
    ) -> None:
        place = (case.namespace, "controller")
        first = Candidate(remote, *place, "first", Durations())
        second = Candidate(remote, *place, "second", Durations())
        assert first.attempt()
        assert not second.attempt()
        assert first.attempt()
        first.release(2)
        assert second.attempt()
        spec = case.get(Kind.LEASE, "controller")["spec"]
        assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("second", 1)
        with pytest.raises(Conflict):
            first.attempt()  # it still goes by the version that it wrote

    def test_events_are_accepted_and_repeats_are_counted(
        self, remote: HttpCluster, case: Case
    ) -> None:
        service = case.service()
        recorder = Recorder(remote, "controller-1")
        recorder.start()
        for note in ("weight 5", "weight 5", "weight 5", "n" * 3000):
            recorder.record(service, "WeightSet", note, level=EventLevel.WARNING)
        recorder.stop()
        assert (recorder.failed, recorder.dropped) == (0, 0)
        events = [
            event
            for event in remote.list(Kind.EVENT, case.namespace).items
            if event["reportingController"] == "rollout.dev/rollout"
        ]
        told = {event["note"][:8]: event for event in events}
        assert sorted(told) == ["nnnnnnnn", "weight 5"]
        assert told["weight 5"]["series"]["count"] == 3
        assert told["weight 5"]["regarding"]["uid"] == service["metadata"]["uid"]


def ours(events: Iterator[WatchEvent]) -> Iterator[WatchEvent]:
    """Leave out bookmarks, and the ConfigMap that every real namespace gets."""
    for event in events:
        is_bookmark = event.type is EventType.BOOKMARK
        if not is_bookmark and event.object["metadata"]["name"] != "kube-root-ca.crt":
            yield event


class TestSimulated(Contract):
    @pytest.fixture
    def case(self) -> Case:
        moment = datetime(2026, 11, 23, 12, tzinfo=UTC)
        return Case(SimulatedCluster(lambda: moment, namespaces=["shop"]), "shop")


@pytest.mark.controlplane
class TestControlPlane(RemoteContract):
    @pytest.fixture
    def remote(self, control_plane: Access) -> Iterator[HttpCluster]:
        yield from self.connected(control_plane, control_plane.token())

    @pytest.fixture
    def stranger(self, control_plane: Access) -> Iterator[HttpCluster]:
        yield from self.connected(control_plane, "nobody's")

    @pytest.fixture
    def case(self, remote: HttpCluster, namespace: str) -> Case:
        return Case(remote, namespace)

    def connected(self, access: Access, token: str) -> Iterator[HttpCluster]:
        cluster = HttpCluster.for_server(access.url, token, str(access.ca_file))
        yield cluster
        cluster.close()

    def test_a_kubeconfig_leads_to_the_cluster(
        self, control_plane: Access, namespace: str, tmp_path: Path
    ) -> None:
        file = control_plane.write_kubeconfig(tmp_path / "k", user="admin", namespace=namespace)
        cluster = connect(kubeconfig=str(file))
        assert cluster.namespace == namespace
        found = cluster.get(Kind.NAMESPACE, "", namespace)
        assert found["metadata"]["name"] == namespace
        cluster.close()

    def test_a_user_without_the_right_is_forbidden(
        self, control_plane: Access, namespace: str
    ) -> None:
        for cluster in self.connected(control_plane, control_plane.token("alice")):
            with pytest.raises(Forbidden, match='User "alice" cannot list'):
                cluster.list(Kind.SECRET, namespace)

    def test_a_server_with_another_authority_is_not_trusted(self, control_plane: Access) -> None:
        cluster = HttpCluster.for_server(control_plane.url, control_plane.token())
        with pytest.raises(Unreachable, match="certificate"):
            cluster.get(Kind.NAMESPACE, "", "default")
        cluster.close()

    def test_a_kind_without_a_definition_is_missing(self, remote: HttpCluster) -> None:
        with pytest.raises(NotFound) as caught:
            remote.list(cast("Kind", Unknown.THING))
        assert caught.value.kind_is_missing
