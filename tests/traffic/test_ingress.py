"""The canary Ingress keeps what the user's says, and copies nothing by which others own it."""

from typing import Any

import pytest

from rollout.resources.names import beside
from rollout.traffic.ingress import (
    backends,
    class_known,
    create_route,
    set_weight,
    weight_of,
)
from rollout.traffic.side import create_side_service, side_service_name
from tests import build

PREFIX = "nginx.ingress.kubernetes.io"
LABELS = {"app.kubernetes.io/managed-by": "rollout"}


def stored(body: dict[str, Any]) -> dict[str, Any]:
    """Give an object what the server gives it."""
    metadata = {"namespace": "shop", "uid": "u1", "resourceVersion": "7", **body["metadata"]}
    return {**body, "metadata": metadata}


def user_ingress() -> dict[str, Any]:
    body = build.ingress()
    backend = {"service": {"name": "other", "port": {"number": 80}}}
    paths = body["spec"]["rules"][0]["http"]["paths"]
    paths += [
        {"path": "/exact", "pathType": "Exact", "backend": paths[0]["backend"]},
        {"path": "/other", "pathType": "Prefix", "backend": backend},
    ]
    body["spec"]["tls"] = [{"hosts": ["web.example.com"], "secretName": "tls"}]
    body["metadata"]["annotations"] = {
        "argocd.argoproj.io/tracking-id": "a",
        "cert-manager.io/cluster-issuer": "b",
        "external-dns.alpha.kubernetes.io/hostname": "c",
    }
    body["metadata"]["labels"] = {"app.kubernetes.io/instance": "argo"}
    return stored(body)


def route() -> dict[str, Any]:
    return stored(dict(create_route(user_ingress(), {"web"}, PREFIX, LABELS).body))


def test_class_hosts_paths_and_types_are_kept_and_only_the_backend_moves() -> None:
    spec = route()["spec"]
    assert spec["ingressClassName"] == "nginx"
    assert spec["tls"] == user_ingress()["spec"]["tls"]
    (rule,) = spec["rules"]
    assert rule["host"] == "web.example.com"
    assert [(p["path"], p["pathType"]) for p in rule["http"]["paths"]] == [
        ("/", "Prefix"),
        ("/exact", "Exact"),
    ]
    assert set(backends(route())) == {"web-candidate"}


def test_nothing_by_which_others_own_it_is_copied() -> None:
    metadata = route()["metadata"]
    assert metadata["labels"] == LABELS
    assert set(metadata["annotations"]) == {f"{PREFIX}/canary", f"{PREFIX}/canary-weight"}


def test_it_goes_with_the_users_own_and_does_not_control_it() -> None:
    (owner,) = route()["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("Ingress", "u1", False)


def test_a_route_begins_at_weight_0() -> None:
    assert weight_of(route(), PREFIX) == 0


def test_the_same_weight_twice_changes_nothing() -> None:
    patch = set_weight(route(), 20, PREFIX)
    assert patch is not None
    notes = patch.body["metadata"]["annotations"]  # type: ignore[call-overload]
    twice = route()
    twice["metadata"]["annotations"] |= notes
    assert weight_of(twice, PREFIX) == 20
    assert set_weight(twice, 20, PREFIX) is None


def test_a_weight_is_refused_when_the_route_has_changed() -> None:
    patch = set_weight(route(), 20, PREFIX)
    assert patch is not None
    assert patch.body["metadata"]["resourceVersion"] == "7"  # type: ignore[call-overload]


def test_a_default_backend_moves_too() -> None:
    body = stored(build.ingress())
    body["spec"] = {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}
    made = create_route(body, {"web"}, PREFIX, LABELS).body
    assert made["spec"]["defaultBackend"]["service"]["name"] == "web-candidate"


def test_the_side_service_has_the_ports_and_nothing_else_of_the_users() -> None:
    service = stored(build.service())
    service["metadata"]["labels"] = {"release": "prometheus"}
    service["spec"] |= {"type": "LoadBalancer", "clusterIP": "10.0.0.1", "sessionAffinity": "None"}
    made = create_side_service(service, "abc", LABELS).body
    assert made["metadata"]["labels"] == LABELS
    assert made["spec"] == {
        "type": "ClusterIP",
        "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
        "selector": {"app": "web", "pod-template-hash": "abc"},
    }


def named_class(name: str, controller: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"controller": controller}}


@pytest.mark.parametrize(
    "classes",
    [
        None,
        (),
        (named_class("nginx", "k8s.io/ingress-nginx"),),
        (named_class("nginx", "traefik.io/ingress-controller"),),
    ],
)
def test_a_class_is_known_by_its_controller_and_else_by_its_name(
    classes: tuple[dict[str, Any], ...] | None,
) -> None:
    assert class_known(user_ingress(), classes)


def test_a_known_name_with_an_unknown_controller_is_not_known() -> None:
    assert not class_known(user_ingress(), (named_class("nginx", "ingress.k8s.aws/alb"),))


def test_long_names_stay_within_the_bounds() -> None:
    assert len(beside("a" * 253)) == 253
    assert len(side_service_name("a" * 63)) == 63
