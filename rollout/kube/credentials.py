"""How to reach a cluster: the kubeconfig of a person, the service account of a pod, or a URL.

The official client reads all three. What it leaves to do is to say, when nothing is found, what
was looked for and what to do: a newcomer's first minute with the product may end here.
"""

import os
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies

import urllib3
import yaml
from kubernetes.client import Configuration
from kubernetes.config import (
    ConfigException,
    incluster_config,
    load_incluster_config,
    load_kube_config,
)

from rollout.kube.errors import NotConfigured

DEFAULT_FILE: Final = "~/.kube/config"
GIVE_ONE: Final = (
    "give one with --token or ROLLOUT_TOKEN, for example of `kubectl create token NAME`"
)
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


class TokenFile:
    """A bearer token in a file that somebody renews: read again whenever the file is another.

    The client reads that of a pod once a minute, and that of a kubeconfig only once. But a lease
    does not outlive a token that has expired by ten seconds.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] = ()
        self._token = ""

    def renew(self, configuration: Configuration) -> None:
        """Put the token into a configuration, now and before each request. Raises OSError."""
        self._read()
        configuration.refresh_api_key_hook = self._refresh  # type: ignore[assignment] # untyped
        self._refresh(configuration)

    def _refresh(self, configuration: Configuration) -> None:
        with suppress(OSError):  # it is being replaced: the one that is known must do meanwhile
            self._read()
        configuration.api_key["BearerToken"] = f"Bearer {self._token}"

    def _read(self) -> None:
        found = self._path.stat()
        seen = (found.st_mtime_ns, found.st_ino, found.st_size)
        if seen != self._seen:
            self._token = self._path.read_text().strip() or self._token
            self._seen = seen


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


def bearer_token(kubeconfig: str | None, context: str | None, given: str | None) -> tuple[str, str]:
    """Find the bearer token for a server beside the cluster, and the default namespace.

    The one given counts, else that of the kubeconfig's user. Raises NotConfigured.
    """
    try:
        configuration, namespace = from_kubeconfig(kubeconfig, context)
    except NotConfigured as error:
        if kubeconfig or context:
            raise
        if given:
            return given, "default"
        said = f"no token for the server: {GIVE_ONE}; none is in a kubeconfig ({error})"
        raise NotConfigured(said) from error
    found = given or configuration.get_api_key_with_prefix("BearerToken") or ""
    if not found:
        raise NotConfigured(f"the kubeconfig's user has no bearer token: {GIVE_ONE}")
    return str(found).removeprefix("Bearer "), namespace


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
        documents = _documents(files)
        name, namespace = _chosen(files, documents, context)
        load_kube_config(files, name, client_configuration=configuration, persist_config=False)
        token = _token_file(documents, name)
        if token is not None:
            TokenFile(token).renew(configuration)
    except UNREADABLE as error:
        raise NotConfigured(f"kubeconfig {files} cannot be used: {_words(error)}") from error
    return _accepted(configuration), namespace


def _words(error: Exception) -> str:
    """Say in a line why a file is no kubeconfig: the reader of YAML draws what it stumbled on."""
    if isinstance(error, yaml.YAMLError):
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        return f"it is no YAML{where}: name another with --kubeconfig"
    return str(error)


def _documents(files: str) -> list[tuple[Path, dict[str, Any]]]:
    """Read the files that are there, each with its place."""
    found = [path for path in _paths(files) if path.exists()]
    return [(path, yaml.safe_load(path.read_text()) or {}) for path in found]


def _token_file(documents: list[tuple[Path, dict[str, Any]]], context: str) -> Path | None:
    """Find the file that a context's user has its token in."""
    contexts = [c for _, d in documents for c in d.get("contexts") or () if c["name"] == context]
    user = (contexts[0].get("context") or {}).get("user")
    for path, document in documents:
        for entry in document.get("users") or ():
            token = (entry.get("user") or {}).get("tokenFile")
            if entry.get("name") == user and token:
                return path.parent / str(token)
    return None


def _chosen(
    files: str, documents: list[tuple[Path, dict[str, Any]]], context: str | None
) -> tuple[str, str]:
    """Give the context's name and namespace.

    Read here because the client takes `current-context` from the last of several files where
    kubectl takes the first, and refuses a file without one though the context is given.
    """
    currents = (document.get("current-context") for _, document in documents)
    name = context or next(filter(None, currents), None)
    contexts = {
        c["name"]: c.get("context") or {} for _, d in documents for c in d.get("contexts") or ()
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
        TokenFile(Path(incluster_config.SERVICE_TOKEN_FILENAME)).renew(configuration)
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
    if is_loopback(host) and configuration.proxy in getproxies().values():
        configuration.proxy = None  # as kubectl does: HTTPS_PROXY is not for this machine
    return configuration


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: what is sent there passes no network."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
