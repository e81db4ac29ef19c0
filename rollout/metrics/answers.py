"""What Prometheus answers, read strictly: only a whole result of the right type is one.

An answer with a warning may be a part of the truth (a store that did not answer), and counting a
part would be worse than not counting: the next whole answer spans the gap.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from rollout.metrics.bounded import Answer

Labels: TypeAlias = Mapping[str, str]

OK: Final = 200
UNKNOWN_PATH: Final = 404
MISTAKES: Final = frozenset({400, 422})
"""Statuses for a query that cannot be parsed or carried out."""

STRANGERS: Final = frozenset({401, 403})
SHOWN: Final = 300


class NoAnswerError(Exception):
    """Prometheus did not answer in a way that can be used.

    The message is the rest of a sentence that begins with its address.
    """


class RefusedError(NoAnswerError):
    """Prometheus answered that it will not run the query."""


class BadQueryError(RefusedError):
    """The query itself is wrong, so the same server may well answer others."""


@dataclass(frozen=True)
class Result:
    """An instant query's result: `vector` with any number of series, or one `scalar`."""

    kind: str
    series: tuple[tuple[Labels, float], ...]

    def vector(self) -> tuple[tuple[Labels, float], ...]:
        """Give the series of a vector; raises NoAnswerError for anything else."""
        if self.kind != "vector":
            raise NoAnswerError(f"answers with a {self.kind} where a vector is asked for")
        return self.series


def read_result(answer: Answer) -> Result:
    """Read an answer of the query API; raises NoAnswerError."""
    document = _document(answer)
    if answer.status != OK or document.get("status") != "success":
        raise _refusal(answer, document)
    if document.get("warnings"):
        said = "; ".join(map(str, document["warnings"]))[:SHOWN]
        raise NoAnswerError(f"answers with a warning, so that it may be a part only: {said}")
    try:
        data = document["data"]
        return Result(data["resultType"], tuple(_series(data["resultType"], data["result"])))
    except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise NoAnswerError(f"answers with {_NO_RESULT}: {error!r}") from error


_NO_RESULT: Final = "something that is no query result"


def _document(answer: Answer) -> dict[str, Any]:
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        if answer.status != OK:
            return {}
        raise NoAnswerError(
            f"answers with {_NO_RESULT} ({answer.content_type or 'no content type'}, "
            f"{_beginning(answer)}): check the path of spec.provider.address"
        ) from error
    if not isinstance(document, dict):
        raise NoAnswerError(f"answers with {_NO_RESULT}: {_beginning(answer)}")
    return document


def _refusal(answer: Answer, document: Mapping[str, Any]) -> RefusedError:
    said = str(document.get("error") or _beginning(answer))[:SHOWN]
    status = f"HTTP status {answer.status}" if answer.status != OK else "status error"
    message = f"refuses the query: {status} ({said}){_fix(answer.status)}"
    if answer.status in MISTAKES or document.get("errorType") in {"bad_data", "execution"}:
        return BadQueryError(message)
    return RefusedError(message)


def _fix(status: int) -> str:
    if status in STRANGERS:
        return ": check spec.provider's basicAuth, bearerToken, secretHeaders and tenant"
    if status == UNKNOWN_PATH:
        return ": check the path of spec.provider.address"
    return ""


def _beginning(answer: Answer) -> str:
    return f"it begins with {answer.body[:80].decode(errors='replace')!r}"


def _series(kind: str, result: Any) -> Iterator[tuple[Labels, float]]:
    if kind == "scalar":
        yield {}, float(result[1])
        return
    if kind != "vector":
        raise ValueError(f"the result is a {kind}")
    for one in result:
        if "value" not in one:
            raise ValueError("a series is a native histogram; name its classic buckets instead")
        labels: Labels = one["metric"]
        labels.items()
        yield labels, float(one["value"][1])
