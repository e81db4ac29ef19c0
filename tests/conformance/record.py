"""Records what the real Kubernetes API answers: `python -m tests.conformance.record [topic ...]`.

Cases are `cases/<topic>.yaml` (form: script.py), recordings `recorded/<topic>.json`, each case by
its name with one entry per recorded step (what is rewritten in them: normal.py). A second
implementation is held to them like this:

    for case in load_cases():
        assert play(url, token, case) == recorded(case), difference(recorded(case), ...)
"""

import argparse
import difflib
import json
import ssl
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.conformance.player import play
from tests.conformance.script import Case, load_cases
from tests.controlplane.cluster import ControlPlane

__all__ = ["Case", "difference", "load_cases", "play", "recorded", "topics"]

FOLDER: Final = Path(__file__).parent / "recorded"


def recorded(case: Case) -> list[Any]:
    """What the real API answered.

    Raises:
        LookupError: the case was not recorded yet; the message says how to.

    """
    path = FOLDER / f"{case.file}.json"
    answers = json.loads(path.read_text()) if path.exists() else {}
    if case.name not in answers:
        raise LookupError(
            f"{path.name} has no case {case.name!r}; run "
            f"`python -m tests.conformance.record {case.file}` and commit the file"
        )
    found: list[Any] = answers[case.name]
    return found


def difference(expected: Any, found: Any) -> str:
    """The two as JSON, as a unified diff; empty when they are equal."""
    before, after = _text(expected).splitlines(), _text(found).splitlines()
    return "\n".join(difflib.unified_diff(before, after, "recorded", "found", lineterm="", n=8))


def topics(cases: Sequence[Case]) -> Mapping[str, list[Case]]:
    """The cases by the name of their file."""
    names = dict.fromkeys(case.file for case in cases)
    return {name: [case for case in cases if case.file == name] for name in names}


def _text(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _record(control_plane: ControlPlane, topic: str, cases: Sequence[Case]) -> None:
    access = control_plane.access
    verify = ssl.create_default_context(cafile=str(access.ca_file))
    answers = {}
    for case in cases:
        print(f"{topic}: {case.name}", flush=True)
        answers[case.name] = play(access.url, access.token(), case, verify=verify)
    (FOLDER / f"{topic}.json").write_text(_text(answers))


def main() -> int:
    """Record the named topics, by default all, on a control plane started for it."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.record")
    parser.add_argument("topic", nargs="*", help="name of a file in cases/, without .yaml")
    wanted = parser.parse_args().topic
    known = topics(load_cases())
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        parser.error(f"no topic {', '.join(unknown)}; there are: {', '.join(known)}")
    FOLDER.mkdir(exist_ok=True)
    with ControlPlane() as control_plane:
        for topic in wanted or known:
            _record(control_plane, topic, known[topic])
    return 0


if __name__ == "__main__":
    sys.exit(main())
