"""Evidence as JSON, compact: it lives in the status of a Release, which etcd keeps small.

Counts are lists of numbers, moments are text. `decode(encode(evidence))` is the evidence again,
so that a controller that starts anew judges as the one before it did.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rollout.analysis.counts import Counts, from_json, to_json
from rollout.analysis.evidence import (
    Evidence,
    Frozen,
    Measured,
    Reference,
    Stage,
    Stratum,
    Trouble,
)
from rollout.analysis.signals import Track
from rollout.resources.model import rfc3339


def encode(evidence: Evidence) -> dict[str, Any]:
    """Give the evidence as JSON, without what is empty."""
    document = {
        "looks": evidence.looks,
        "until": rfc3339(evidence.until) if evidence.until else None,
        "strata": [_stratum(stratum) for stratum in evidence.strata],
        "lastRequests": {t.value: rfc3339(at) for t, at in evidence.last_requests.items()},
        "values": {
            name: [[rfc3339(one.at), one.value] for one in measured]
            for name, measured in evidence.values.items()
        },
        "remarks": {track.value: text for track, text in evidence.remarks.items()},
        "trouble": _trouble(evidence.trouble),
        "before": _frozen(evidence.before),
    }
    return {key: value for key, value in document.items() if value not in (None, [], {})}


def _stratum(stratum: Stratum) -> dict[str, Any]:
    return {
        "weight": stratum.stage.weight,
        "reference": stratum.stage.reference.value,
        "stage": rfc3339(stratum.stage.since),
        "since": rfc3339(stratum.since),
        "until": rfc3339(stratum.until),
        "counts": {name: to_json(pair) for name, pair in stratum.pairs.items()},
    }


def _trouble(trouble: Trouble | None) -> dict[str, Any] | None:
    if trouble is None:
        return None
    return {"since": rfc3339(trouble.since), "message": trouble.message}


def _frozen(frozen: Frozen | None) -> dict[str, Any] | None:
    if frozen is None:
        return None
    return {
        "since": rfc3339(frozen.since),
        "until": rfc3339(frozen.until),
        "counts": {name: [counts.bad, counts.total] for name, counts in frozen.counts.items()},
    }


def decode(document: Mapping[str, Any]) -> Evidence:
    """Read what `encode` wrote.

    Raises ValueError, naming the field `status.evidence`, for anything else: somebody has edited
    it, and counts that cannot be trusted must not move traffic.
    """
    try:
        return _decode(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"status.evidence is not what the controller wrote ({error!r}): remove the field, "
            "and judging starts anew"
        ) from error


def _decode(document: Mapping[str, Any]) -> Evidence:
    until, trouble, before = (document.get(key) for key in ("until", "trouble", "before"))
    return Evidence(
        looks=int(document.get("looks", 0)),
        until=_moment(until) if until else None,
        strata=tuple(_read_stratum(one) for one in document.get("strata", [])),
        last_requests={
            Track(track): _moment(at) for track, at in document.get("lastRequests", {}).items()
        },
        values={
            name: tuple(Measured(_moment(at), float(value)) for at, value in measured)
            for name, measured in document.get("values", {}).items()
        },
        remarks={Track(track): str(t) for track, t in document.get("remarks", {}).items()},
        trouble=Trouble(_moment(trouble["since"]), str(trouble["message"])) if trouble else None,
        before=_read_frozen(before) if before else None,
    )


def _read_stratum(document: Mapping[str, Any]) -> Stratum:
    return Stratum(
        stage=Stage(
            int(document["weight"]), _moment(document["stage"]), Reference(document["reference"])
        ),
        since=_moment(document["since"]),
        until=_moment(document["until"]),
        pairs={name: from_json(numbers) for name, numbers in document["counts"].items()},
    )


def _read_frozen(document: Mapping[str, Any]) -> Frozen:
    counts = {name: Counts(float(b), float(t)) for name, (b, t) in document["counts"].items()}
    return Frozen(_moment(document["since"]), _moment(document["until"]), counts)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"moment {text!r} has no time zone")
    return moment
