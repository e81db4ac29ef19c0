"""Who asks, and may they? The cluster answers both; answers are kept for seconds only.

Authentication stands before everything else: no route can forget it, and nothing of a request is
read from somebody whom nobody knows. Tokens are kept as keyed hashes, and never logged.
"""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Final

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from rollout.kube.errors import ClusterError
from rollout.kube.reviews import Access, Person, UnknownToken, may, who_is
from rollout.server.counts import Counts
from rollout.server.parts import BoundedCluster
from rollout.server.problems import Problem, problem_of
from rollout.server.remembered import Remembered
from rollout.server.settings import Limits
from rollout.server.snippets import rbac

OPEN: Final = "/api/v1/openapi.json"
PREFIX: Final = "/api/v1/"
LONGEST_TOKEN: Final = 16 * 1024
NO_SECONDS: Final = 1.0
"""How long a no is good: a right that was just given works a second later."""

PEOPLE: Final = 1024
RIGHTS: Final = 4096


@dataclass(frozen=True)
class Caller:
    """Who sent a request. The token is kept to ask again while a stream lives."""

    person: Person
    token: str = field(repr=False)


class Gate:
    """Asks the cluster about people. Safe to use from many threads."""

    def __init__(
        self, cluster: BoundedCluster, limits: Limits, counts: Counts, audience: str = ""
    ) -> None:
        self._cluster = cluster.within(limits.review)
        self._audience = audience
        self._counts = counts
        self._secret = secrets.token_bytes(32)
        self._people = Remembered[bytes, Person | UnknownToken](
            PEOPLE, lambda who: limits.known if isinstance(who, Person) else NO_SECONDS
        )
        self._rights = Remembered[tuple[str, Access], bool](
            RIGHTS, lambda allowed: limits.allowed if allowed else NO_SECONDS
        )

    def who(self, token: str) -> Person:
        """Say whose token it is. Raises Problem for nobody's, ClusterError for the cluster."""
        if not token or len(token) > LONGEST_TOKEN:
            raise _unknown(f"send `Authorization: Bearer TOKEN` with a token {self._kind()}")
        key = hashlib.blake2b(token.encode("utf-8", "replace"), key=self._secret).digest()
        found = self._people.get(key, lambda: self._ask_who(token))
        if isinstance(found, UnknownToken):
            raise _unknown(
                f"the cluster does not know this token ({found}): get a new one {self._kind()}"
            )
        return found

    def require(self, person: Person, access: Access) -> None:
        """Pass when somebody may do this. Raises Problem with the missing verb and the rule."""
        key = (_identity(person), access)
        if not self._rights.get(key, lambda: self._ask_whether(person, access)):
            raise _forbidden(person, access)

    def _kind(self) -> str:
        """Say which tokens are taken."""
        audience = f" --audience={self._audience}" if self._audience else ""
        return f"of the cluster, for example of `kubectl create token NAME{audience}`"

    def _ask_who(self, token: str) -> Person | UnknownToken:
        try:
            person = who_is(self._cluster, token, self._audience)
        except UnknownToken as error:
            self._count("TokenReview", "unknown")
            return error
        except ClusterError:
            self._count("TokenReview", "error")
            raise
        self._count("TokenReview", "known")
        return person

    def _ask_whether(self, person: Person, access: Access) -> bool:
        try:
            allowed = may(self._cluster, person, access)
        except ClusterError:
            self._count("SubjectAccessReview", "error")
            raise
        self._count("SubjectAccessReview", "allowed" if allowed else "denied")
        return allowed

    def _count(self, kind: str, answer: str) -> None:
        self._counts.reviews.labels(kind, answer).inc()


def _identity(person: Person) -> str:
    said = [person.name, person.uid, person.groups, sorted(person.extra.items())]
    return json.dumps(said)


def _unknown(detail: str) -> Problem:
    return Problem("unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="rollout"'})


def _forbidden(person: Person, access: Access) -> Problem:
    where = f"in namespace {access.namespace}" if access.namespace else "in all namespaces"
    members = {
        "user": person.name,
        "missing": {
            "verb": access.verb,
            "group": access.group,
            "resource": access.resource,
            "namespace": access.namespace,
            "name": access.name,
        },
        "rbac": rbac(person, access),
    }
    return Problem(
        "forbidden",
        f"{person.name} lacks the verb {access.verb} on {access.resource}.{access.group} {where}; "
        "an administrator can apply what `rbac` holds",
        members,
    )


class Authenticated:
    """Lets nobody through to the API whom the cluster does not know."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find out who asks, then hand the request on."""
        if scope["type"] == "http" and _closed(scope["path"]):
            token = bearer(Headers(scope=scope).get("authorization", ""))
            try:
                person = await to_thread.run_sync(self._gate.who, token)
            except (Problem, ClusterError) as error:
                await problem_of(error).response()(scope, receive, send)
                return
            scope.setdefault("state", {})["caller"] = Caller(person, token)
        await self._app(scope, receive, send)


def _closed(path: str) -> bool:
    return path.startswith(PREFIX) and path != OPEN


def bearer(header: str) -> str:
    """Give the token of an Authorization header, "" when it has none."""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def caller(request: Request) -> Caller:
    """Give who sent a request; only behind `Authenticated`."""
    found: Caller = request.scope["state"]["caller"]
    return found
