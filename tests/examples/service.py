"""An overlay of the example, running: its pods, its Redis, callers, and a controller of its own."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx

from rollout.kube.client import HttpCluster
from rollout.resources.release import Release
from rollout.resources.writes import Kind
from rollout.sandbox.agent import ADDRESS_MAP_TEXT, NodeAgent, Settings
from rollout.sandbox.edge import Edge
from rollout.sandbox.edge import Settings as EdgeSettings
from rollout.sandbox.load import Load, Plan
from rollout.sandbox.processes import end
from tests.controlplane.access import Access
from tests.controlplane.components import kubeconfig
from tests.examples.trees import EXAMPLE, Overlay, Tree, build, one
from tests.forked import Forked, run
from tests.install.installed import account_token, apply, give_rights
from tests.raised import Raised

RATE: Final = 100
REGISTRY: Final = "registry.example.com/gemini-agent"
KEYS: Final = ("GOOGLE_API_KEY", "DATABASE_URL", "SENTRY_DSN")
QUICK_STEPS: Final = [{"weight": weight, "minDuration": "1s"} for weight in (5, 20, 50)]


class Service(Raised):
    """One overlay on a real control plane. Use as a context manager."""

    called_seconds = 150.0
    """For so long callers come, at most."""

    def __init__(self, plane: Access, overlay: Overlay, folder: Path) -> None:
        super().__init__()
        self.overlay = overlay
        self._plane = plane
        self._folder = folder
        self.cluster = HttpCluster.for_server(plane.url, plane.token(), str(plane.ca_file))
        self._log = folder / "controller.log"
        self.edge: Edge
        self.load: Load

    def _start(self) -> None:
        namespace = self.overlay.namespace
        self._stack.callback(self.cluster.close)
        self._stack.callback(self._remove)
        self._put()
        agent = NodeAgent(self.cluster, Settings(f"node-{namespace}", namespace))
        self._stack.enter_context(agent)
        self.edge = self._stack.enter_context(Edge(self.cluster, EdgeSettings(namespace=namespace)))
        self.until(lambda: self.serves() == self.overlay.tag, "it serves")
        controller = Forked(self._controller(), self._log, os.environ)
        self._stack.callback(end, controller, 10.0)
        plan = Plan(self.edge.url, host=self.overlay.host, rate=RATE, seconds=self.called_seconds)
        self.load = self._stack.enter_context(Load(plan))

    def _put(self) -> None:
        """Have the service in the cluster, with all it needs."""
        self.apply(self.hastened(self.overlay.tag))
        self._be_the_cloud()

    def _controller(self) -> list[str]:
        """Give the controller its rights in the namespace; gives the words it is started with."""
        give_rights(self._plane, self.overlay.namespace)
        return self._watching()

    def _watching(self, *options: str) -> list[str]:
        """Give the words that start a controller of the namespace, with its own account."""
        place = ["-n", self.overlay.namespace, "--kubeconfig", str(self._account())]
        return [*place, "controller", "--pod-address-map", ADDRESS_MAP_TEXT, *options]

    def _account(self) -> Path:
        tokens = {"controller": account_token(self._plane)}
        url, ca_file = self._plane.url, self._plane.ca_file
        file = self._folder / "controller.kubeconfig"
        file.write_text(kubeconfig(url=url, ca_file=ca_file, tokens=tokens, user="controller"))
        return file

    def _remove(self) -> None:
        self._plane.kubectl(
            *("delete", "namespace", self.overlay.namespace, "--wait=false", "--ignore-not-found")
        )

    def hastened(self, tag: str) -> Tree:
        """Build the overlay with another tag, and with seconds where it has minutes."""
        folder = self._folder / f"hastened-{tag}"
        folder.mkdir(exist_ok=True)
        kustomization = {
            "resources": [os.path.relpath(EXAMPLE / "overlays" / self.overlay.name, folder)],
            "images": [{"name": REGISTRY, "newTag": tag}],
            "patches": [*haste(self.overlay.service), *self.nearby(self.overlay.prefix)],
        }
        (folder / "kustomization.yaml").write_text(json.dumps(kustomization))
        return build(self._plane.program, folder)

    def nearby(self, prefix: str) -> list[dict[str, Any]]:
        """Say where the Redis is that stands for the cloud's: at its address there is none.

        `prefix`: what names have by then; none where the Kustomization itself puts it.
        """
        if self.overlay.name != "production":
            return []
        config = f"{prefix}agent-config"
        return [_patch("ConfigMap", config, "/data/REDIS_HOST", "redis-master")]

    def _be_the_cloud(self) -> None:
        """Write the Secret that an operator would, and run a Redis in place of the cloud's."""
        namespace = self.overlay.namespace
        if self.overlay.name != "development":
            body = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": self.overlay.secret, "namespace": namespace},
                "stringData": dict.fromkeys(KEYS, "given by the cloud"),
            }
            apply(self._plane, [body])
        if self.overlay.name == "production":
            folder = self._folder / "cloud"
            folder.mkdir()
            component = os.path.relpath(EXAMPLE / "components" / "redis", folder)
            text = json.dumps({"namespace": namespace, "components": [component]})
            (folder / "kustomization.yaml").write_text(text)
            apply(self._plane, build(self._plane.program, folder))

    def apply(self, tree: Tree) -> None:
        """Apply a tree by the server, as Argo CD and Flux do; the namespace first."""
        apply(self._plane, [one(tree, "Namespace", self.overlay.namespace)])
        apply(self._plane, tree)

    def ask(self, prompt: str) -> dict[str, Any]:
        """Ask the agent something, from outside."""
        answer = httpx.post(
            f"{self.edge.url}/v1/generate",
            headers={"host": self.overlay.host},
            json={"prompt": prompt},
            trust_env=False,
        )
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def serves(self) -> str:
        """Give the version that answers; "" while none does."""
        headers = {"host": self.overlay.host}
        answer = httpx.get(self.edge.url, headers=headers, trust_env=False)
        return answer.headers["x-version"] if answer.is_success else ""

    def release(self) -> Release | None:
        """Give the one release that there is."""
        found = self.cluster.list(Kind.RELEASE, self.overlay.namespace).items
        assert len(found) <= 1
        return Release.model_validate(found[0]) if found else None

    def run(self, *arguments: str) -> None:
        """Run our command line in the overlay's namespace."""
        place = ("-n", self.overlay.namespace, "--kubeconfig", str(self._plane.kubeconfig))
        done = run([*place, *arguments], os.environ, timeout=30)
        assert done.returncode == 0, done.stdout + done.stderr

    def until(self, holds: Callable[[], object], what: str, seconds: float = 60.0) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}\n{self.told()}"
            time.sleep(0.2)

    def told(self) -> str:
        """What is known when something went wrong."""
        shown = ("get", "pods,replicasets,releases,rollouts,events")
        found = self._plane.kubectl(*shown, namespace=self.overlay.namespace, check=False)
        log = self._log.read_text()[-3000:] if self._log.exists() else ""
        return f"{found.stdout}{found.stderr}\n{log}"


