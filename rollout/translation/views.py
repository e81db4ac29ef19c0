"""What steers traffic, as the planner sees it: Services, routes, and ours beside them."""

from dataclasses import dataclass

from rollout.engine.snapshot import RouteView, ServiceView, SideService
from rollout.resources.names import beside
from rollout.resources.objects import annotations_of, controller_uid, labels_of, name_of, uid_of
from rollout.resources.release import Release
from rollout.resources.rollout import ShareBy, Strategy, Traffic
from rollout.resources.writes import Object
from rollout.traffic import ingress as routes
from rollout.traffic.notes import read_note
from rollout.traffic.registry import Means, router
from rollout.traffic.router import Settings, Steered, View
from rollout.traffic.service import as_it_is, own_selector
from rollout.traffic.side import side_service_name
from rollout.translation.deployments import alive, field_manager
from rollout.translation.discovery import Found
from rollout.translation.objects import Objects
from rollout.translation.ownership import Owner, made_by


@dataclass(frozen=True)
class Scene:
    """What the views of one release are made from."""

    objects: Objects
    release: Release
    strategy: Strategy
    traffic: Traffic
    found: Found
    target: Object | None
    target_name: str

    def ours(self, what: str, name: str) -> Object | None:
        """Find an object of ours; one that somebody else made does not count."""
        found = self.objects.named(what, name)
        if found is None or made_by(found, self.release) is Owner.SOMEBODY:
            return None
        return found

    def left(self, obj: Object | None) -> bool:
        """Whether an object of ours is of an earlier release."""
        return obj is not None and made_by(obj, self.release) is Owner.EARLIER_RELEASE

    @property
    def candidate(self) -> Object | None:
        """The candidate Deployment, if it is ours."""
        return self.ours("deployments", beside(self.target_name))

    @property
    def preview(self) -> Object | None:
        """The user's preview Service, when blueGreen names one."""
        blue_green = self.strategy.blue_green
        if blue_green is None or blue_green.preview_service is None:
            return None
        return self.objects.named("services", blue_green.preview_service)


def service_view(scene: Scene, service: Object) -> ServiceView:
    """Return a Service of the user's."""
    spec = service.get("spec") or {}
    view = _view_of(service)
    return ServiceView(
        name=name_of(service),
        uid=uid_of(service),
        selector=own_selector(service),
        type=str(spec.get("type", "ClusterIP")),
        pinned=view.hash,
        latch=view.latch,
        saved=read_note(annotations_of(service)),
        fields=as_it_is(service),
        publish_not_ready=bool(spec.get("publishNotReadyAddresses", False)),
        strangers=_strangers(scene, service),
        changed_by=field_manager(service, ("f:spec", "f:selector")),
    )


def _view_of(service: Object) -> View:
    return router(Means.SERVICE, Settings("")).view(Steered(service))


def _strangers(scene: Scene, service: Object) -> tuple[str, ...]:
    own = own_selector(service)
    if not own:
        return ()
    uids = {uid_of(owner) for owner in (scene.target, scene.candidate) if owner is not None}
    sets = {uid_of(rs) for rs in scene.objects.replica_sets if controller_uid(rs) in uids}
    return tuple(
        name_of(pod)
        for pod in scene.objects.pods
        if alive(pod)
        and controller_uid(pod) not in sets
        and all(labels_of(pod).get(k) == v for k, v in own.items())
    )


def side_services(scene: Scene) -> tuple[SideService, ...]:
    """Return the Services that select the candidate.

    There are none where the user has a preview, or where pods make the share.
    """
    blue_green = scene.strategy.blue_green
    if blue_green is not None and blue_green.preview_service is not None:
        return ()
    if scene.traffic.share_by is ShareBy.REPLICAS and blue_green is None:
        return ()
    return tuple(_side_service(scene, name) for name in scene.found.carriers)


def _side_service(scene: Scene, service: str) -> SideService:
    name = side_service_name(service)
    side = scene.ours("services", name)
    return SideService(
        name=name,
        service=service,
        exists=side is not None,
        pinned=_view_of(side).hash if side is not None else None,
        left=scene.left(side),
    )


def route_view(scene: Scene, ingress: Object) -> RouteView:
    """Return an Ingress of the user's with our canary Ingress beside it."""
    prefix, known = scene.traffic.annotation_prefix, scene.traffic.canary_annotations
    steering = router(Means.INGRESS, Settings(prefix))
    canary = str(steering.beside(name_of(ingress)))
    route = scene.ours("ingresses", canary)
    view = steering.view(Steered(ingress, route))
    return RouteView(
        ingress=name_of(ingress),
        canary=canary,
        exists=view.ready,
        weight=view.applied,
        latch=view.latch,
        ingress_class=routes.class_of(ingress),
        class_known=routes.class_known(ingress, scene.objects.ingress_classes)
        if known is None
        else known,
        serves=bool(set(scene.found.carriers) & set(routes.backends(ingress))),
        left=scene.left(route),
        rivals=_rivals(scene, ingress, canary),
    )


def _rivals(scene: Scene, ingress: Object, canary: str) -> tuple[str, ...]:
    """Name other canaries on the same host and path."""
    return tuple(
        name_of(other)
        for other in scene.objects.ingresses
        if routes.is_canary(other, scene.traffic.annotation_prefix)
        and (name_of(other) != canary or scene.ours("ingresses", canary) is None)
        and routes.places(other) & routes.places(ingress)
    )


def taken(scene: Scene) -> tuple[str, ...]:
    """Name what others made under a name that this release needs."""
    needed = [("deployments", "Deployment", beside(scene.target_name))]
    needed += [("services", "Service", side.name) for side in side_services(scene)]
    if scene.strategy.canary is not None:
        needed += [("ingresses", "Ingress", beside(name_of(i))) for i in scene.found.ingresses]
    return tuple(
        f"{kind} {name}"
        for what, kind, name in needed
        if scene.objects.named(what, name) is not None and scene.ours(what, name) is None
    )
