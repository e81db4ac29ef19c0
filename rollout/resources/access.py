"""How a provider of metrics is reached safely: passwords, tokens and certificates by reference.

Nothing secret stands in a spec. It is a key of a Secret in the policy's own namespace, or a file
that the operator mounted into the controller's pod.
"""

from typing import Any, Final

from pydantic import Field, model_validator

from rollout.resources.model import Model, rules


def file_field(description: str) -> Any:
    """Declare a path; the operator says under which folder it must be."""
    return Field(
        default=None,
        min_length=2,
        max_length=500,
        pattern=r"^/[^\s]+$",
        description=f"{description} It must be under the controller's --credentials-folder.",
    )


class SecretRef(Model):
    """A key of a Secret in the policy's namespace."""

    name: str = Field(
        min_length=1,
        max_length=253,
        pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        description="Name of the Secret.",
    )
    key: str = Field(
        min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$", description="Key in its data."
    )


class FromSecret(Model):
    """A value that is kept in a Secret."""

    secret_ref: SecretRef = Field(description="Where the value is.")


class BasicAuth(Model):
    """HTTP basic authentication."""

    username: str = Field(
        min_length=1, max_length=200, pattern=r"^[^:\s]+$", description="Name of the user."
    )
    password: FromSecret = Field(description="Password, from a Secret.")


PAIR: Final = "certificate and key belong together: give both, or neither"
ONE_CA: Final = "ca and caFile exclude each other: keep one"
UNCHECKED: Final = (
    "insecureSkipVerify checks nothing, so ca, caFile and serverName have no use: remove them, or "
    "insecureSkipVerify"
)


class Tls(Model):
    """What TLS rests on. Left out: the public authorities, and no certificate of ours."""

    model_config = Model.model_config | {
        "json_schema_extra": rules(
            ("has(self.certificate) == has(self.key)", PAIR),
            ("!has(self.ca) || !has(self.caFile)", ONE_CA),
            (
                (
                    "!has(self.insecureSkipVerify) || !self.insecureSkipVerify || "
                    "(!has(self.ca) && !has(self.caFile) && !has(self.serverName))"
                ),
                UNCHECKED,
            ),
        )
    }

    ca: FromSecret | None = Field(
        default=None, description="Authorities in PEM that the server's certificate must come from."
    )
    ca_file: str | None = file_field("The same, as a file of the controller's pod.")
    certificate: FromSecret | None = Field(
        default=None, description="The controller's certificate in PEM, for mutual TLS."
    )
    key: FromSecret | None = Field(default=None, description="The key of that certificate in PEM.")
    server_name: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        pattern=r"^[-a-zA-Z0-9.]+$",
        description="Name in the server's certificate, where it is not the address's.",
    )
    insecure_skip_verify: bool = Field(
        default=False,
        description="Take any certificate. Whoever is on the way can then read the credentials "
        "and answer with counts of their own.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> "Tls":
        if (self.certificate is None) != (self.key is None):
            raise ValueError(PAIR)
        if self.ca is not None and self.ca_file is not None:
            raise ValueError(ONE_CA)
        if self.insecure_skip_verify and (self.ca or self.ca_file or self.server_name):
            raise ValueError(UNCHECKED)
        return self
