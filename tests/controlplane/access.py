"""How tests use a control plane that is up, whoever started it.

A value without processes: it can be handed to another process as JSON, which is how the workers of
one test run share a single control plane.
"""

import json
import os
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

import httpx

from rollout.sandbox.agent.tls import Tls
from tests.controlplane.components import kubeconfig
from tests.controlplane.process import bound_environment

HTTP_TIMEOUT: Final = 30.0
KUBECTL_TIMEOUT: Final = 30.0


@dataclass(frozen=True)
class Call:
    """One answered request, as the audit log has it."""

    user: str
    verb: str
    """As in RBAC: get, list, watch, create, update, patch, delete, deletecollection."""
    resource: str
    """Plural name; empty for addresses that are no resource, such as `/api`."""
    subresource: str
    namespace: str
    name: str
    """Empty for lists, and for creates of a generated name."""
    code: int
    """HTTP status of the answer."""
    stage: str
    """`ResponseComplete`; a watch has an earlier entry `ResponseStarted` as well."""
    at: str
    """When the request came in, RFC 3339 with microseconds."""
    user_agent: str
    address: str
    """Path and query."""

    @property
    def is_write(self) -> bool:
        """Whether the request asked for a change, granted or not."""
        return self.verb in {"create", "update", "patch", "delete", "deletecollection"}


@dataclass(frozen=True)
class Access:
    """Addresses, users and files of a running control plane."""

    program: Path
    """The control plane program, which is kubectl as well."""
    folder: Path
    url: str
    ca_file: Path
    audit_log: Path
    tokens: Mapping[str, str]
    """Token of each user declared at the start."""

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig with a context per user; the current one is `admin`."""
        return self.folder / "kubeconfig"

    @property
    def kubelet_tls(self) -> Tls:
        """What a node agent needs to be asked for logs by this API server."""
        at = self.folder / "kubelet"
        return Tls(at / "node.crt", at / "node.key", at / "ca.crt")

    def token(self, user: str = "admin") -> str:
        """Bearer token of a user.

        Raises:
            KeyError: the user was not declared at the start.

        """
        if user not in self.tokens:
            known = ", ".join(self.tokens)
            raise KeyError(f"no user {user!r}; this control plane was started with: {known}")
        return self.tokens[user]

    def write_kubeconfig(self, path: Path, *, user: str, namespace: str = "default") -> Path:
        """Write a kubeconfig for one user and namespace, for a process under test."""
        tokens = {user: self.token(user)}
        text = kubeconfig(
            url=self.url, ca_file=self.ca_file, tokens=tokens, user=user, namespace=namespace
        )
        path.write_text(text)
        return path

    def client(self, user: str = "admin") -> httpx.Client:
        """Plain HTTP client that speaks as a user; close it, or use it in a `with` statement."""
        return httpx.Client(
            base_url=self.url,
            verify=ssl.create_default_context(cafile=str(self.ca_file)),
            headers={"Authorization": f"Bearer {self.token(user)}"},
            timeout=HTTP_TIMEOUT,
            trust_env=False,
        )

    def kubectl(
        self,
        *arguments: str,
        stdin: str | None = None,
        user: str = "admin",
        namespace: str | None = None,
        timeout: float = KUBECTL_TIMEOUT,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run our kubectl; returns exit code and both outputs.

        Raises:
            AssertionError: it failed and `check` is set; the message has both outputs.
            subprocess.TimeoutExpired: it took longer than `timeout` seconds.

        """
        place = [] if namespace is None else [f"--namespace={namespace}"]
        done = subprocess.run(
            [self.program, "kubectl", f"--context={user}", *place, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=self.kubectl_environment(),
            check=False,
        )
        if check and done.returncode != 0:
            shown = " ".join(arguments)
            raise AssertionError(
                f"kubectl {shown} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        return done

    def kubectl_environment(self) -> dict[str, str]:
        """Environment that keeps kubectl away from the files of whoever runs the tests."""
        settings = {
            "KUBECONFIG": str(self.kubeconfig),
            "KUBECACHEDIR": str(self.folder / "kubectl-cache"),
            "KUBECTL_KUBERC": "false",
        }
        return bound_environment(settings)

    def audit_position(self) -> int:
        """Where the audit log ends now; give it to `audit()` to read what comes after."""
        return self.audit_log.stat().st_size if self.audit_log.exists() else 0

    def audit(self, since: int = 0) -> Iterator[Call]:
        """Answered requests in the order of their answers, from a position of the log.

        An entry is written at the end of an answer, so the last one may lack for some milliseconds.
        Reads of Kubernetes' own controllers are left out.
        """
        if not self.audit_log.exists():
            return
        with self.audit_log.open("rb") as lines:
            lines.seek(since)
            for line in lines:
                if line.endswith(b"\n"):  # else it is being written
                    yield _call(json.loads(line))

    def to_json(self) -> str:
        """For another process; see `from_json()`."""
        return json.dumps(asdict(self), default=os.fspath)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The value that `to_json()` wrote."""
        fields: dict[str, Any] = json.loads(text)
        paths = {name: Path(fields[name]) for name in ("program", "folder", "ca_file", "audit_log")}
        return cls(**{**fields, **paths})


def _call(entry: Mapping[str, Any]) -> Call:
    target = entry.get("objectRef", {})
    return Call(
        user=entry["user"].get("username", ""),
        verb=entry["verb"],
        resource=target.get("resource", ""),
        subresource=target.get("subresource", ""),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=entry.get("responseStatus", {}).get("code", 0),
        stage=entry["stage"],
        at=entry["requestReceivedTimestamp"],
        user_agent=entry.get("userAgent", ""),
        address=entry["requestURI"],
    )
