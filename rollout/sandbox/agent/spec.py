"""What a pod's spec asks of the node: images, ports, environment and probes, read once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rollout.resources.writes import Object
from rollout.sandbox.agent.environment import Drawn, read_drawn

DEFAULT_PORT: Final = 8080
"""Port of a container that declares none."""

_DIGEST_LENGTH: Final = 12
_REFERENCE: Final = re.compile(r"(?P<repository>[^@]+?)(:(?P<tag>[^:/@]+))?(@\w+:(?P<digest>\w+))?")


@dataclass(frozen=True)
class Image:
    """An image reference: `program` is the last part of its repository, `version` its tag."""

    program: str
    version: str

    @classmethod
    def parse(cls, reference: str) -> "Image":
        """Read a reference; without a tag the version is `latest` or the digest's first part."""
        match = _REFERENCE.fullmatch(reference)
        if match is None:
            return cls(reference, "latest")
        digest = (match["digest"] or "")[:_DIGEST_LENGTH]
        return cls(match["repository"].rpartition("/")[2], match["tag"] or digest or "latest")


@dataclass(frozen=True)
class Probe:
    """A probe; times in seconds. `path` is None for one that only opens the port.

    Commands and gRPC checks are not run, since every image is the sample service: `port` is
    None and they pass.
    """

    port: int | None
    path: str | None
    headers: Mapping[str, str]
    initial_delay: float
    period: float
    timeout: float
    success_threshold: int
    failure_threshold: int

    @classmethod
    def read(cls, probe: Object, ports: Mapping[str, int]) -> "Probe":
        """Read a probe of a container with these named ports."""
        check = probe.get("httpGet") or probe.get("tcpSocket") or {}
        port = check.get("port")
        return cls(
            port=ports.get(port, DEFAULT_PORT) if isinstance(port, str) else port,
            path=check.get("path", "/") if "httpGet" in probe else None,
            headers={h["name"]: h["value"] for h in check.get("httpHeaders") or ()},
            initial_delay=probe.get("initialDelaySeconds", 0),
            period=probe.get("periodSeconds", 10),
            timeout=probe.get("timeoutSeconds", 1),
            success_threshold=probe.get("successThreshold", 1),
            failure_threshold=probe.get("failureThreshold", 3),
        )


@dataclass(frozen=True)
class ContainerSpec:
    """What is needed to run one container."""

    name: str
    image: str
    port: int
    environment: Mapping[str, str]
    """What the spec itself says; `drawn` is the rest."""
    drawn: Drawn
    command: tuple[str, ...]
    arguments: tuple[str, ...]
    startup: Probe | None
    readiness: Probe | None
    liveness: Probe | None
    stop_delay: float
    """Seconds that `preStop.sleep` puts between the order to stop and SIGTERM."""


@dataclass(frozen=True)
class PodSpec:
    """What is needed to run one pod."""

    namespace: str
    name: str
    uid: str
    restart_policy: str
    grace: float
    initial: tuple[ContainerSpec, ...]
    """Init containers: each runs to its end before the next one, and all before `containers`."""
    containers: tuple[ContainerSpec, ...]


def read_pod(pod: Object, address: str) -> PodSpec:
    """Read a pod that has been given an address."""
    metadata, spec = pod["metadata"], pod["spec"]
    fields = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "status.podIP": address,
    }
    return PodSpec(
        metadata["namespace"],
        metadata["name"],
        metadata["uid"],
        spec.get("restartPolicy", "Always"),
        spec.get("terminationGracePeriodSeconds", 30),
        tuple(_container(container, fields) for container in spec.get("initContainers") or ()),
        tuple(_container(container, fields) for container in spec["containers"]),
    )


def _container(container: Object, fields: Mapping[str, str]) -> ContainerSpec:
    declared: Sequence[Any] = container.get("ports") or ()
    ports = {port.get("name", ""): port["containerPort"] for port in declared}
    lifecycle = container.get("lifecycle") or {}
    sleep = (lifecycle.get("preStop") or {}).get("sleep") or {}
    return ContainerSpec(
        container["name"],
        container["image"],
        declared[0]["containerPort"] if declared else DEFAULT_PORT,
        _environment(container.get("env") or (), fields),
        read_drawn(container),
        tuple(container.get("command") or ()),
        tuple(container.get("args") or ()),
        _probe(container, "startupProbe", ports),
        _probe(container, "readinessProbe", ports),
        _probe(container, "livenessProbe", ports),
        sleep.get("seconds", 0),
    )


def _probe(container: Object, key: str, ports: Mapping[str, int]) -> Probe | None:
    return Probe.read(container[key], ports) if container.get(key) else None


def _environment(variables: Sequence[Object], fields: Mapping[str, str]) -> Mapping[str, str]:
    """Read literal values and fields of the pod."""
    environment = {}
    for variable in variables:
        source = (variable.get("valueFrom") or {}).get("fieldRef") or {}
        value = variable.get("value", fields.get(source.get("fieldPath", "")))
        if value is not None:
            environment[variable["name"]] = value
    return environment
