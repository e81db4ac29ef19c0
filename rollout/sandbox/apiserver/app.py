"""HTTP in front of the simulated cluster: routing, users, faults, streams."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Final

from aiohttp import web
from aiohttp.web_exceptions import HTTPException

from rollout.kube.errors import Refused
from rollout.sandbox.apiserver import discovery, openapi
from rollout.sandbox.apiserver.actions import bind_by_body
from rollout.sandbox.apiserver.asks import Answer, Ask, verb_of
from rollout.sandbox.apiserver.faulty import Broken, FaultBox
from rollout.sandbox.apiserver.handlers import answer
from rollout.sandbox.apiserver.heart import Heart
from rollout.sandbox.apiserver.kubelets import PARTS, Kubelets
from rollout.sandbox.apiserver.reviews import KINDS, MYSELF, reviewed
from rollout.sandbox.apiserver.streams import stream_watch
from rollout.sandbox.apiserver.target import Target, parse_target
from rollout.sandbox.apiserver.users import User, authenticated, token_and_path
from rollout.sandbox.apiserver.views import view_of
from rollout.sandbox.apiserver.wire import flag, read_body, status_of, wanted_shape
from rollout.simulate import refusals
from rollout.simulate.catalog import Catalog
from rollout.simulate.cluster import SimulatedCluster
from rollout.simulate.definitions import DEFINITIONS
from rollout.simulate.objects import Json

HEALTH: Final = frozenset({"/healthz", "/readyz", "/livez"})
LARGEST_BODY: Final = 3 * 1024 * 1024
AGGREGATED: Final = "as=APIGroupDiscoveryList"
AGGREGATED_TYPE: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
NO_PAGE: Final = "404 page not found\n"
READS: Final = frozenset({"get", "list", "watch"})


class Front:
    """Takes requests for one cluster."""

    def __init__(
        self,
        cluster: SimulatedCluster,
        heart: Heart,
        tokens: Mapping[str, User],
        box: FaultBox,
        kubelets: Kubelets,
    ) -> None:
        self._cluster = cluster
        self._kubelets = kubelets
        self._heart = heart
        self._tokens = tokens
        self._box = box

    def application(self) -> web.Application:
        """The aiohttp application: one handler for every path."""
        application = web.Application(client_max_size=LARGEST_BODY)
        application.router.add_route("*", "/{path:.*}", self._handle)
        application.on_cleanup.append(self._kubelets.close)
        return application

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._routed(request)
        except Refused as refusal:
            return _refused(refusal)
        except _NoPage:
            return web.Response(text=NO_PAGE, status=404)
        except Broken:
            return _break_off(request)
        except HTTPException as error:
            return _refused(refusals.bad_request(error.reason))

    async def _routed(self, request: web.Request) -> web.StreamResponse:
        if request.path.rstrip("/") in HEALTH:
            return web.Response(text="ok")
        header = request.headers.get("Authorization", "")
        token, path = token_and_path(header, request.path)
        user = authenticated(token, self._tokens)
        if path.rstrip("/") in HEALTH:
            return web.Response(text="ok")
        found = self._about_server(request, path.rstrip("/"))
        if found is not None:
            return _json(found, request)
        if request.method == "POST" and path.rstrip("/") in KINDS:
            return await self._review(request, path.rstrip("/"), user)
        target = parse_target(path)
        if target is None or target.is_version:
            return self._version(request, target)
        return await self._resource(request, target, user)

    async def _review(self, request: web.Request, path: str, user: User) -> web.Response:
        plural = path.rpartition("/")[2]
        await self._box.before("create", plural)
        content = await request.read()  # who asks for themselves says nothing, in protobuf
        body = None if path == MYSELF else read_body(content, request.content_type)
        answer = web.json_response(reviewed(path, body, user, self._tokens), status=201)
        await self._box.after("create", plural)
        return answer

    def _about_server(self, request: web.Request, path: str) -> Json | None:
        """Pages that tell what the server is and serves."""
        catalog = self._cluster.registry.catalog
        aggregated = AGGREGATED in request.headers.get("Accept", "")
        pages: Mapping[str, Callable[[], Json]] = {
            "/version": lambda: discovery.VERSION,
            "/api": lambda: (
                discovery.aggregated(catalog, core=True)
                if aggregated
                else discovery.core_versions(request.host)
            ),
            "/apis": lambda: (
                discovery.aggregated(catalog, core=False)
                if aggregated
                else discovery.groups(catalog)
            ),
            "/openapi/v3": lambda: openapi.index(catalog),
        }
        if path in pages:
            return pages[path]()
        if path.startswith("/openapi/v3/"):
            return openapi.document(catalog, path.removeprefix("/openapi/v3/"))
        if path.startswith("/apis/") and path.count("/") == 2:  # noqa: PLR2004 - /apis/GROUP
            return discovery.group(catalog, path.removeprefix("/apis/"))
        return None

    def _version(self, request: web.Request, target: Target | None) -> web.Response:
        catalog = self._cluster.registry.catalog
        found = discovery.resources(catalog, target.group, target.version) if target else None
        if found is None:
            return web.Response(text=NO_PAGE, status=404)
        return _json(found, request)

    async def _resource(
        self, request: web.Request, target: Target, user: User
    ) -> web.StreamResponse:
        watch = flag(request.query, "watch")
        verb = verb_of(request.method, target, watch=watch)
        await self._box.before(verb, target.plural)
        ask = await self._ask(request, target, verb, user)
        if verb == "watch":
            return await stream_watch(request, ask, self._cluster, self._heart, self._box)
        if ask.view.api.key == "pods" and target.subresource in PARTS and verb in {"get", "create"}:
            return await self._kubelets.answer(request, ask)
        given = self._answered(ask)
        await self._box.after(verb, target.plural)
        answered = web.json_response(given.body, status=given.status)
        for warning in dict.fromkeys(ask.warnings):
            answered.headers.add("Warning", f"299 - {json.dumps(warning)}")
        return answered

    def _answered(self, ask: Ask) -> Answer:
        try:
            if ask.target.plural == "bindings":
                return bind_by_body(ask, self._cluster)
            return answer(ask, self._cluster)
        finally:
            if ask.view.api.key == DEFINITIONS:
                self._heart.settle()  # so that a kind that is served is also called established
            if ask.verb not in READS:
                self._heart.written()

    async def _ask(self, request: web.Request, target: Target, verb: str, user: User) -> Ask:
        catalog = self._cluster.registry.catalog
        pods = Target("", "v1", "pods", target.namespace)
        view = view_of(catalog, pods if target.plural == "bindings" else target)
        if view is None:
            raise _nothing_there(catalog, target)
        content = await request.read()
        kind = request.content_type if "Content-Type" in request.headers else "application/json"
        shape = wanted_shape(
            request.headers.get("Accept", ""), request.query.get("includeObject", "")
        )
        body = read_body(content, kind) if content else None
        return Ask(verb, target, view, user, dict(request.query), body, kind, shape)


class _NoPage(Exception):  # noqa: N818 - an answer, not an error of ours
    """Nothing is served at or around the path."""


def _nothing_there(catalog: Catalog, target: Target) -> Exception:
    """The real server answers in JSON only within groups that it knows."""
    known = {api.resource.group for api in catalog}
    return refusals.no_such_path() if target.group in known else _NoPage()


def _json(body: Json, request: web.Request) -> web.Response:
    kind = "application/json"
    if AGGREGATED in request.headers.get("Accept", "") and body["kind"].endswith("DiscoveryList"):
        kind = AGGREGATED_TYPE
    return web.Response(body=json.dumps(body).encode(), headers={"Content-Type": kind})


def _refused(refusal: Refused) -> web.Response:
    headers = {"Retry-After": str(int(refusal.retry_after))} if refusal.retry_after else {}
    return web.json_response(status_of(refusal), status=refusal.status, headers=headers)


def _break_off(request: web.Request) -> web.Response:
    """Close the connection in the middle; nothing of the response can reach the client."""
    if request.transport is not None:
        request.transport.abort()
    raise asyncio.CancelledError
