"""Doing a thing once though it is asked twice: what an idempotency key leaves in the cluster.

A client that got no answer does not know whether its request was carried out, so it asks again
with the same key. The memory must outlive the process that answered, and every replica must find
it: it lives on the Release itself. A start marks the Release that it creates with a label, an
action is written together with its answer, in one patch.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rollout.commands.refusal import KeyReusedError
from rollout.resources.objects import annotations_of
from rollout.resources.words import ANSWERS
from rollout.resources.writes import Object

REMEMBERED: Final = 20
"""Answers that a Release keeps; a client tries again within seconds, not weeks."""

ID_LENGTH: Final = 32


@dataclass(frozen=True)
class Once:
    """One request under a key. `id` is the key of this person here, `digest` what was asked."""

    id: str
    digest: str

    def check(self, digest: str) -> None:
        """Hold a request to the one that had this key first. Raises KeyReusedError."""
        if digest != self.digest:
            raise KeyReusedError(
                "this idempotency key was used for another request: give each request a key of "
                "its own, and the same one only to try the same request again"
            )


def once(key: str, by: str, namespace: str, asked: Mapping[str, Any]) -> Once:
    """Make the mark of a request: keys of two people, or in two namespaces, never meet."""
    return Once(_hash([by, namespace, key])[:ID_LENGTH], _hash(asked)[:ID_LENGTH])


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def answer_to(obj: Object, request: Once) -> Mapping[str, Any] | None:
    """Give what was answered to this request before, None when it is new.

    Raises KeyReusedError when another request had the key.
    """
    found = answers_on(obj).get(request.id)
    if found is None:
        return None
    request.check(str(found.get("digest", "")))
    answer: Mapping[str, Any] = found.get("answer") or {}
    return answer


def with_answer(obj: Object, request: Once, answer: Mapping[str, Any]) -> dict[str, str]:
    """Word the annotation that remembers an answer, beside the latest earlier ones."""
    kept = list(answers_on(obj).items())[1 - REMEMBERED :]
    said = dict(kept) | {request.id: {"digest": request.digest, "answer": dict(answer)}}
    return {ANSWERS: json.dumps(said, separators=(",", ":"))}


def answers_on(obj: Object) -> dict[str, dict[str, Any]]:
    """Read what an object remembers; nothing when somebody has spoilt it."""
    try:
        found = json.loads(annotations_of(obj).get(ANSWERS, "{}"))
        return {str(key): dict(value) for key, value in found.items()}
    except (ValueError, AttributeError, TypeError):
        return {}
