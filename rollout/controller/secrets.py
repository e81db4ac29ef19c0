"""Secrets for the providers of metrics: read by name when a policy names one, never listed."""

from base64 import b64decode
from collections.abc import Mapping
from typing import Final

from rollout.kube.client import HttpCluster
from rollout.kube.errors import ClusterError, Forbidden, NotFound
from rollout.metrics.credentials import (
    SecretError,
    SecretForbiddenError,
    Secrets,
    SecretUnavailableError,
)
from rollout.resources.writes import Kind

SECONDS: Final = 3.0
CONTROLLER: Final = ("the controller", "its ServiceAccount")
PERSON: Final = ("you", "yourself")


def secrets_of(cluster: HttpCluster, reader: tuple[str, str] = CONTROLLER) -> Secrets:
    """Give the function that reads Secrets of a cluster.

    `reader` is who reads, and to whom rights are given.
    """
    who, whom = reader
    bounded = cluster.within(SECONDS)

    def read(namespace: str, name: str) -> Mapping[str, bytes]:
        try:
            found = bounded.get(Kind.SECRET, namespace, name)
        except NotFound as error:
            raise SecretError(f"there is no Secret {namespace}/{name}: create it") from error
        except Forbidden as error:
            raise SecretForbiddenError(
                f"{who} may not read Secret {namespace}/{name}: give {whom} a Role in {namespace} "
                f"with the verb get on secrets named {name}"
            ) from error
        except ClusterError as error:
            raise SecretUnavailableError(
                f"Secret {namespace}/{name} cannot be read now: {error}"
            ) from error
        return {key: b64decode(value) for key, value in (found.get("data") or {}).items()}

    return read
