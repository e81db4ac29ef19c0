"""Every kind the simulated API serves, and how each departs from the common way of storing.

Built-in kinds are a table; custom kinds join it when their CRD is created.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, TypeAlias

from rollout.resources.writes import Kind, Object, Resource
from rollout.simulate import defaults
from rollout.simulate.objects import EMPTY, Json
from rollout.simulate.refusals import FieldError, group_resource, no_such_path
from rollout.simulate.tables import Column
from rollout.simulate.validation import network, nothing, workloads

Default: TypeAlias = Callable[[Object], Json]
Validate: TypeAlias = Callable[[Object, Object | None], list[FieldError]]
Compare: TypeAlias = Callable[[Object, Object], bool]


@dataclass(frozen=True)
class ScalePaths:
    """Where a kind keeps what the scale subresource shows."""

    replicas: tuple[str, ...] = ("spec", "replicas")
    status_replicas: tuple[str, ...] = ("status", "replicas")
    selector: tuple[str, ...] | None = ("spec", "selector")


@dataclass(frozen=True, eq=False)
class ApiResource:
    """One kind, as the API serves it."""

    resource: Resource
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    default: Default = dict
    validate: Validate = nothing
    default_status: Default | None = None
    """What a write of the status subresource is put through, where that is more than nothing."""
    validate_status: Validate = nothing
    generation_moves: Compare | None = None
    initial: Object | None = None
    """Fields of a new object that its creator cannot set, such as `status`; None: all are his."""
    status: bool = False
    status_keeps: tuple[tuple[str, ...], ...] = (("spec",),)
    """Fields that a write of the status subresource leaves as they are."""
    scale: ScalePaths | None = None
    unconditional_update: bool = True
    graceful: bool = False
    returns_deleted: bool = False
    strategic: bool = True
    columns: tuple[Column, ...] | None = None
    schema: Object | None = None
    refused_as: Resource | None = None
    """The name of the kind in refusals, where the real server uses another one."""
    born: int = 0
    """The version of the store from which on the kind was served; watches begin no earlier."""
    unknown_fields: Callable[[Object], list[str]] | None = None
    """Finds what the schema of a custom kind does not know."""

    @cached_property
    def key(self) -> str:
        """Name of the resource with its group, unique in the cluster: `deployments.apps`."""
        return group_resource(self.resource)

    def named(self, body: Object) -> Json:
        """The body with the kind and version that the path stands for."""
        resource = self.resource
        return {**body, "apiVersion": resource.api_version, "kind": resource.kind}

    def as_resource(self, resource: Resource) -> "ApiResource":
        """The same kind under another name."""
        return replace(self, resource=resource)


class Catalog:
    """The kinds that are served now."""

    def __init__(self, resources: Iterable[ApiResource] = ()) -> None:
        self._by_key = {api.key: api for api in resources}
        self._by_kind: dict[Kind, ApiResource] = {}

    def fork(self) -> "Catalog":
        """A catalog of the same kinds."""
        return Catalog(self._by_key.values())

    def add(self, api: ApiResource) -> None:
        """Serve a kind from now on, or serve it differently."""
        self._by_key[api.key] = api
        self._by_kind.clear()

    def discard(self, key: str) -> None:
        """Serve the kind no longer."""
        self._by_key.pop(key, None)
        self._by_kind.clear()

    def __iter__(self) -> Iterator[ApiResource]:
        return iter(list(self._by_key.values()))

    def of(self, kind: Kind) -> ApiResource:
        """How the kind is served. Raises NotFound when its CRD is missing."""
        api = self._by_kind.get(kind)
        if api is None:
            api = self._by_kind[kind] = self.by_key(group_resource(kind.value))
        return api

    def by_key(self, key: str) -> ApiResource:
        """How the resource is served. Raises NotFound when it is not."""
        api = self._by_key.get(key)
        if api is None:
            raise no_such_path()
        return api

    def find(self, group: str, version: str, plural: str) -> ApiResource | None:
        """The resource at a place of the API, or None."""
        api = self._by_key.get(f"{plural}.{group}" if group else plural)
        return api if api is not None and api.resource.version == version else None

    def by_name(self, api_version: str, kind: str) -> ApiResource | None:
        """The resource of objects with this `apiVersion` and `kind`, or None."""
        group = api_version.rpartition("/")[0]
        return next(
            (
                api
                for api in self._by_key.values()
                if api.resource.kind == kind and api.resource.group == group
            ),
            None,
        )


def spec_moved(new: Object, old: Object) -> bool:
    """Whether the spec differs: the common rule for `metadata.generation`."""
    return bool(new.get("spec") != old.get("spec"))


def deployment_moved(new: Object, old: Object) -> bool:
    """A Deployment's generation also counts its annotations."""
    return spec_moved(new, old) or _annotations(new) != _annotations(old)


def slice_moved(new: Object, old: Object) -> bool:
    """An EndpointSlice has no spec: its generation counts what is not metadata, and labels."""
    return any(
        new.get(part) != old.get(part) for part in ("endpoints", "ports", "addressType")
    ) or new["metadata"].get("labels") != old["metadata"].get("labels")


def beyond_status_moved(new: Object, old: Object) -> bool:
    """A custom kind with a status counts all that is neither metadata nor status."""
    return any(
        new.get(part) != old.get(part)
        for part in new.keys() | old.keys()
        if part not in ("metadata", "status")
    )


