"""What the server serves, as clients discover it."""

from collections.abc import Iterable
from typing import Final

from rollout.resources.writes import Resource
from rollout.sandbox.apiserver.views import core_events
from rollout.simulate.catalog import ApiResource, Catalog
from rollout.simulate.objects import Json

VERBS: Final = (
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
)
STATUS_VERBS: Final = ("get", "patch", "update")
SCALE: Final = ("autoscaling", "v1", "Scale")
VERSION: Final = {
    "major": "1",
    "minor": "37",
    "gitVersion": "v1.37.2+rollout-sandbox",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2026-11-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "practice",
}


def served(catalog: Catalog) -> list[ApiResource]:
    """All kinds by group, version and name, with Events under both their groups."""
    everything = [*catalog, core_events(catalog)]
    return sorted(everything, key=lambda api: (api.resource.group, api.resource.plural))


def core_versions(address: str) -> Json:
    """The answer of `/api`."""
    client = {"clientCIDR": "0.0.0.0/0", "serverAddress": address}
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [client]}


def groups(catalog: Catalog) -> Json:
    """The answer of `/apis`."""
    names = dict.fromkeys(_version(api.resource) for api in served(catalog) if api.resource.group)
    found = [_group(group, version) for group, version in names]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}


def group(catalog: Catalog, name: str) -> Json | None:
    """The answer of `/apis/GROUP`, None when nothing of it is served."""
    for api in catalog:
        if api.resource.group == name:
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(*_version(api.resource))}
    return None


def _version(resource: Resource) -> tuple[str, str]:
    return resource.group, resource.version


def _group(name: str, version: str) -> Json:
    only = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [only], "preferredVersion": only}


def resources(catalog: Catalog, group_name: str, version: str) -> Json | None:
    """The answer of `/apis/GROUP/VERSION`, None when nothing of it is served."""
    apis = [api for api in served(catalog) if _version(api.resource) == (group_name, version)]
    if not apis:
        return None
    listed = [entry for api in apis for entry in _entries(api)]
    if not group_name:
        listed.append(_bindings())
    return {
        "kind": "APIResourceList",
        **({"apiVersion": "v1"} if group_name else {}),
        "groupVersion": f"{group_name}/{version}".removeprefix("/"),
        "resources": sorted(listed, key=lambda entry: str(entry["name"])),
    }


def _entries(api: ApiResource) -> Iterable[Json]:
    resource = api.resource
    common = {"namespaced": resource.namespaced, "singularName": ""}
    yield {
        "name": resource.plural,
        "singularName": api.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(verbs_of(api)),
        **({"shortNames": list(api.short_names)} if api.short_names else {}),
        **({"categories": list(api.categories)} if api.categories else {}),
    }
    for name, kind, verbs in subresources_of(api):
        of_kind = {"kind": kind[2], **_group_of(kind)} if kind else {"kind": resource.kind}
        yield {"name": f"{resource.plural}/{name}", **common, **of_kind, "verbs": list(verbs)}


def _group_of(kind: tuple[str, str, str]) -> Json:
    return {"group": kind[0], "version": kind[1]} if kind[0] else {}


def verbs_of(api: ApiResource) -> tuple[str, ...]:
    """What can be done with a kind: namespaces cannot be deleted all at once."""
    if api.key == "namespaces":
        return tuple(verb for verb in VERBS if verb != "deletecollection")
    return VERBS


def subresources_of(
    api: ApiResource,
) -> Iterable[tuple[str, tuple[str, str, str] | None, tuple[str, ...]]]:
    """Name, kind (None: that of the resource) and verbs of each subresource."""
    if api.status:
        yield "status", None, STATUS_VERBS
    if api.scale is not None:
        yield "scale", SCALE, STATUS_VERBS
    if api.key == "namespaces":
        yield "finalize", None, ("update",)
    if api.key == "pods":
        yield "binding", ("", "v1", "Binding"), ("create",)
        yield "eviction", ("policy", "v1", "Eviction"), ("create",)
        yield "exec", ("", "v1", "PodExecOptions"), ("create", "get")
        yield "log", None, ("get",)
        yield "portforward", ("", "v1", "PodPortForwardOptions"), ("create", "get")


def _bindings() -> Json:
    return {
        "name": "bindings",
        "singularName": "binding",
        "namespaced": True,
        "kind": "Binding",
        "verbs": ["create"],
    }


def aggregated(catalog: Catalog, *, core: bool) -> Json:
    """The newer form of discovery: everything in one answer."""
    by_group: dict[str, list[ApiResource]] = {}
    for api in served(catalog):
        if (api.resource.group == "") == core:
            by_group.setdefault(api.resource.group, []).append(api)
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [_aggregated_group(name, apis) for name, apis in by_group.items()],
    }


def _aggregated_group(name: str, apis: list[ApiResource]) -> Json:
    version = apis[0].resource.version
    return {
        "metadata": {"name": name} if name else {},
        "versions": [
            {
                "version": version,
                "freshness": "Current",
                "resources": [_aggregated_resource(api) for api in apis],
            }
        ],
    }


def _aggregated_resource(api: ApiResource) -> Json:
    resource = api.resource
    full = (resource.group, resource.version, resource.kind)
    own = _response_kind(("", "", resource.kind) if api.strategic else full)
    entries = [
        {
            "subresource": name,
            "responseKind": _response_kind(kind) if kind else own,
            "verbs": list(verbs),
        }
        for name, kind, verbs in sorted(subresources_of(api), key=lambda each: each[0])
    ]
    return {
        "resource": resource.plural,
        "responseKind": own,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": api.singular,
        "verbs": list(verbs_of(api)),
        **({"shortNames": list(api.short_names)} if api.short_names else {}),
        **({"categories": list(api.categories)} if api.categories else {}),
        **({"subresources": entries} if entries else {}),
    }


def _response_kind(kind: tuple[str, str, str]) -> Json:
    return {"group": kind[0], "version": kind[1], "kind": kind[2]}
