"""OpenAPI v3 documents: enough for kubectl to leave validation to the server, and to explain.

kubectl looks for a PATCH operation of the kind with the parameter `fieldValidation`; the schemas
are those of custom kinds, and names only of built-in ones.
"""

import hashlib
import json
from typing import Final

from rollout.resources.writes import Resource
from rollout.sandbox.apiserver.discovery import served
from rollout.simulate.catalog import ApiResource, Catalog
from rollout.simulate.objects import Json

PARAMETERS: Final = ("dryRun", "fieldManager", "fieldValidation")
GROUP_VERSION_KIND: Final = "x-kubernetes-group-version-kind"


def index(catalog: Catalog) -> Json:
    """The answer of `/openapi/v3`: where the document of each version is."""
    prefixes = dict.fromkeys(_prefix(api.resource) for api in served(catalog))
    return {
        "paths": {
            prefix: {"serverRelativeURL": f"/openapi/v3/{prefix}?hash={_hash(catalog, prefix)}"}
            for prefix in prefixes
        }
    }


def _hash(catalog: Catalog, prefix: str) -> str:
    text = json.dumps(document(catalog, prefix), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest().upper()


def _prefix(resource: Resource) -> str:
    return f"apis/{resource.api_version}" if resource.group else f"api/{resource.version}"


def document(catalog: Catalog, prefix: str) -> Json | None:
    """The document of one version, such as `apis/apps/v1`; None when it is not served."""
    apis = [api for api in served(catalog) if _prefix(api.resource) == prefix]
    if not apis:
        return None
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.37.2"},
        "paths": {_object_path(api, prefix): _object_operations(api) for api in apis},
        "components": {"schemas": {_schema_name(api): _schema(api) for api in apis}},
    }


def _object_path(api: ApiResource, prefix: str) -> str:
    namespace = "/namespaces/{namespace}" if api.resource.namespaced else ""
    return f"/{prefix}{namespace}/{api.resource.plural}/{{name}}"


def _kind(api: ApiResource) -> Json:
    resource = api.resource
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _object_operations(api: ApiResource) -> Json:
    answers = {"200": {"description": "OK"}}
    known = {"responses": answers, GROUP_VERSION_KIND: _kind(api)}
    asked = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in PARAMETERS]
    return {
        "get": {**known, "x-kubernetes-action": "get"},
        "put": {**known, "parameters": asked, "x-kubernetes-action": "put"},
        "patch": {**known, "parameters": asked, "x-kubernetes-action": "patch"},
        "delete": {**known, "x-kubernetes-action": "delete"},
    }


def _schema_name(api: ApiResource) -> str:
    resource = api.resource
    reverse = ".".join(reversed(resource.group.split("."))) if resource.group else "core"
    return f"{reverse}.{resource.version}.{resource.kind}"


def _schema(api: ApiResource) -> Json:
    schema = dict(api.schema or {"type": "object", "properties": {}})
    return {**schema, GROUP_VERSION_KIND: [_kind(api)]}
