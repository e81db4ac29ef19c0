"""Names of Services for the programs of pods, as the cluster's DNS would tell them.

There is no DNS server: a file has the addresses of each Service's ready pods, and a program looks
there before it asks this machine (`rollout.sandbox.service.lookup`). So a name stands for pods and
not for a virtual address, as that of a headless Service, and a Service's port must be its pods'.

Few programs call others. So nothing is followed until the first one is started that does.
"""

import json
import tempfile
import threading
from pathlib import Path
from typing import Final

from rollout.kube.cache import Change
from rollout.kube.cluster import RemoteCluster
from rollout.kube.reflector import Reflector
from rollout.resources.writes import Kind, Object
from rollout.sandbox.agent.network import ADDRESS_MAP

_SERVICE: Final = "kubernetes.io/service-name"
_FIRST_SECONDS: Final = 10.0


class Names:
    """Keeps the file. Safe to use from many threads."""

    def __init__(self, cluster: RemoteCluster, namespace: str | None) -> None:
        self._reflector = Reflector(cluster, Kind.ENDPOINT_SLICE, namespace, self._on_change)
        self._folder = tempfile.TemporaryDirectory(prefix="names-")
        self._lock = threading.Lock()
        self._started = False

    @property
    def file(self) -> Path:
        """Where programs look: JSON, addresses by `service.namespace`."""
        return Path(self._folder.name) / "names.json"

    def start(self) -> None:
        """Begin to follow, once; returns when the file is there."""
        with self._lock:
            if not self._started:
                self._started = True
                self._reflector.start()
                self._reflector.synced.wait(_FIRST_SECONDS)
                self._write()

    def stop(self) -> None:
        """Follow no longer, and remove the file."""
        if self._started:
            self._reflector.stop()
        self._folder.cleanup()

    def _on_change(self, _: Change) -> None:
        if self._reflector.synced.is_set():
            self._write()

    def _write(self) -> None:
        new = self.file.with_suffix(f".{threading.get_ident()}")
        new.write_text(json.dumps(table(self._reflector.list())))
        new.replace(self.file)


def table(slices: tuple[Object, ...]) -> dict[str, list[str]]:
    """Give the addresses at which programs of this machine reach the ready pods, by name."""
    found: dict[str, list[str]] = {}
    for piece in slices:
        service = (piece["metadata"].get("labels") or {}).get(_SERVICE)
        if service is not None:
            name = f"{service}.{piece['metadata']['namespace']}"
            found.setdefault(name, []).extend(map(ADDRESS_MAP.reach, _ready(piece)))
    return found


def _ready(piece: Object) -> list[str]:
    return [
        str(address)
        for endpoint in piece.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
        for address in endpoint["addresses"]
    ]
