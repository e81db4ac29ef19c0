"""Reviews: who is behind a token, and may they do this? They are answered, never stored.

The practice API server refuses nobody by itself; what a user may do matters to those who ask.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from rollout.kube.errors import Unauthorized
from rollout.sandbox.apiserver.users import CLUSTER, User, authenticated
from rollout.simulate import refusals
from rollout.simulate.objects import Json, dig

AUTHENTICATION: Final = "/apis/authentication.k8s.io/v1/tokenreviews"
MYSELF: Final = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
SUBJECT: Final = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
SELF: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
KINDS: Final = {
    AUTHENTICATION: ("authentication.k8s.io/v1", "TokenReview"),
    MYSELF: ("authentication.k8s.io/v1", "SelfSubjectReview"),
    SUBJECT: ("authorization.k8s.io/v1", "SubjectAccessReview"),
    SELF: ("authorization.k8s.io/v1", "SelfSubjectAccessReview"),
}


def reviewed(path: str, body: Any, user: User, tokens: Mapping[str, User]) -> Json:
    """Answer a review posted to one of the paths of KINDS. Raises Refused for one without spec."""
    api_version, kind = KINDS[path]
    if path == MYSELF:
        return _review(api_version, kind, {"userInfo": _info(user)})
    spec = dig(body or {}, "spec")
    if not isinstance(spec, Mapping):
        raise refusals.bad_request(f"{kind}: spec: Required value")
    if path == AUTHENTICATION:
        status = _token(str(spec.get("token", "")), spec.get("audiences") or [CLUSTER], tokens)
    else:
        who = user if path == SELF else _named(spec, tokens.values())
        status = _access(spec.get("resourceAttributes") or {}, who)
    return {**_review(api_version, kind, status), "spec": dict(spec)}


def _review(api_version: str, kind: str, status: Json) -> Json:
    return {"kind": kind, "apiVersion": api_version, "metadata": {}, "status": status}


def _info(user: User) -> Json:
    return {"username": user.name, "groups": [*user.groups, "system:authenticated"]}


def _token(token: str, audiences: list[str], tokens: Mapping[str, User]) -> Json:
    try:
        user = authenticated(token, tokens, audiences)
    except Unauthorized:
        return {"user": {}, "error": "invalid bearer token"}
    shared = [one for one in audiences if one in user.audiences]
    return {"authenticated": True, "user": _info(user), "audiences": shared}


def _named(spec: Mapping[str, Any], known: Iterable[User]) -> User | None:
    return next((user for user in known if user.name == spec.get("user")), None)


def _access(attributes: Mapping[str, str], user: User | None) -> Json:
    if user is not None and user.may(
        attributes.get("verb", ""), attributes.get("resource", ""), attributes.get("namespace", "")
    ):
        return {"allowed": True, "reason": f"{user.name} may, says the practice cluster"}
    return {"allowed": False}
