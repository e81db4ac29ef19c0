"""The recordings are what the real API server answers today, so that they cannot rot."""

import ssl

import pytest

from tests.conformance.record import Case, difference, load_cases, play, recorded
from tests.controlplane.access import Access

CASES = load_cases()


@pytest.mark.controlplane
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file}: {case.name}")
def test_the_real_api_server_answers_as_recorded(control_plane: Access, case: Case) -> None:
    verify = ssl.create_default_context(cafile=str(control_plane.ca_file))
    answers = play(control_plane.url, control_plane.token(), case, verify=verify)
    assert not (changes := difference(recorded(case), answers)), (
        f"record again with `python -m tests.conformance.record {case.file}`, "
        f"and look at what changed:\n{changes}"
    )


def test_no_case_has_the_name_of_another() -> None:
    names = [(case.file, case.name) for case in CASES]
    assert len(names) == len(set(names))
