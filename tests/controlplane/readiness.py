"""When a component can be relied on: seen from outside, by what it does.

The controllers open no port; they are ready when they have acted on objects of each kind that
tests rest on.
"""

from http import HTTPStatus
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

TIMEOUT: Final = 5.0
NAMESPACE: Final = "control-plane-probe"
"""With a number behind it: that of an earlier probe may still be on its way out."""
_CHAIN: Final = 2
_NUMBERS: Final = count()
_LABELS: Final = {"app": "probe"}
_DEPLOYMENT: Final[dict[str, Any]] = {
    "metadata": {"name": "probe"},
    "spec": {
        "selector": {"matchLabels": _LABELS},
        "template": {
            "metadata": {"labels": _LABELS},
            "spec": {"containers": [{"name": "probe", "image": "probe"}]},
        },
    },
}
_SERVICE: Final[dict[str, Any]] = {
    "metadata": {"name": "probe"},
    "spec": {"selector": _LABELS, "ports": [{"port": 80}]},
}


def etcd_is_healthy(address: str) -> bool:
    """Whether etcd has a leader, which is itself."""
    return httpx.get(address, timeout=TIMEOUT, trust_env=False).is_success


def is_certificate(file: Path) -> bool:
    """Whether the API server has written its certificate, and behind it that of its authority."""
    return file.exists() and file.read_text().count("-----END CERTIFICATE-----\n") == _CHAIN


def api_server_is_ready(client: httpx.Client) -> bool:
    """Whether all of the API server's own start-up steps are over."""
    return client.get("/readyz", timeout=TIMEOUT).is_success


class Probe:
    """Objects that the controllers act on; they are removed when the probe is closed."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._namespace = f"{NAMESPACE}-{next(_NUMBERS)}"
        core = f"/api/v1/namespaces/{self._namespace}"
        self._core = core
        self._wanted = {
            "/api/v1/namespaces": {"metadata": {"name": self._namespace}},
            f"{core}/services": _SERVICE,
            f"/apis/apps/v1/namespaces/{self._namespace}/deployments": _DEPLOYMENT,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.delete(f"/api/v1/namespaces/{self._namespace}")

    def controllers_are_at_work(self) -> bool:
        """Whether a Deployment got its pod, a Service its slice, a namespace its account."""
        self._create_missing()
        slices = f"/apis/discovery.k8s.io/v1/namespaces/{self._namespace}/endpointslices"
        return (
            self._has_items(f"{self._core}/pods")
            and self._has_items(slices)
            and self._client.get(f"{self._core}/serviceaccounts/default").is_success
        )

    def _create_missing(self) -> None:
        for address, body in list(self._wanted.items()):
            answer = self._client.post(address, json=body)
            if answer.is_success or answer.status_code == HTTPStatus.CONFLICT:
                del self._wanted[address]

    def _has_items(self, address: str) -> bool:
        answer = self._client.get(address)
        return answer.is_success and bool(answer.json()["items"])
