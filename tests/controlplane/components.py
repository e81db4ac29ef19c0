"""What each component of the control plane is started with.

Pure functions from a layout (folder and ports) to command lines and files, so that the flags, and
why each is there, can be read in one place.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

from tests.controlplane.ports import ADDRESS

CONTROLLER_MANAGER_USER: Final = "system:kube-controller-manager"
ADMINISTRATORS: Final = "system:masters"


class Component(Enum):
    """The servers of the control plane, named as their program is, in the order of their start."""

    ETCD = "etcd"
    API_SERVER = "kube-apiserver"
    CONTROLLER_MANAGER = "kube-controller-manager"


@dataclass(frozen=True)
class Layout:
    """Where one control plane keeps its files and listens."""

    folder: Path
    etcd_port: int
    etcd_peer_port: int
    api_port: int

    @property
    def url(self) -> str:
        """Address of the API server."""
        return f"https://{ADDRESS}:{self.api_port}"

    @property
    def certificates(self) -> Path:
        """Folder in which the API server makes its own certificate."""
        return self.folder / "certificates"

    @property
    def ca_file(self) -> Path:
        """The API server's certificate followed by that of its own authority."""
        return self.certificates / "apiserver.crt"

    @property
    def service_account_key(self) -> Path:
        """RSA key that signs the tokens of service accounts."""
        return self.folder / "service-account.key"

    @property
    def tokens(self) -> Path:
        """Token file of the API server: one line per user."""
        return self.folder / "tokens.csv"

    @property
    def audit_policy(self) -> Path:
        """What the API server writes to its audit log."""
        return self.folder / "audit-policy.json"

    @property
    def audit_log(self) -> Path:
        """One JSON line per answered request."""
        return self.folder / "audit.log"

    @property
    def controller_manager_kubeconfig(self) -> Path:
        """How the controllers reach the API server."""
        return self.folder / "controller-manager.kubeconfig"

    @property
    def kubelet_certificates(self) -> Path:
        """Folder of the certificates with which API server and nodes know each other."""
        return self.folder / "kubelet"

    def log(self, component: Component) -> Path:
        """Everything that a component writes."""
        return self.folder / "logs" / f"{component.value}.log"


AUDIT_POLICY: Final[Mapping[str, Any]] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        # Controllers of Kubernetes itself read without end; only their writes can matter to a test.
        {
            "level": "None",
            "users": [CONTROLLER_MANAGER_USER, "system:apiserver"],
            "verbs": ["get", "list", "watch"],
        },
        {"level": "None", "nonResourceURLs": ["/readyz*", "/livez*", "/healthz*", "/version"]},
        {"level": "Metadata"},
    ],
}


def flags(component: Component, layout: Layout) -> list[str]:
    """Command line of a component without the program's name."""
    match component:
        case Component.ETCD:
            return etcd_flags(layout)
        case Component.API_SERVER:
            return api_server_flags(layout)
        case Component.CONTROLLER_MANAGER:
            return controller_manager_flags(layout)


def etcd_flags(layout: Layout) -> list[str]:
    """One member, on loopback, that does not wait for the disk: its data live as long as a test."""
    client = f"http://{ADDRESS}:{layout.etcd_port}"
    peer = f"http://{ADDRESS}:{layout.etcd_peer_port}"
    return [
        "--name=default",
        f"--data-dir={layout.folder / 'etcd'}",
        "--unsafe-no-fsync=true",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--log-level=warn",
    ]


def api_server_flags(layout: Layout) -> list[str]:
    """RBAC, users from a token file, an audit log, and a certificate to show to nodes."""
    return [
        f"--etcd-servers=http://{ADDRESS}:{layout.etcd_port}",
        f"--bind-address={ADDRESS}",
        f"--advertise-address={ADDRESS}",
        f"--secure-port={layout.api_port}",
        f"--cert-dir={layout.certificates}",
        "--endpoint-reconciler-type=none",  # Endpoints refuse loopback addresses
        "--service-cluster-ip-range=10.0.0.0/16",
        "--authorization-mode=RBAC",
        f"--token-auth-file={layout.tokens}",
        f"--service-account-key-file={layout.service_account_key}",
        f"--service-account-signing-key-file={layout.service_account_key}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--kubelet-client-certificate={layout.kubelet_certificates / 'apiserver.crt'}",
        f"--kubelet-client-key={layout.kubelet_certificates / 'apiserver.key'}",
        f"--audit-policy-file={layout.audit_policy}",
        f"--audit-log-path={layout.audit_log}",
        "--audit-log-maxsize=100000",  # megabytes: never turned over while somebody reads it
    ]


def controller_manager_flags(layout: Layout) -> list[str]:
    """All controllers but the one that gives up on nodes without a real kubelet."""
    return [
        f"--kubeconfig={layout.controller_manager_kubeconfig}",
        f"--service-account-private-key-file={layout.service_account_key}",
        f"--root-ca-file={layout.ca_file}",
        "--secure-port=0",
        "--leader-elect=false",
        "--controllers=*,-nodelifecycle",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
    ]


def token_lines(tokens: Mapping[str, str], groups: Mapping[str, Sequence[str]]) -> str:
    """Token file: token, user, user id, and the user's groups in quotes."""
    lines = [f'{token},{user},{user},"{",".join(groups[user])}"' for user, token in tokens.items()]
    return "\n".join(lines) + "\n"


def kubeconfig(
    *,
    url: str,
    ca_file: Path,
    tokens: Mapping[str, str],
    user: str,
    namespace: str = "default",
) -> str:
    """A kubeconfig with a context for each user, named as the user; `user` is the current one.

    JSON is YAML, so that no library is needed to write it.
    """
    cluster = {"server": url, "certificate-authority": str(ca_file)}
    contexts = [
        {"name": name, "context": {"cluster": "local", "user": name, "namespace": namespace}}
        for name in tokens
    ]
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "local", "cluster": cluster}],
        "users": [{"name": name, "user": {"token": token}} for name, token in tokens.items()],
        "contexts": contexts,
        "current-context": user,
    }
    return json.dumps(document, indent=2) + "\n"
