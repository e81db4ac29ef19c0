"""The API as the daemon runs it, before a practice API server: real HTTP on both sides.

People have tokens named like them: `ana` may do everything, `bob` is on call (he reads, and
may roll back), `eve` may do nothing, and `dev` may start releases but make no Rollout.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final, Self

import httpx
from prometheus_client import CollectorRegistry

from rollout.controller.caches import Caches
from rollout.kube.cache import Change
from rollout.kube.client import HttpCluster
from rollout.resources.writes import Create, Kind, Object, Patch, PatchType
from rollout.sandbox.apiserver import ApiServer
from rollout.sandbox.apiserver.faults import Faults
from rollout.sandbox.apiserver.users import ADMINISTRATORS, Rule, User
from rollout.server.parts import Parts
from rollout.server.service import Api
from rollout.server.settings import ApiSettings, Limits
from tests.defined import define
from tests.sandbox.practice import until

OURS: Final = frozenset({"releases", "rollouts"})


def may(space: str, *verbs: str, on: str = "releases") -> Rule:
    """A right in a namespace."""
    return Rule(frozenset(verbs), frozenset({on}), space)


def people(space: str) -> dict[str, User]:
    """The tokens of a namespace, and whose they are."""
    reading = Rule(frozenset({"get", "list", "watch"}), OURS, space)
    return {
        "root": User("admin", (ADMINISTRATORS,)),
        "ana": User("ana"),
        "bob": User("bob", rules=(reading, may(space, "rollback"))),
        "dev": User("dev", rules=(reading, may(space, "create"))),
        "eve": User("eve", rules=()),
    }


class Rig:
    """One API, its practice API server, and people; each test has a namespace of its own."""

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        namespace: str | None = None,
        filled: bool = True,
    ) -> None:
        self.limits = limits or Limits()
        self.namespace = namespace
        self.filled = filled
        self.stack = ExitStack()
        self.test = ExitStack()
        self.numbers = count(1)
        self.space = "default"
        self.server: ApiServer
        self.cluster: HttpCluster
        self.caches: Caches
        self.api: Api
        self.registry: CollectorRegistry

    def __enter__(self) -> Self:
        self.server = self.stack.enter_context(ApiServer(tokens=people(self.space)))
        self.cluster = HttpCluster.for_server(self.server.url, "root")
        self.stack.callback(self.cluster.close)
        define(self.cluster)
        self.caches, self.api, self.registry = self._serve(self.stack)
        return self

    def __exit__(self, *_: object) -> None:
        self.test.close()
        self.stack.close()

    @contextmanager
    def place(self, *objects: Object) -> Iterator[Self]:
        """Give the rig to one test: a new namespace with these objects, and a healthy server."""
        self.space = f"test-{next(self.numbers)}"
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.space}}
        self.cluster.apply(Create(Kind.NAMESPACE, "", body))
        self.server.tokens |= people(self.space)
        self.create(*objects)
        try:
            yield self
        finally:
            self.server.faults = Faults()
            self.test.close()

    @property
    def root(self) -> str:
        """The path of the namespace in the API."""
        return f"/api/v1/namespaces/{self.space}"

    @property
    def actions(self) -> str:
        """Where actions on the release go."""
        return f"{self.root}/releases/web-v2/actions"

    def serve(self, audience: str = "") -> Api:
        """Start one more replica, for this test: its own caches, its own API."""
        return self._serve(self.test, audience)[1]

    def _serve(self, stack: ExitStack, audience: str = "") -> tuple[Caches, Api, CollectorRegistry]:
        heard: list[Api] = []

        def hear(change: Change) -> None:
            for api in heard:
                api.hear(change)

        caches = Caches(self.cluster, self.namespace, hear)
        parts = Parts(self.cluster, caches, self.namespace, lambda: datetime.now(UTC))
        registry = CollectorRegistry()
        api = Api(ApiSettings(limits=self.limits, audience=audience), parts, registry)
        heard.append(api)
        api.start()
        stack.callback(api.stop)
        if self.filled:
            caches.start()
            stack.callback(caches.stop)
            until(lambda: caches.synced, "the caches are filled")
        return caches, api, registry

    def create(self, *objects: Object) -> None:
        """Create objects."""
        kinds = {kind.value.kind: kind for kind in Kind}
        for body in objects:
            self.cluster.apply(Create(kinds[body["kind"]], self.space, body))

    def say(self, name: str = "web-v2", phase: str = "Progressing", **status: Any) -> Object:
        """Set the status of a release, as the controller would; gives it once caches know it."""
        body = {"status": {"phase": phase, **status}}
        patch = Patch(Kind.RELEASE, self.space, name, PatchType.MERGE, body, "status")
        said = self.cluster.apply(patch)
        until(lambda: self.caches.get(Kind.RELEASE, self.space, name) == said, "the cache knows it")
        return said

    def release(self, name: str = "web-v2") -> Object:
        """Read a release from the cluster."""
        return self.cluster.get(Kind.RELEASE, self.space, name)

    def releases(self) -> tuple[Object, ...]:
        """Read all releases from the cluster."""
        return self.cluster.list(Kind.RELEASE, self.space).items

    def client(self, who: str | None = "ana", api: Api | None = None) -> httpx.Client:
        """An HTTP client of somebody; None has no token."""
        headers = {"Authorization": f"Bearer {who}"} if who else {}
        client = httpx.Client(
            base_url=(api or self.api).url, headers=headers, trust_env=False, timeout=15
        )
        return self.test.enter_context(client)

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
