"""The sample service from its chart, on a cluster that has the controller's chart."""

import json
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from rollout.resources.release import Release as Shipped
from rollout.resources.writes import Kind
from tests.charts.helm import AGENT, CONTROLLER, Helm, Release
from tests.controlplane.access import Access
from tests.controlplane.ports import ADDRESS, PortLease
from tests.examples.service import Service
from tests.examples.trees import Overlay
from tests.install.installed import await_policy

HOME: Final = "rollout-system"
FIRST: Final = "v1.2.3"
STEPS: Final = [
    {"weight": 20, "minDuration": "30m", "maxDuration": "60m"},
    {"weight": 50, "minDuration": "1s"},
]
"""The first lasts until it is told to pass: Helm may take long on a busy machine."""
VALUES: Final[dict[str, Any]] = {
    "startupDelaySeconds": 0,
    "stopDelaySeconds": 1,
    "service": {"port": 8080},  # names lead to pods here, on the ports that they have
    "autoscaling": {"minReplicas": 3, "maxReplicas": 3},
    "secrets": {"googleApiKey": "placeholder", "externalSecret": {"enabled": False}},
    "redis": {"auth": {"enabled": True, "password": "open sesame"}},
    "rollout": {
        "strategy": {"canary": {"steps": STEPS, "bake": "2s", "drain": "1s"}},
        "policy": {"interval": "1s", "minimumRequests": 20},
    },
}
"""Seconds where production has minutes."""
DELIVERY: Final = Release(CONTROLLER, "delivery", HOME)


def helm_of(plane: Access, folder: Path) -> Helm:
    """Give Helm for a cluster, with a home of its own."""
    return Helm(plane.kubeconfig, folder)


def install_controller(plane: Access, helm: Helm, chart: Path) -> None:
    """Install the controller's chart, and wait until its policy is in force."""
    earlier = Release(chart, DELIVERY.name, HOME)
    helm.do("install", *earlier.words, "--create-namespace")
    await_policy(plane)


def _of_ours(command: list[str]) -> list[str]:
    assert command[0] == "python", command
    return [sys.executable, *command[1:]]


class Charted(Service):
    """A release of the chart in a namespace of its own. Use as a context manager."""

    called_seconds = 900.0

    def __init__(self, plane: Access, helm: Helm, folder: Path, name: str = "charted") -> None:
        overlay = Overlay(name, f"{name}-agents", "prod-", "api.example.com", FIRST, (3, 3))
        super().__init__(plane, overlay, folder)
        self.helm = helm
        self._values = folder / "values.json"
        self._values.write_text(json.dumps(VALUES))
        (self._probed,) = self._stack.enter_context(PortLease(1)).ports

    def _put(self) -> None:
        self.helm.do("install", *self.words(FIRST), "--create-namespace")

    def _controller(self) -> list[str]:
        return self._watching("--lease-namespace", HOME, "--http-port", str(self._probed))

    def tried(self, port: int | None = None) -> subprocess.CompletedProcess[str]:
        """Do what `helm test` of the controller's chart does, where the controller runs."""
        hooks = self.helm.do("get", "hooks", DELIVERY.name, "--namespace", HOME)
        (pod,) = yaml.safe_load_all(hooks)
        (container,) = pod["spec"]["containers"]
        (asked,) = container["env"]
        url = urlsplit(asked["value"])
        here = url._replace(netloc=f"{ADDRESS}:{port or self._probed}").geturl()
        command = ["/usr/bin/env", f"{asked['name']}={here}", *_of_ours(container["command"])]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    def words(self, tag: str, *options: str) -> tuple[str, ...]:
        """Say the release to Helm, with an image tag."""
        said = ("-f", str(self._values), "--set", f"image.tag={tag}", *options)
        return Release(AGENT, "prod", self.overlay.namespace, said).words

    def releases(self) -> dict[str, Shipped]:
        """Give all releases of the service, by name."""
        found = self.cluster.list(Kind.RELEASE, self.overlay.namespace).items
        return {one["metadata"]["name"]: Shipped.model_validate(one) for one in found}

    def at(self, weight: int, known: Collection[str] = ()) -> str:
        """Wait until a release that is not known yet has a weight; gives its name."""
        found: list[str] = []

        def reached() -> bool:
            found[:] = [
                name
                for name, release in self.releases().items()
                if name not in known and release.status.weight.applied == weight
            ]
            return bool(found)

        self.until(reached, f"a release has {weight} %")
        return found[0]

    def passes(self, name: str) -> None:
        """Have a release pass its first step."""
        self.run("promote", name, "--reason", "it was looked at")

    def ended(self, name: str) -> Shipped:
        """Wait for the end of a release."""
        self.until(lambda: self.releases()[name].status.phase.ended, f"{name} ends", 90.0)
        return self.releases()[name]

    def kubectl_waits(self) -> None:
        """Wait as people do without our command line."""
        place = (f"deployment/{self.overlay.service}", "--timeout", "60s")
        self._plane.kubectl(
            "rollout", "status", *place, namespace=self.overlay.namespace, timeout=70
        )

    def image(self) -> str:
        """Give the tag that the Deployment asks for."""
        target = self.cluster.get(Kind.DEPLOYMENT, self.overlay.namespace, self.overlay.service)
        (container,) = target["spec"]["template"]["spec"]["containers"]
        return str(container["image"]).rpartition(":")[2]

    def selector(self) -> dict[str, str]:
        """Give the selector of the Service."""
        found = self.cluster.get(Kind.SERVICE, self.overlay.namespace, self.overlay.service)
        return dict(found["spec"]["selector"])

    def lost(self) -> tuple[object, ...]:
        """Give the requests of callers that got no good answer, of all that were sent so far."""
        return tuple(self.load.tally.snapshot().lost)
