"""How to reach a cluster: the kubeconfig of a person, the service account of a pod, or a URL.

The official client reads all three. What it leaves to do is to say, when nothing is found, what
was looked for and what to do: a newcomer's first minute with the product may end here.
"""

import os
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies

import urllib3
import yaml
from kubernetes.client import Configuration
from kubernetes.config import (
    ConfigException,
    load_incluster_config,
    load_kube_config,
)

from rollout.kube.errors import NotConfigured

DEFAULT_FILE: Final = "~/.kube/config"
POD_NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
UNREADABLE: Final = (
    ConfigException,
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    yaml.YAMLError,
)
"""What the client's reader of kubeconfigs raises, besides its own error, on files that are not
kubeconfigs."""


def from_server(url: str, token: str | None, ca_file: str | None, *, verify: bool) -> Configuration:
    """Make the configuration of one server, with a bearer token (None: anonymous)."""
    configuration = Configuration(host=url.rstrip("/"), ssl_ca_cert=ca_file, verify_ssl=verify)
    if token:
        configuration.api_key["BearerToken"] = f"Bearer {token}"
    return _accepted(configuration)


def from_kubeconfig(kubeconfig: str | None, context: str | None) -> tuple[Configuration, str]:
    """Find a cluster as kubectl does; gives its configuration and the default namespace.

    Raises NotConfigured.
    """
    files = kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT_FILE
    if kubeconfig or context or _exists(files):
        return _from_files(files, context)
    return _from_pod(files)


def _paths(files: str) -> list[Path]:
    return [_expanded(f) for f in files.split(os.pathsep) if f]


def _expanded(file: str) -> Path:
    """Find a home, where there is one: a container's user may have none, nor a name."""
    try:
        return Path(file).expanduser()
    except RuntimeError:
        return Path(file)


def _exists(files: str) -> bool:
    return any(path.exists() for path in _paths(files))


def _from_files(files: str, context: str | None) -> tuple[Configuration, str]:
    if not _exists(files):
        raise NotConfigured(f"kubeconfig {files}: no such file; give one with --kubeconfig")
    configuration = Configuration()
    try:
        name, namespace = _chosen(files, context)
        load_kube_config(files, name, client_configuration=configuration, persist_config=False)
    except UNREADABLE as error:
        raise NotConfigured(f"kubeconfig {files} cannot be used: {error}") from error
    return _accepted(configuration), namespace


def _chosen(files: str, context: str | None) -> tuple[str, str]:
    """Give the context's name and namespace.

    Read here because the client takes `current-context` from the last of several files where
    kubectl takes the first, and refuses a file without one though the context is given.
    """
    documents = [yaml.safe_load(p.read_text()) or {} for p in _paths(files) if p.exists()]
    name = context or next(filter(None, (d.get("current-context") for d in documents)), None)
    contexts = {
        c["name"]: c.get("context") or {} for d in documents for c in d.get("contexts") or ()
    }
    if name is not None and name in contexts:
        return str(name), str(contexts[name].get("namespace") or "default")
    known = ", ".join(sorted(contexts)) or "none"
    asked = f"context {name!r} is not in" if name else "no current-context is set in"
    raise NotConfigured(f"{asked} {files}: choose one with --context; it has: {known}")


def _from_pod(files: str) -> tuple[Configuration, str]:
    configuration = Configuration()
    try:
        load_incluster_config(configuration)
        namespace = POD_NAMESPACE_FILE.read_text().strip()
    except (ConfigException, OSError) as error:
        raise NotConfigured(
            f"no cluster found: there is no kubeconfig at {files} and this is not a pod with a "
            f"service account ({error}). Set KUBECONFIG, give --kubeconfig, or start a practice "
            "cluster with `rollout sandbox up`"
        ) from error
    return _accepted(configuration), namespace


def _accepted(configuration: Configuration) -> Configuration:
    """Settle what the client leaves to its user."""
    if not configuration.verify_ssl:  # a person chose so: no warning on each request
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    host = urlsplit(configuration.host).hostname or ""
    if _is_loopback(host) and configuration.proxy in getproxies().values():
        configuration.proxy = None  # as kubectl does: HTTPS_PROXY is not for this machine
    return configuration


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
