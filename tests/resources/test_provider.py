"""How a provider of metrics may be set: refused in the same words by us and by the API server."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from pydantic import TypeAdapter, ValidationError

from rollout.kube.client import HttpCluster
from rollout.kube.errors import Invalid
from rollout.resources.provider import PrometheusProvider, Provider
from rollout.resources.writes import Create, Kind
from tests.controlplane.access import Access
from tests.defined import define

HTTP: Final = "http://prometheus.monitoring:9090/prefix"
HTTPS: Final = "https://prometheus.monitoring:9090/prefix"


def secret(key: str) -> dict[str, Any]:
    return {"secretRef": {"name": "prometheus", "key": key}}


def prometheus(**settings: Any) -> dict[str, Any]:
    return {"kind": "Prometheus", "address": HTTPS, **settings}


USER: Final = {"username": "rollout", "password": secret("password")}
GOOD: Final = {
    "nothing": prometheus(address=HTTP),
    "basic": prometheus(basicAuth=USER),
    "bearer": prometheus(bearerToken=secret("token")),
    "bearer file": prometheus(bearerTokenFile="/etc/rollout/credentials/token"),
    "headers": prometheus(
        address=HTTP, headers={"X-Team": "shop"}, secretHeaders={"X-Api-Key": secret("key")}
    ),
    "tenant": prometheus(tenant="shop", tenantHeader="X-Tenant"),
    "own authority": prometheus(tls={"ca": secret("ca.crt"), "serverName": "prometheus"}),
    "authority file": prometheus(tls={"caFile": "/etc/rollout/credentials/ca.crt"}),
    "mutual": prometheus(tls={"certificate": secret("tls.crt"), "key": secret("tls.key")}),
    "unchecked": prometheus(tls={"insecureSkipVerify": True}),
}

REFUSED: Final = [
    (prometheus(basicAuth=USER, bearerToken=secret("token")), "exclude each other: keep one"),
    (
        prometheus(bearerToken=secret("token"), bearerTokenFile="/etc/x"),
        "exclude each other: keep one",
    ),
    (
        prometheus(address="https://ana:secret@prometheus"),
        "address must not hold a user and password: use basicAuth",
    ),
    (
        prometheus(address=HTTP, tls={"ca": secret("ca.crt")}),
        "tls needs an address that begins with https://",
    ),
    (prometheus(tenantHeader="X-Tenant"), "tenantHeader without tenant says nothing"),
    (
        prometheus(headers={"Authorization": "Bearer abc"}),
        "headers.Authorization would be a secret in plain text: use basicAuth",
    ),
    (prometheus(headers={"cookie": "a=b"}), "headers.Cookie would be a secret in plain text"),
    (
        prometheus(tls={"certificate": secret("tls.crt")}),
        "certificate and key belong together: give both, or neither",
    ),
    (
        prometheus(tls={"ca": secret("ca.crt"), "caFile": "/etc/ca"}),
        "ca and caFile exclude each other: keep one",
    ),
    (
        prometheus(tls={"ca": secret("ca.crt"), "insecureSkipVerify": True}),
        "insecureSkipVerify checks nothing",
    ),
]

BY_FIELD: Final = [
    (prometheus(basicAuth={"username": "a", "password": "plain"}), "basicAuth.password"),
    (prometheus(basicAuth={"username": "a:b", "password": secret("p")}), "basicAuth.username"),
    (prometheus(bearerToken={"secretRef": {"name": "prometheus"}}), "secretRef.key"),
    (prometheus(bearerToken={"secretRef": {"name": "No", "key": "a"}}), "secretRef.name"),
    (prometheus(bearerTokenFile="token"), "bearerTokenFile"),
    (prometheus(tls={"serverName": "a b"}), "serverName"),
    (prometheus(tenant="a\nb"), "tenant"),
]

ONLY_HERE: Final = [
    (prometheus(headers={"aUTHORIZATION": "x"}), "headers.Authorization would be a secret"),
    (
        prometheus(headers={"X-Scope-OrgID": "a"}, tenant="b"),
        "header x-scope-orgid would be sent twice: keep one of them",
    ),
    (
        prometheus(headers={"X-Key": "a"}, secretHeaders={"x-key": secret("key")}),
        "header x-key would be sent twice: keep one of them",
    ),
    (
        prometheus(secretHeaders={"authorization": secret("a")}, bearerToken=secret("token")),
        "header authorization would be sent twice: keep one of them",
    ),
]


def read(settings: dict[str, Any]) -> Any:
    return TypeAdapter(Provider).validate_python(settings)


@pytest.mark.parametrize("settings", GOOD.values(), ids=GOOD.keys())
def test_settings_are_read_and_written_alike(settings: dict[str, Any]) -> None:
    provider = read(settings)
    assert isinstance(provider, PrometheusProvider)
    assert read(provider.to_json()) == provider


@pytest.mark.parametrize(("settings", "said"), [*REFUSED, *ONLY_HERE])
def test_wrong_settings_are_refused_with_the_fix(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        read(settings)
    assert said in str(refused.value)


@pytest.mark.parametrize(("settings", "field"), BY_FIELD)
def test_a_wrong_value_is_refused_by_its_field(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        read(settings)
    places = [".".join(map(str, error["loc"])) for error in refused.value.errors()]
    assert any(place.endswith(field) for place in places), places


@pytest.mark.parametrize(
    ("name", "uses"),
    [
        *(("nothing", False), ("basic", True), ("bearer", True), ("bearer file", False)),
        *(("headers", True), ("tenant", False), ("own authority", True)),
        *(("authority file", False), ("mutual", True), ("unchecked", False)),
    ],
)
def test_what_rests_on_secrets_is_known(name: str, uses: bool) -> None:  # noqa: FBT001
    assert read(GOOD[name]).uses_secrets is uses


@pytest.fixture
def cluster(control_plane: Access) -> Iterator[HttpCluster]:
    found = HttpCluster.for_server(
        control_plane.url, control_plane.token(), str(control_plane.ca_file)
    )
    define(found)
    yield found
    found.close()


def policy(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "rollout.dev/v1alpha1",
        "kind": "RolloutPolicy",
        "metadata": {"name": name},
        "spec": {"provider": settings},
    }


@pytest.mark.controlplane
def test_the_api_server_takes_all_that_we_take(cluster: HttpCluster, namespace: str) -> None:
    for number, settings in enumerate(GOOD.values()):
        made = cluster.apply(Create(Kind.ROLLOUT_POLICY, namespace, policy(f"p{number}", settings)))
        assert read(made["spec"]["provider"]) == read(settings)


@pytest.mark.controlplane
@pytest.mark.parametrize(("settings", "said"), [*REFUSED, *BY_FIELD])
def test_the_api_server_refuses_in_the_same_words(
    cluster: HttpCluster, namespace: str, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(Invalid) as refused:
        cluster.apply(Create(Kind.ROLLOUT_POLICY, namespace, policy("p", settings)))
    assert said in str(refused.value)
