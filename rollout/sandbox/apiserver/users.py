"""Who asks: bearer tokens and the users behind them."""

import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from rollout.kube.errors import Unauthorized

PREFIX: Final = "/as/"
ADMINISTRATORS: Final = "system:masters"


CLUSTER: Final = "https://kubernetes.default.svc"
"""The audience of the API server itself."""

ANYTHING: Final = "*"


@dataclass(frozen=True)
class Rule:
    """Something that a user may do: verbs on plurals, in a namespace (`*`: all)."""

    verbs: frozenset[str]
    resources: frozenset[str]
    namespace: str = ANYTHING


EVERYTHING: Final = (Rule(frozenset({ANYTHING}), frozenset({ANYTHING})),)


@dataclass(frozen=True)
class User:
    """A user that the server knows, and what reviews say that they may do."""

    name: str
    groups: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = EVERYTHING
    audiences: frozenset[str] = frozenset({CLUSTER})
    """Whom the token is meant for."""

    def may(self, verb: str, resource: str, namespace: str) -> bool:
        """Whether a rule allows it."""
        return any(
            rule.verbs & {verb, ANYTHING}
            and rule.resources & {resource, ANYTHING}
            and rule.namespace in {namespace, ANYTHING}
            for rule in self.rules
        )


def token_and_path(header: str, path: str) -> tuple[str, str]:
    """The token of a request, and its path in the API.

    kubectl sends no credentials without TLS, so a kubeconfig has the token in the server's
    address: `/as/TOKEN/api/v1/pods` is `/api/v1/pods`.
    """
    if path.startswith(PREFIX):
        token, slash, rest = path.removeprefix(PREFIX).partition("/")
        return token, slash + rest
    scheme, _, token = header.partition(" ")
    return (token.strip() if scheme.lower() == "bearer" else ""), path


def authenticated(
    token: str, tokens: Mapping[str, User], audiences: Collection[str] = (CLUSTER,)
) -> User:
    """The user whose token it is, meant for one of the audiences. Raises Unauthorized."""
    if token:
        for known, user in tokens.items():
            if hmac.compare_digest(known.encode(), token.encode()) and user.audiences & {
                *audiences
            }:
                return user
    raise Unauthorized("Unauthorized")
