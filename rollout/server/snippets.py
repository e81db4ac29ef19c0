"""The RBAC objects that would allow what was refused: ready for `kubectl apply -f -`."""

import hashlib
import re
from typing import Any, Final

import yaml

from rollout.kube.reviews import Access, Person

RBAC: Final = "rbac.authorization.k8s.io"
ACCOUNT: Final = re.compile(r"system:serviceaccount:([^:]+):([^:]+)")


def rbac(person: Person, access: Access) -> str:
    """Word a role with this one verb, and a binding for this person, as YAML.

    The binding is named after the person, so that applying it takes nothing from others.
    """
    scope = "" if access.namespace else "Cluster"
    place = {"namespace": access.namespace} if access.namespace else {}
    role = f"rollout-{access.resource}-{access.verb}".lower()
    rule = {"apiGroups": [access.group], "resources": [access.resource], "verbs": [access.verb]}
    documents: list[dict[str, Any]] = [
        {**_head(f"{scope}Role"), "metadata": {"name": role, **place}, "rules": [rule]},
        {
            **_head(f"{scope}RoleBinding"),
            "metadata": {"name": f"{role}-{_slug(person.name)}", **place},
            "roleRef": {"apiGroup": RBAC, "kind": f"{scope}Role", "name": role},
            "subjects": [_subject(person.name)],
        },
    ]
    return yaml.safe_dump_all(documents, sort_keys=False)


def _head(kind: str) -> dict[str, str]:
    return {"apiVersion": f"{RBAC}/v1", "kind": kind}


def _subject(user: str) -> dict[str, str]:
    account = ACCOUNT.fullmatch(user)
    if account:
        return {"kind": "ServiceAccount", "namespace": account[1], "name": account[2]}
    return {"kind": "User", "name": user, "apiGroup": RBAC}


def _slug(user: str) -> str:
    """Make a part of a name; the letters at its end keep people apart who look alike in it."""
    plain = re.sub(r"[^a-z0-9]+", "-", user.lower()).strip("-")[-40:].strip("-")
    return f"{plain}-{hashlib.sha256(user.encode()).hexdigest()[:6]}".lstrip("-")
