"""A kubelet for the controller's pods: starts what their spec says, in the image, on this machine.

Pods share this machine's network, so each listens on its own loopback address instead of all.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from rollout.resources.writes import Object
from rollout.sandbox.practice import ADDRESSES
from rollout.sandbox.processes import Program, end, start_bound
from tests.controlplane.access import Access
from tests.install.image import Image

ACCOUNT_FOLDER: Final = "/run/secrets/kubernetes.io/serviceaccount"
"""Where Kubernetes mounts it, by the name that `/var/run` stands for."""


class Pod:
    """One pod of the Deployment, as it was admitted, and its process."""

    def __init__(self, plane: Access, image: Image, spec: Object, number: int) -> None:
        self.name = str(spec["metadata"]["name"])
        self.address = f"127.244.{os.getpid() % 250 + 1}.{number}"
        self._plane, self._image, self._pod = plane, image, spec
        self._folder = image.folder.parent / self.name
        (self.container,) = spec["spec"]["containers"]
        self.run_as = int(spec["spec"]["securityContext"]["runAsUser"])
        self.process: Program

    def start(self) -> None:
        """Start its container."""
        account = self._account()
        url = urlsplit(self._plane.url)
        environment = {
            **self._environment(),
            "KUBERNETES_SERVICE_HOST": str(url.hostname),
            "KUBERNETES_SERVICE_PORT": str(url.port),
            "ROLLOUT_POD_ADDRESS_MAP": ADDRESSES,
        }
        words = [*self._image.stage.words["ENTRYPOINT"], *self._arguments()]
        command = self._image.command(words, environment, {ACCOUNT_FOLDER: account})
        self.process = start_bound(command, self._folder / "log")

    def stop(self) -> int:
        """Stop it as Kubernetes does; gives its exit code."""
        end(self.process, self._pod["spec"]["terminationGracePeriodSeconds"])
        return int(self.process.returncode)

    def probe(self, kind: str) -> httpx.Response:
        """Ask what its spec has the kubelet ask."""
        asked = self.container[f"{kind}Probe"]["httpGet"]
        ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        url = f"http://{self.address}:{ports[asked['port']]}{asked['path']}"
        return httpx.get(url, trust_env=False, timeout=5.0)

    def is_ready(self) -> bool:
        """Whether its readiness probe succeeds; fails when the process has ended."""
        assert self.process.poll() is None, self.log()
        try:
            return self.probe("readiness").is_success
        except httpx.TransportError:
            return False

    def log(self) -> str:
        """Everything that it wrote."""
        return (self._folder / "log").read_text()

    def uid(self) -> int:
        """The user that it runs as."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"^Uid:\t(\d+)", status, re.MULTILINE)
        assert found is not None
        return int(found[1])

    def _account(self) -> Path:
        """Lay out the service account as the kubelet projects it, with a token of this very pod."""
        folder = self._folder / "account"
        folder.mkdir(parents=True)
        namespace = self._pod["metadata"]["namespace"]
        bound = ("--bound-object-kind=Pod", f"--bound-object-name={self.name}")
        account = self._pod["spec"]["serviceAccountName"]
        token = self._plane.kubectl("create", "token", account, *bound, namespace=namespace).stdout
        (folder / "token").write_text(token)
        (folder / "namespace").write_text(namespace)
        (folder / "ca.crt").write_bytes(self._plane.ca_file.read_bytes())
        return folder

    def _environment(self) -> dict[str, str]:
        return {entry["name"]: self._value(entry) for entry in self.container.get("env", ())}

    def _value(self, entry: Mapping[str, Any]) -> str:
        if "value" in entry:
            return str(entry["value"])
        first, second = entry["valueFrom"]["fieldRef"]["fieldPath"].split(".")
        return str(self._pod[first][second])

    def _arguments(self) -> list[str]:
        environment = self._environment()
        words = self.container["args"]
        known = [re.sub(r"\$\((\w+)\)", lambda found: environment[found[1]], w) for w in words]
        return [word.replace("0.0.0.0", self.address) for word in known]
