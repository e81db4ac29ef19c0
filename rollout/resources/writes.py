"""Writes to the Kubernetes API, as values.

Routers and the engine's hands say *what* should be written without a client in reach; `kube/`
and the simulated cluster carry it out. Each kind that the product touches is declared here once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

from rollout.resources.words import GROUP, VERSION

RBAC: Final = "rbac.authorization.k8s.io"
Object: TypeAlias = Mapping[str, Any]
"""A Kubernetes object as JSON. Read it, never change it in place."""


@dataclass(frozen=True)
class Resource:
    """Where a kind lives in the API."""

    kind: str
    plural: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """Value of `apiVersion` on objects of this kind."""
        return f"{self.group}/{self.version}" if self.group else self.version


class Kind(Enum):
    """Every kind that the product reads or writes."""

    NAMESPACE = Resource("Namespace", "namespaces", namespaced=False)
    NODE = Resource("Node", "nodes", namespaced=False)
    POD = Resource("Pod", "pods")
    SERVICE = Resource("Service", "services")
    CONFIG_MAP = Resource("ConfigMap", "configmaps")
    SECRET = Resource("Secret", "secrets")
    SERVICE_ACCOUNT = Resource("ServiceAccount", "serviceaccounts")
    EVENT = Resource("Event", "events", "events.k8s.io")
    DEPLOYMENT = Resource("Deployment", "deployments", "apps")
    REPLICA_SET = Resource("ReplicaSet", "replicasets", "apps")
    ENDPOINT_SLICE = Resource("EndpointSlice", "endpointslices", "discovery.k8s.io")
    INGRESS = Resource("Ingress", "ingresses", "networking.k8s.io")
    INGRESS_CLASS = Resource(
        "IngressClass", "ingressclasses", "networking.k8s.io", namespaced=False
    )
    NETWORK_POLICY = Resource("NetworkPolicy", "networkpolicies", "networking.k8s.io")
    LEASE = Resource("Lease", "leases", "coordination.k8s.io")
    HORIZONTAL_POD_AUTOSCALER = Resource(
        "HorizontalPodAutoscaler", "horizontalpodautoscalers", "autoscaling", "v2"
    )
    POD_DISRUPTION_BUDGET = Resource("PodDisruptionBudget", "poddisruptionbudgets", "policy")
    CUSTOM_RESOURCE_DEFINITION = Resource(
        "CustomResourceDefinition",
        "customresourcedefinitions",
        "apiextensions.k8s.io",
        namespaced=False,
    )
    TOKEN_REVIEW = Resource(
        "TokenReview", "tokenreviews", "authentication.k8s.io", namespaced=False
    )
    SUBJECT_ACCESS_REVIEW = Resource(
        "SubjectAccessReview", "subjectaccessreviews", "authorization.k8s.io", namespaced=False
    )
    SELF_SUBJECT_ACCESS_REVIEW = Resource(
        "SelfSubjectAccessReview",
        "selfsubjectaccessreviews",
        "authorization.k8s.io",
        namespaced=False,
    )
    SELF_SUBJECT_REVIEW = Resource(
        "SelfSubjectReview", "selfsubjectreviews", "authentication.k8s.io", namespaced=False
    )
    ROLE = Resource("Role", "roles", RBAC)
    ROLE_BINDING = Resource("RoleBinding", "rolebindings", RBAC)
    CLUSTER_ROLE = Resource("ClusterRole", "clusterroles", RBAC, namespaced=False)
    CLUSTER_ROLE_BINDING = Resource(
        "ClusterRoleBinding", "clusterrolebindings", RBAC, namespaced=False
    )
    ADMISSION_POLICY = Resource(
        "ValidatingAdmissionPolicy",
        "validatingadmissionpolicies",
        "admissionregistration.k8s.io",
        namespaced=False,
    )
    ADMISSION_POLICY_BINDING = Resource(
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
        "admissionregistration.k8s.io",
        namespaced=False,
    )
    SERVICE_MONITOR = Resource("ServiceMonitor", "servicemonitors", "monitoring.coreos.com")
    ROLLOUT = Resource("Rollout", "rollouts", GROUP, VERSION)
    RELEASE = Resource("Release", "releases", GROUP, VERSION)
    ROLLOUT_POLICY = Resource("RolloutPolicy", "rolloutpolicies", GROUP, VERSION)


class PatchType(Enum):
    """Content types of patches. The server answers 415 to STRATEGIC on custom kinds."""

    MERGE = "application/merge-patch+json"
    JSON = "application/json-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"


@dataclass(frozen=True)
class Create:
    """Create an object. The server answers AlreadyExists when the name is taken.

    With `subresource` the body is posted to that part of the object `name`: a pod's `binding`
    or `eviction`, a service account's `token`.
    """

    kind: Kind
    namespace: str
    body: Object
    subresource: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Patch:
    """Change an object. The body carries the resourceVersion on which it was decided."""

    kind: Kind
    namespace: str
    name: str
    type: PatchType
    body: Object | Sequence[Object]
    subresource: str | None = None


@dataclass(frozen=True)
class Delete:
    """Delete an object, if it still is the one (uid, resourceVersion) that was looked at."""

    kind: Kind
    namespace: str
    name: str
    uid: str | None = None
    resource_version: str | None = None
    propagation: str = "Background"
    grace_seconds: int | None = None


Write: TypeAlias = Create | Patch | Delete

BY_KIND_NAME: Final = {kind.value.kind: kind for kind in Kind}
