"""Where a policy's counters come from."""

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, model_validator

from rollout.resources.access import BasicAuth, FromSecret, SecretRef, Tls, file_field
from rollout.resources.duration import Duration, seconds
from rollout.resources.metric import Matcher, known_variables
from rollout.resources.model import Model, rules

HeaderName = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9-]+$")]

SECRET_HEADERS: Final = ("Authorization", "Proxy-Authorization", "Cookie")
"""Headers that say who somebody is; a spec can be read by many, so they never stand in it."""

TENANT_HEADER: Final = "X-Scope-OrgID"
WAYS: Final = ("basicAuth", "bearerToken", "bearerTokenFile")


def _plain(name: str) -> str:
    return (
        f"headers.{name} would be a secret in plain text: use basicAuth, bearerToken or "
        "secretHeaders"
    )


def _plain_rules() -> list[tuple[str, str]]:
    return [
        (f"!has(self.headers) || !('{spelt}' in self.headers)", _plain(name))
        for name in SECRET_HEADERS
        for spelt in (name, name.lower())
    ]


ONE_WAY: Final = f"{', '.join(WAYS[:-1])} and {WAYS[-1]} exclude each other: keep one"
NO_USER: Final = "address must not hold a user and password: use basicAuth"
TLS_ADDRESS: Final = "tls needs an address that begins with https://: correct one of them"
TENANT_FIRST: Final = "tenantHeader without tenant says nothing: set tenant, or remove it"


class PrometheusProvider(Model):
    """Counters are asked of Prometheus, or of anything that speaks its query API."""

    model_config = Model.model_config | {
        "json_schema_extra": rules(
            (f"[{', '.join(f'has(self.{way})' for way in WAYS)}].filter(w, w).size() < 2", ONE_WAY),
            ("!has(self.address) || !self.address.matches('^https?://[^/]*@')", NO_USER),
            (
                "!has(self.tls) || !has(self.address) || self.address.startsWith('https://')",
                TLS_ADDRESS,
            ),
            ("!has(self.tenantHeader) || has(self.tenant)", TENANT_FIRST),
            *_plain_rules(),
        )
    }

    kind: Literal["Prometheus"] = Field(default="Prometheus", description="Ask Prometheus.")
    address: str = Field(
        max_length=500,
        pattern=r"^https?://[^/?#\s]+[^?#\s]*$",
        description="Base URL, with the path prefix if there is one, such as "
        "http://prometheus.monitoring:9090 or https://metrics.example/prometheus.",
    )
    basic_auth: BasicAuth | None = Field(
        default=None, description="User and password sent with each query."
    )
    bearer_token: FromSecret | None = Field(
        default=None, description="Token sent as Authorization: Bearer with each query."
    )
    bearer_token_file: str | None = file_field("Token, as a file of the controller's pod.")
    headers: dict[HeaderName, Annotated[str, Field(max_length=4000)]] = Field(
        default={},
        max_length=16,
        description="HTTP headers sent with each query, in plain text.",
    )
    secret_headers: dict[HeaderName, FromSecret] = Field(
        default={},
        max_length=16,
        description="HTTP headers sent with each query, their values from Secrets.",
    )
    tenant: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
        description="Tenant whose metrics are asked for, in systems that keep those of several.",
    )
    tenant_header: HeaderName | None = Field(
        default=None, description=f"Header that names the tenant. Left out: {TENANT_HEADER}."
    )
    tls: Tls | None = Field(
        default=None, description="How the server and the controller prove who they are."
    )
    timeout: Duration = Field(
        default=seconds(5), description="Longest wait for one answer of Prometheus."
    )
    track_matchers: tuple[Matcher, ...] | None = Field(
        default=None,
        max_length=16,
        description="How the series of one track are told apart. Values may use ${namespace}, "
        "${service}, ${track}, ${hash}, ${pods}, ${route}, ${canary}. Left out: the preset's.",
    )

    @model_validator(mode="after")
    def _known(self) -> "PrometheusProvider":
        for matcher in self.track_matchers or ():
            known_variables(f"trackMatchers, label {matcher.label},", matcher.value)
        return self

    @model_validator(mode="after")
    def _safe(self) -> "PrometheusProvider":
        given = (self.basic_auth, self.bearer_token, self.bearer_token_file)
        if sum(way is not None for way in given) > 1:
            raise ValueError(ONE_WAY)
        if "@" in self.address.split("/")[2]:
            raise ValueError(NO_USER)
        if self.tls is not None and not self.address.startswith("https://"):
            raise ValueError(TLS_ADDRESS)
        if self.tenant_header is not None and self.tenant is None:
            raise ValueError(TENANT_FIRST)
        self._refuse_headers()
        return self

    def _refuse_headers(self) -> None:
        secret = {name.lower(): name for name in SECRET_HEADERS}
        for name in self.headers:
            if name.lower() in secret:
                raise ValueError(_plain(secret[name.lower()]))
        sent = [name.lower() for name in (*self.headers, *self.secret_headers, *self._own_headers)]
        for name in sent:
            if sent.count(name) > 1:
                raise ValueError(f"header {name} would be sent twice: keep one of them")

    @property
    def _own_headers(self) -> tuple[str, ...]:
        ways = (self.basic_auth, self.bearer_token, self.bearer_token_file)
        said = ("Authorization",) if any(way is not None for way in ways) else ()
        return (*said, *((self.tenant_header or TENANT_HEADER,) if self.tenant else ()))

    @property
    def from_secrets(self) -> dict[str, SecretRef]:
        """What is read from Secrets of the policy's namespace, by the field that names it."""
        tls = self.tls or Tls()
        given = {
            "basicAuth.password": self.basic_auth.password if self.basic_auth else None,
            "bearerToken": self.bearer_token,
            **{f"secretHeaders.{name}": value for name, value in self.secret_headers.items()},
            "tls.ca": tls.ca,
            "tls.certificate": tls.certificate,
            "tls.key": tls.key,
        }
        return {field: value.secret_ref for field, value in given.items() if value is not None}

    @property
    def from_files(self) -> dict[str, str]:
        """What is read from files of the controller's pod, by the field that names it."""
        given = {
            "bearerTokenFile": self.bearer_token_file,
            "tls.caFile": self.tls.ca_file if self.tls else None,
        }
        return {field: path for field, path in given.items() if path is not None}

    @property
    def uses_secrets(self) -> bool:
        """Whether something of it is read from Secrets of the policy's namespace."""
        return bool(self.from_secrets)


class ScrapeProvider(Model):
    """Counters are read from the pods' own /metrics, found by their prometheus.io annotations."""

    kind: Literal["Scrape"] = Field(default="Scrape", description="Read the pods.")
    timeout: Duration = Field(
        default=seconds(1), description="Longest wait for one pod; all are read at once."
    )


Provider: TypeAlias = Annotated[PrometheusProvider | ScrapeProvider, Field(discriminator="kind")]
