"""What the rules of our CRDs refuse of a policy's provider: each with the field and the fix."""

from typing import Any, Final

from rollout.resources.writes import Object
from tests.resources.bad import PROMETHEUS, Bad, asked
from tests.resources.change import policy

AT: Final = "spec.provider"
SECURE: Final = "https://prometheus:9090"
SECRET: Final = {"secretRef": {"name": "prometheus", "key": "token"}}
USER: Final = {"username": "ana", "password": SECRET}
FILE: Final = "/etc/rollout/token"
LATER: Final = "would be a secret in plain text: use basicAuth, bearerToken or secretHeaders"
ONE_WAY: Final = "basicAuth, bearerToken and bearerTokenFile exclude each other: keep one"
NO_CHECK: Final = (
    "insecureSkipVerify checks nothing, so ca, caFile and serverName have no use: remove them, "
    "or insecureSkipVerify"
)


def prometheus(**settings: Any) -> Object:
    """A policy that asks Prometheus, with more settings."""
    return policy(provider={**PROMETHEUS, **settings})


def tls(**settings: Any) -> Object:
    """A policy that asks Prometheus by TLS."""
    return prometheus(address=SECURE, tls=settings)


OF_A_PROVIDER: Final = (
    *(
        Bad(f"{name} is only for kind Prometheus: remove it", AT, asked(**{name: value}))
        for name, value in {
            "basicAuth": USER,
            "bearerToken": SECRET,
            "bearerTokenFile": FILE,
            "secretHeaders": {"X-Key": SECRET},
            "tenant": "shop",
            "tenantHeader": "X-Scope-OrgID",
            "tls": {},
        }.items()
    ),
    *(
        Bad(f"headers.{name} {LATER}", AT, prometheus(headers={spelt: "x"}))
        for name in ("Authorization", "Proxy-Authorization", "Cookie")
        for spelt in (name, name.lower())
    ),
    Bad(ONE_WAY, AT, prometheus(basicAuth=USER, bearerToken=SECRET)),
    Bad(ONE_WAY, AT, prometheus(bearerToken=SECRET, bearerTokenFile=FILE)),
    Bad(
        "address must not hold a user and password: use basicAuth",
        AT,
        prometheus(address="http://ana:secret@prometheus:9090"),
    ),
    Bad(
        "tls needs an address that begins with https://: correct one of them",
        AT,
        prometheus(tls={}),
    ),
    Bad(
        "tenantHeader without tenant says nothing: set tenant, or remove it",
        AT,
        prometheus(tenantHeader="X-Scope-OrgID"),
    ),
    Bad("certificate and key belong together: give both, or neither", f"{AT}.tls", tls(key=SECRET)),
    Bad("ca and caFile exclude each other: keep one", f"{AT}.tls", tls(ca=SECRET, caFile=FILE)),
    Bad(NO_CHECK, f"{AT}.tls", tls(insecureSkipVerify=True, caFile=FILE)),
    Bad(
        "preset ingress-nginx needs provider.kind Prometheus: the edge is no pod of the service",
        "spec",
        policy(preset="ingress-nginx"),
    ),
)
