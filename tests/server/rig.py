"""The API as the daemon runs it, before a practice API server: real HTTP on both sides.

Four people have tokens named like them: `ana` may do everything, `bob` is on call (he reads, and
may roll back), `eve` may do nothing, and `dev` may start releases but make no Rollout.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, Final, Self

import httpx
from prometheus_client import CollectorRegistry

from rollout.controller.caches import Caches
from rollout.kube.cache import Change
from rollout.kube.client import HttpCluster
from rollout.resources.crd import definitions
from rollout.resources.writes import Create, Kind, Object, Patch, PatchType
from rollout.sandbox.apiserver import ApiServer
from rollout.sandbox.apiserver.users import ADMINISTRATORS, Rule, User
from rollout.server.parts import Parts
from rollout.server.service import Api
from rollout.server.settings import ApiSettings, Limits
from tests import build
from tests.sandbox.practice import until

SPACE: Final = "default"
ROOT: Final = f"/api/v1/namespaces/{SPACE}"
OURS: Final = frozenset({"releases", "rollouts"})
READING: Final = Rule(frozenset({"get", "list", "watch"}), OURS, SPACE)


def may(*verbs: str, on: str = "releases") -> Rule:
    """A right in the namespace of the tests."""
    return Rule(frozenset(verbs), frozenset({on}), SPACE)


PEOPLE: Final = {
    "root": User("admin", (ADMINISTRATORS,)),
    "ana": User("ana"),
    "bob": User("bob", rules=(READING, may("rollback"))),
    "dev": User("dev", rules=(READING, may("create"))),
    "eve": User("eve", rules=()),
}


class Rig:
    """One API, its practice API server, and people."""

    def __init__(
        self,
        *objects: Object,
        limits: Limits | None = None,
        people: Mapping[str, User] = PEOPLE,
        namespace: str | None = None,
        filled: bool = True,
    ) -> None:
        self.limits = limits or Limits()
        self.people = dict(people)
        self.namespace = namespace
        self.filled = filled
        self.objects = objects or build.shop()
        self.stack = ExitStack()
        self.server: ApiServer
        self.cluster: HttpCluster
        self.caches: Caches
        self.api: Api
        self.registry: CollectorRegistry

    def __enter__(self) -> Self:
        self.server = self.stack.enter_context(ApiServer(tokens=self.people))
        self.cluster = HttpCluster.for_server(self.server.url, "root")
        self.stack.callback(self.cluster.close)
        for body in definitions():
            self.cluster.apply(Create(Kind.CUSTOM_RESOURCE_DEFINITION, "", body))
        self.create(*self.objects)
        self.caches, self.api = self.serve()
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def serve(self) -> tuple[Caches, Api]:
        """Start one more replica: its own caches, its own API."""
        heard: list[Api] = []

        def hear(change: Change) -> None:
            for api in heard:
                api.hear(change)

        caches = Caches(self.cluster, self.namespace, hear)
        parts = Parts(self.cluster, caches, self.namespace, lambda: datetime.now(UTC))
        self.registry = CollectorRegistry()
        heard.append(Api(ApiSettings(limits=self.limits), parts, self.registry))
        heard[0].start()
        self.stack.callback(heard[0].stop)
        if self.filled:
            caches.start()
            self.stack.callback(caches.stop)
            until(lambda: caches.synced, "the caches are filled")
        return caches, heard[0]

    def create(self, *objects: Object) -> None:
        """Create objects."""
        kinds = {kind.value.kind: kind for kind in Kind}
        for body in objects:
            self.cluster.apply(Create(kinds[body["kind"]], SPACE, body))

    def say(self, name: str = "web-v2", phase: str = "Progressing", **status: Any) -> Object:
        """Set the status of a release, as the controller would; gives it once caches know it."""
        body = {"status": {"phase": phase, **status}}
        patch = Patch(Kind.RELEASE, SPACE, name, PatchType.MERGE, body, "status")
        said = self.cluster.apply(patch)
        until(lambda: self.caches.get(Kind.RELEASE, SPACE, name) == said, "the cache knows it")
        return said

    def release(self, name: str = "web-v2") -> Object:
        """Read a release from the cluster."""
        return self.cluster.get(Kind.RELEASE, SPACE, name)

    def releases(self) -> tuple[Object, ...]:
        """Read all releases from the cluster."""
        return self.cluster.list(Kind.RELEASE, SPACE).items

    def client(self, who: str | None = "ana", api: Api | None = None) -> httpx.Client:
        """An HTTP client of somebody; None has no token."""
        headers = {"Authorization": f"Bearer {who}"} if who else {}
        client = httpx.Client(
            base_url=(api or self.api).url, headers=headers, trust_env=False, timeout=15
        )
        return self.stack.enter_context(client)

    def count(self, name: str, **labels: str) -> float:
        """Read a metric of the API."""
        return self.registry.get_sample_value(f"rollout_api_{name}", labels) or 0.0


def problem(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    """Hold an answer to be this problem, and give its document."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said: dict[str, Any] = answer.json()
    assert said["type"] == f"urn:rollout:problem:{kind}"
    assert said["status"] == status
    assert said["title"]
    assert said["detail"]
    return said
