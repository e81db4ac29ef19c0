"""Passwords, tokens and certificates of a provider: read from Secrets and files when needed.

Nothing is listed or watched: a Secret is read by its name, when a policy names it. What was read
is used for some minutes, and read again when the server refuses it.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from rollout.resources.access import FromSecret, Tls
from rollout.resources.provider import TENANT_HEADER, PrometheusProvider

FIELD: Final = "spec.provider"


class CredentialError(Exception):
    """Something that a provider needs cannot be had; the message names the field and the fix."""


class SecretError(Exception):
    """A Secret cannot be read; the message says why and what to do."""


class SecretForbiddenError(SecretError):
    """Whoever reads has no right to this Secret, which says nothing about anybody else."""


class SecretUnavailableError(SecretError):
    """A Secret cannot be read now, which says nothing about the Secret."""


Secrets: TypeAlias = Callable[[str, str], Mapping[str, bytes]]
"""Reads the data of a Secret by namespace and name; raises SecretError."""


def no_secrets(namespace: str, name: str) -> Mapping[str, bytes]:
    """Refuse: for places that have no cluster to read Secrets from."""
    raise SecretError(f"Secret {namespace}/{name} cannot be read here: there is no cluster")


@dataclass(frozen=True)
class Keys:
    """Where credentials come from. `folder` is the only one from which files are read."""

    secrets: Secrets = no_secrets
    folder: Path | None = None


@dataclass(frozen=True)
class Access:
    """All that is secret about the way to a server, as it was read last."""

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    ca: str | None = None
    certificate: str | None = None
    key: str | None = field(default=None, repr=False)


def read_access(provider: PrometheusProvider, namespace: str, keys: Keys) -> Access:
    """Read what a provider's settings name, in a policy's namespace; raises CredentialError.

    Raises SecretUnavailableError when a Secret cannot be read just now.
    """
    reader = _Reader(namespace, keys)
    tls = provider.tls or Tls()
    return Access(
        headers=tuple(_headers(provider, reader)),
        ca=reader.either(tls.ca, tls.ca_file, "tls.ca"),
        certificate=reader.either(tls.certificate, None, "tls.certificate"),
        key=reader.either(tls.key, None, "tls.key"),
    )


def basic(username: str, password: str) -> str:
    """Give the value of the header Authorization for a user and a password."""
    return f"Basic {b64encode(f'{username}:{password}'.encode()).decode()}"


def _headers(provider: PrometheusProvider, reader: "_Reader") -> list[tuple[str, str]]:
    found = list(provider.headers.items())
    if provider.tenant is not None:
        found.append((provider.tenant_header or TENANT_HEADER, provider.tenant))
    for name, value in provider.secret_headers.items():
        found.append((name, reader.line(value, None, f"secretHeaders.{name}")))
    if provider.basic_auth is not None:
        given = provider.basic_auth
        password = reader.line(given.password, None, "basicAuth.password")
        found.append(("Authorization", basic(given.username, password)))
    if provider.bearer_token is not None or provider.bearer_token_file is not None:
        token = reader.line(provider.bearer_token, provider.bearer_token_file, "bearerToken")
        found.append(("Authorization", f"Bearer {token}"))
    return found


@dataclass
class _Reader:
    """Reads values of one namespace; each Secret once."""

    namespace: str
    keys: Keys
    known: dict[str, Mapping[str, bytes]] = field(default_factory=dict)

    def line(self, secret: FromSecret | None, file: str | None, name: str) -> str:
        """Read what goes into a header: one line, without the line break that editors add."""
        text = (self.either(secret, file, name) or "").strip()
        if not text or not text.isprintable():
            where = "is empty" if not text else "is more than one line of text"
            raise CredentialError(f"{self._field(secret, name)}: the value {where}: correct it")
        return text

    def either(self, secret: FromSecret | None, file: str | None, name: str) -> str | None:
        """Read a text from where it is; None when neither place is given."""
        if secret is not None:
            return self._text(self._secret(secret, name), self._field(secret, name))
        return None if file is None else self._text(self._file(file, name), self._field(None, name))

    def _field(self, secret: FromSecret | None, name: str) -> str:
        return f"{FIELD}.{name}" if secret is not None else f"{FIELD}.{name}File"

    def _text(self, data: bytes, where: str) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise CredentialError(f"{where}: the value is no text: correct it") from error

    def _secret(self, wanted: FromSecret, name: str) -> bytes:
        ref = wanted.secret_ref
        try:
            data = self.known.get(ref.name) or self.keys.secrets(self.namespace, ref.name)
        except SecretUnavailableError as error:
            raise SecretUnavailableError(f"{FIELD}.{name}: {error}") from error
        except SecretError as error:
            raise CredentialError(f"{FIELD}.{name}: {error}") from error
        self.known[ref.name] = data
        if ref.key not in data:
            there = ", ".join(sorted(data)) or "nothing"
            raise CredentialError(
                f"{FIELD}.{name}: Secret {self.namespace}/{ref.name} has no key {ref.key}; "
                f"it has: {there}"
            )
        return data[ref.key]

    def _file(self, name: str, field_name: str) -> bytes:
        where = f"{FIELD}.{field_name}File"
        if self.keys.folder is None:
            raise CredentialError(
                f"{where}: files are not read: start the controller with --credentials-folder, "
                "or keep the value in a Secret"
            )
        try:
            path, folder = Path(name).resolve(), self.keys.folder.resolve()
            if not path.is_relative_to(folder):
                raise CredentialError(
                    f"{where}: {name} is not under {self.keys.folder}, the only folder from which "
                    "credentials are read: mount it there"
                )
            return path.read_bytes()
        except OSError as error:
            raise CredentialError(f"{where}: {name} cannot be read: {error.strerror}") from error
