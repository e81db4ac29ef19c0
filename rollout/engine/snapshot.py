"""The outside world as one frozen value, read once a pass.

The planner sees nothing else: what is not in here cannot influence a decision.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rollout.analysis.verdict import ReleaseVerdict
from rollout.resources.names import beside
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.release import Release
from rollout.resources.rollout import Adoption, Rollout, Strategy, Traffic

Template = Mapping[str, Any]


@dataclass(frozen=True)
class PodSet:
    """One ReplicaSet of a Deployment and what lives of it."""

    name: str
    hash: str
    template: Template
    replicas: int
    """Replicas that its spec asks for."""
    alive: int = 0
    """Pods that are not terminating."""
    ready: int = 0
    """Ready pods that are not terminating."""


@dataclass(frozen=True)
class DeploymentView:
    """A Deployment with its ReplicaSets."""

    name: str
    uid: str
    replicas: int
    paused: bool
    template: Template
    observed: bool
    """Whether the Deployment controller has seen the current spec."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels of its pods."""
    selector: Mapping[str, str] = field(default_factory=dict)
    """Labels by which it knows its pods."""
    updated: int = 0
    current: int = 0
    available: int = 0
    pod_sets: tuple[PodSet, ...] = ()
    latch: str | None = None
    saved: Mapping[str, Any] | None = None
    """What a `rollout.dev/restore` annotation says was there before us."""
    left: bool = False
    """Whether it is ours, but of an earlier release that did not clear it away."""
    changed_by: str = ""
    """Field manager that last set `spec.paused`."""
    edited_by: str = ""
    """Field manager that last set the pod template."""
    manager: str = ""
    """Helm, Argo CD or Flux, when one of them owns it."""
    recreates: bool = False
    """Whether its own update stops all pods before it starts new ones."""

    def with_hash(self, hash_: str | None) -> PodSet | None:
        """The ReplicaSet of a pod-template-hash, if there is one."""
        return next((pods for pods in self.pod_sets if pods.hash == hash_), None)

    @property
    def populated(self) -> tuple[PodSet, ...]:
        """ReplicaSets that have or want pods."""
        return tuple(pods for pods in self.pod_sets if pods.replicas > 0 or pods.alive > 0)

    @property
    def complete(self) -> bool:
        """Whether every pod is of the current template and available."""
        return self.observed and self.updated == self.current == self.replicas == self.available


@dataclass(frozen=True)
class ServiceView:
    """A Service in front of the target's pods."""

    name: str
    uid: str
    selector: Mapping[str, str]
    type: str = "ClusterIP"
    pinned: str | None = None
    """pod-template-hash in its selector."""
    latch: str | None = None
    saved: Mapping[str, Any] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Each field that a release changes, and its value now; null: it is absent."""
    publish_not_ready: bool = False
    strangers: tuple[str, ...] = ()
    """Pods that it selects and that neither the target nor the candidate owns."""
    changed_by: str = ""
    """Field manager that last set the selector."""


@dataclass(frozen=True)
class RouteView:
    """A user's Ingress and our canary Ingress beside it."""

    ingress: str
    canary: str
    exists: bool = False
    weight: int = 0
    latch: str | None = None
    ingress_class: str = ""
    class_known: bool = True
    """Whether the class is known to honour canary annotations."""
    serves: bool = True
    """Whether it routes to a Service that carries the split."""
    left: bool = False
    """Whether our Ingress is of an earlier release that did not clear it away."""
    rivals: tuple[str, ...] = ()
    """Other canary Ingresses on the same host and path."""


@dataclass(frozen=True)
class SideService:
    """A Service of ours that selects the candidate."""

    name: str
    service: str
    """The user's Service that it stands beside."""
    exists: bool = False
    pinned: str | None = None
    left: bool = False
    """Whether it is of an earlier release that did not clear it away."""


@dataclass(frozen=True)
class Rival:
    """Something else that wants the same objects."""

    kind: str
    name: str
    what: str
    passing: bool = False
    """Whether it makes room by itself."""


@dataclass(frozen=True)
class Snapshot:
    """All that a decision may rest on."""

    release: Release
    rollout: Rollout | None
    strategy: Strategy
    policy: RolloutPolicySpec
    traffic: Traffic
    adoption: Adoption = Adoption.SURGE
    target: DeploymentView | None = None
    candidate: DeploymentView | None = None
    services: tuple[ServiceView, ...] = ()
    """Every Service that selects the target's pods."""
    carriers: tuple[str, ...] = ()
    """Names of those that carry the split."""
    side_services: tuple[SideService, ...] = ()
    preview: ServiceView | None = None
    """The user's preview Service, when blueGreen names one."""
    routes: tuple[RouteView, ...] = ()
    rivals: tuple[Rival, ...] = ()
    missing: tuple[str, ...] = ()
    """Sentences about objects that the Rollout names and that are not there."""
    taken: tuple[str, ...] = ()
    """Objects of others that bear a name of ours."""
    fixed_base: bool = False
    """An autoscaler follows memory or values: the size at the start is the base."""
    template: Template | None = None
    """The pod template that this release wants, or None when it cannot be made."""
    container: str = ""
    image: str = ""
    template_problem: str = ""
    verdict: ReleaseVerdict | None = None
    """What the judge says of the current step or bake; None before its first look."""
    namespace_terminating: bool = False
    superseded_by: str = ""
    """A newer Release that waits for this one to make room."""
    quiet_since: datetime | None = None
    """When the last other Release of this Rollout ended."""

    @property
    def fast(self) -> bool:
        """Whether the release goes without steps, gates, judge and bake."""
        return self.release.spec.fast

    @property
    def every_service(self) -> tuple[ServiceView, ...]:
        """The Services of the target's pods, and the preview Service where there is one."""
        return (*self.services, *([self.preview] if self.preview is not None else []))

    @property
    def candidate_name(self) -> str:
        """Deterministic name of the candidate Deployment."""
        return beside(self.target_name)

    @property
    def target_name(self) -> str:
        """Name of the target Deployment."""
        if self.release.status.resolved is not None:
            return self.release.status.resolved.deployment
        return self.rollout.spec.target.deployment if self.rollout else ""
