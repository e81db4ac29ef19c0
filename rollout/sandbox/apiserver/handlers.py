"""What the server does for each verb: from an `Ask` to an `Answer`, without HTTP."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from rollout.kube.errors import Refused
from rollout.resources.objects import name_of, namespace_of, uid_of
from rollout.resources.writes import Object, PatchType
from rollout.sandbox.apiserver import actions
from rollout.sandbox.apiserver.asks import Answer, Ask
from rollout.sandbox.apiserver.bodies import checked, delete_options, read_object, read_patched
from rollout.sandbox.apiserver.selection import chosen
from rollout.sandbox.apiserver.wire import Drawing, columns_of, shown, shown_list
from rollout.simulate import refusals
from rollout.simulate.catalog import ApiResource
from rollout.simulate.cluster import CUSTOM_PATCHES, SimulatedCluster
from rollout.simulate.objects import Json, dig, drop, put
from rollout.simulate.patches import patched
from rollout.simulate.registry import Deleted
from rollout.simulate.scale import scale_of, scaled

STATUS: Final = "status"
SCALE: Final = "scale"
APPLY: Final = "application/apply-patch+yaml"
NO_APPLY: Final = "(server-side apply needs a real control plane)"
PATCHES: Final = (
    PatchType.JSON.value,
    PatchType.MERGE.value,
    PatchType.STRATEGIC.value,
)


def answer(ask: Ask, cluster: SimulatedCluster) -> Answer:
    """Do what is asked. Raises Refused."""
    with cluster.lock:
        if ask.query.get("dryRun") == "All":
            return _dry(ask, cluster)
        handler = _HANDLERS.get(ask.verb)
        if handler is None or not _is_served(ask):
            raise refusals.method_not_allowed()
        return handler(ask, cluster)


def _dry(ask: Ask, cluster: SimulatedCluster) -> Answer:
    """The answer as if, given by a fork; the object keeps the version that it has in truth."""
    query = {key: value for key, value in ask.query.items() if key != "dryRun"}
    given = answer(replace(ask, query=query), cluster.fork())
    meta = dig(given.body, "metadata")
    if not meta or "resourceVersion" not in meta:
        return given
    known = cluster.registry.store.get(ask.view.api.key, ask.namespace, meta.get("name", ""))
    if known is None:
        return Answer(given.status, drop(given.body, ("metadata", "resourceVersion")))
    version = known["metadata"]["resourceVersion"]
    return Answer(given.status, put(given.body, ("metadata", "resourceVersion"), version))


def _is_served(ask: Ask) -> bool:
    """Whether the kind has the part of it that the path names."""
    api, part = ask.view.api, ask.target.subresource
    if part == STATUS:
        return api.status
    if part == SCALE:
        return api.scale is not None
    return not part or (api.key, part) in actions.ACTIONS


def _get(ask: Ask, cluster: SimulatedCluster) -> Answer:
    obj = cluster.registry.get(ask.view.api, ask.namespace, ask.target.name)
    if ask.target.subresource == SCALE:
        return Answer(200, scale_of(ask.view.api, obj))
    return Answer(200, _shown(ask, obj, cluster))


def _shown(ask: Ask, obj: Object, cluster: SimulatedCluster) -> Json:
    return shown(ask.view.outward(obj), _drawing(ask, cluster))


def _drawing(ask: Ask, cluster: SimulatedCluster) -> Drawing:
    columns = columns_of(ask.view.api, ask.view.columns_key)
    return Drawing(ask.shape, columns, cluster.registry.clock())


def _list(ask: Ask, cluster: SimulatedCluster) -> Answer:
    return _listed(ask, chosen(ask, _in_reach(ask, cluster)), cluster)


def _listed(ask: Ask, objects: Sequence[Object], cluster: SimulatedCluster) -> Answer:
    version = str(cluster.registry.store.version)
    return Answer(200, shown_list(_face(ask), objects, version, _drawing(ask, cluster)))


def _face(ask: Ask) -> ApiResource:
    api = ask.view.api
    return api if ask.view.resource is api.resource else api.as_resource(ask.view.resource)


def _in_reach(ask: Ask, cluster: SimulatedCluster) -> Sequence[Object]:
    namespaced = ask.view.api.resource.namespaced
    where = ask.target.namespace if namespaced else None
    return cluster.registry.store.all(ask.view.api.key, where)


def _create(ask: Ask, cluster: SimulatedCluster) -> Answer:
    action = actions.ACTIONS.get((ask.view.api.key, ask.target.subresource))
    if ask.target.subresource:
        if action is None:
            raise refusals.method_not_allowed()
        return action(ask, cluster)
    body = read_object(ask, ask.view.inward(checked(ask, ask.body, named=False)))
    created = cluster.registry.create(ask.view.api, ask.namespace, body)
    return Answer(201, _shown(ask, created, cluster))


def _update(ask: Ask, cluster: SimulatedCluster) -> Answer:
    if ask.target.subresource == SCALE:
        return _write(ask, cluster, lambda old: scaled(ask.view.api, old, ask.body))
    body = read_object(ask, ask.view.inward(checked(ask, ask.body, named=True)))
    _check_uid(ask, body, cluster)
    return _write(ask, cluster, lambda _: body)


def _check_uid(ask: Ask, body: Object, cluster: SimulatedCluster) -> None:
    """Who replaces an object may say which one: a uid is a precondition."""
    uid = dig(body, "metadata", "uid")
    old = cluster.registry.get(ask.view.api, ask.namespace, ask.target.name)
    if uid and uid != uid_of(old):
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {uid_of(old)}"
        raise refusals.conflict(ask.view.resource, ask.target.name, why)


def _patch(ask: Ask, cluster: SimulatedCluster) -> Answer:
    kind = _patch_type(ask)
    api = ask.view.api
    if ask.target.subresource == SCALE:
        return _write(
            ask, cluster, lambda old: scaled(api, old, patched(scale_of(api, old), kind, ask.body))
        )

    def edit(old: Object) -> Object:
        new = patched(ask.view.outward(old), kind, ask.body)
        return read_patched(ask, ask.view.inward(checked(ask, new, named=True)), old)

    return _write(ask, cluster, edit)


def _patch_type(ask: Ask) -> PatchType:
    if ask.content_type == APPLY:
        raise refusals.unsupported_media_type((*PATCHES, NO_APPLY))
    if ask.content_type not in PATCHES:
        raise refusals.foreign_media_type()
    kind = PatchType(ask.content_type)
    if kind is PatchType.STRATEGIC and not ask.view.api.strategic:
        raise refusals.unsupported_media_type(CUSTOM_PATCHES)
    return kind


def _write(ask: Ask, cluster: SimulatedCluster, edit: Callable[[Object], Object]) -> Answer:
    part = STATUS if ask.target.subresource == STATUS else ""
    new = cluster.registry.update(ask.view.api, ask.namespace, ask.target.name, edit, part)
    if ask.target.subresource == SCALE:
        return Answer(200, scale_of(ask.view.api, new))
    return Answer(200, _shown(ask, new, cluster))


def _delete(ask: Ask, cluster: SimulatedCluster) -> Answer:
    options = delete_options(ask)
    deleted = cluster.registry.delete(ask.view.api, ask.namespace, ask.target.name, options)
    return Answer(200, _deleted(ask, deleted, cluster))


def _deleted(ask: Ask, deleted: Deleted, cluster: SimulatedCluster) -> Json:
    if ask.view.api.returns_deleted or not deleted.gone:
        return _shown(ask, deleted.object, cluster)
    resource = ask.view.resource
    facts = {
        "name": name_of(deleted.object),
        **({"group": resource.group} if resource.group else {}),
        "kind": resource.plural,
        "uid": uid_of(deleted.object),
    }
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": facts,
    }


def _delete_collection(ask: Ask, cluster: SimulatedCluster) -> Answer:
    options = delete_options(ask)
    gone = []
    for obj in chosen(ask, _in_reach(ask, cluster)):
        try:
            deleted = cluster.registry.delete(
                ask.view.api, namespace_of(obj), name_of(obj), options
            )
        except Refused:
            continue  # somebody else was faster; what is left is what counts
        gone.append(ask.view.outward(deleted.object))
    return _listed(ask, gone, cluster)


_HANDLERS: Final[Mapping[str, Callable[[Ask, SimulatedCluster], Answer]]] = {
    "get": _get,
    "list": _list,
    "create": _create,
    "update": _update,
    "patch": _patch,
    "delete": _delete,
    "deletecollection": _delete_collection,
}