def haste(name: str) -> list[dict[str, Any]]:
    """Patches for a Kustomization that put seconds where an overlay has minutes.

    `name`: of the service, before the Kustomization itself puts a prefix to it.
    """
    wait = "/spec/template/spec/containers/0"
    return [
        _patch("Deployment", name, f"{wait}/startupProbe/initialDelaySeconds", 0),
        _patch("Deployment", name, f"{wait}/startupProbe/periodSeconds", 1),
        _patch("Deployment", name, f"{wait}/readinessProbe/periodSeconds", 1),
        _patch("Deployment", name, f"{wait}/lifecycle/preStop/sleep/seconds", 1),
        _patch("Rollout", name, "/spec/strategy/canary/steps", QUICK_STEPS),
        _patch("Rollout", name, "/spec/strategy/canary/bake", "2s"),
        _patch("Rollout", name, "/spec/strategy/canary/drain", "1s", "add"),
        _patch("RolloutPolicy", name, "/spec/interval", "1s", "add"),
        _patch("RolloutPolicy", name, "/spec/minimumRequests", 20, "add"),
    ]


def _patch(kind: str, name: str, path: str, value: object, op: str = "replace") -> dict[str, Any]:
    patch = json.dumps([{"op": op, "path": path, "value": value}])
    return {"target": {"kind": kind, "name": name}, "patch": patch}