def beyond_metadata_moved(new: Object, old: Object) -> bool:
    """A custom kind without a status counts all that is not metadata."""
    return any(
        new.get(part) != old.get(part) for part in new.keys() | old.keys() if part != "metadata"
    )


def _annotations(obj: Object) -> Any:
    return obj["metadata"].get("annotations") or EMPTY


def custom_schemaless(kind: Kind) -> ApiResource:
    """A custom kind of ours served without its CRD: no schema, a status subresource."""
    return ApiResource(
        kind.value,
        singular=kind.value.kind.lower(),
        generation_moves=beyond_status_moved,
        initial={},
        status=True,
        status_keeps=CUSTOM_STATUS_KEEPS,
        unconditional_update=False,
        strategic=False,
    )


CUSTOM_STATUS_KEEPS: Final = (("metadata",), ("spec",))

CORE_EVENT: Final = Resource("Event", "events")
"""Events as core/v1 has them, beside those of events.k8s.io."""

_ALL: Final = ("all",)

BUILT_IN: Final = (
    ApiResource(
        Kind.NAMESPACE.value,
        "namespace",
        ("ns",),
        default=defaults.namespace,
        validate=network.namespace,
        initial={"status": {"phase": "Active"}},
        status=True,
    ),
    ApiResource(
        Kind.NODE.value,
        "node",
        ("no",),
        default=defaults.node,
        validate=network.cluster_wide,
        status=True,
    ),
    ApiResource(
        Kind.POD.value,
        "pod",
        ("po",),
        _ALL,
        default=defaults.pod,
        validate=workloads.pod,
        generation_moves=spec_moved,
        initial={"status": {"phase": "Pending", "qosClass": "BestEffort"}},
        status=True,
        status_keeps=(("spec",), ("metadata", "ownerReferences")),
        graceful=True,
        returns_deleted=True,
    ),
    ApiResource(
        Kind.SERVICE.value,
        "service",
        ("svc",),
        _ALL,
        default=defaults.service,
        validate=network.service,
        initial={"status": {"loadBalancer": {}}},
        status=True,
        returns_deleted=True,
    ),
    ApiResource(Kind.CONFIG_MAP.value, "configmap", ("cm",), validate=network.config_map),
    ApiResource(Kind.SECRET.value, "secret", default=defaults.secret, validate=network.config_map),
    ApiResource(
        Kind.SERVICE_ACCOUNT.value,
        "serviceaccount",
        ("sa",),
        validate=network.namespaced,
        returns_deleted=True,
    ),
    ApiResource(
        Kind.EVENT.value,
        "event",
        ("ev",),
        validate=network.event,
        refused_as=CORE_EVENT,
    ),
    ApiResource(
        Kind.DEPLOYMENT.value,
        "deployment",
        ("deploy",),
        _ALL,
        default=defaults.deployment,
        validate=workloads.deployment,
        generation_moves=deployment_moved,
        initial={"status": {}},
        validate_status=workloads.deployment_status,
        status=True,
        status_keeps=(("spec",), ("metadata", "labels")),
        scale=ScalePaths(),
    ),
    ApiResource(
        Kind.REPLICA_SET.value,
        "replicaset",
        ("rs",),
        _ALL,
        default=defaults.replica_set,
        validate=workloads.replica_set,
        generation_moves=spec_moved,
        initial={"status": {"replicas": 0}},
        status=True,
        scale=ScalePaths(),
    ),
    ApiResource(
        Kind.ENDPOINT_SLICE.value,
        "endpointslice",
        default=defaults.endpoint_slice,
        validate=network.endpoint_slice,
        generation_moves=slice_moved,
    ),
    ApiResource(
        Kind.INGRESS.value,
        "ingress",
        ("ing",),
        validate=network.ingress,
        generation_moves=spec_moved,
        initial={"status": {"loadBalancer": {}}},
        status=True,
    ),
    ApiResource(
        Kind.INGRESS_CLASS.value,
        "ingressclass",
        validate=network.ingress_class,
        generation_moves=spec_moved,
    ),
    ApiResource(
        Kind.NETWORK_POLICY.value,
        "networkpolicy",
        ("netpol",),
        default=defaults.network_policy,
        validate=network.namespaced,
        generation_moves=spec_moved,
    ),
    ApiResource(
        Kind.HORIZONTAL_POD_AUTOSCALER.value,
        "horizontalpodautoscaler",
        ("hpa",),
        _ALL,
        default=defaults.autoscaler,
        validate=network.autoscaler,
        generation_moves=spec_moved,
        initial={"status": {"currentMetrics": None, "desiredReplicas": 0}},
        status=True,
    ),
    ApiResource(Kind.LEASE.value, "lease", validate=network.lease, unconditional_update=False),
    ApiResource(
        Kind.POD_DISRUPTION_BUDGET.value,
        "poddisruptionbudget",
        ("pdb",),
        validate=network.disruption_budget,
        generation_moves=spec_moved,
        initial={
            "status": {
                "currentHealthy": 0,
                "desiredHealthy": 0,
                "disruptionsAllowed": 0,
                "expectedPods": 0,
            }
        },
        status=True,
        unconditional_update=False,
    ),
)
