"""The reference pages are what the code says now."""

import pytest

from tests.docs.reference import FOLDER, pages, parts

PAGES = pages()


@pytest.mark.parametrize("name", PAGES)
def test_a_committed_page_is_what_the_code_says(name: str) -> None:
    written = (FOLDER / name).read_text()
    assert written == PAGES[name], "write it anew: python -m tests.docs.reference"


def test_there_is_no_page_besides() -> None:
    assert {file.name for file in FOLDER.iterdir()} == set(PAGES)


def test_a_help_text_may_speak_of_an_example_before_it_gives_one() -> None:
    said = "Makes a Rollout.\n\nExample: of one, see the tutorial.\n\nExamples:\n\n  rollout init\n"
    about, shown = parts(said)
    assert about == "Makes a Rollout.\n\nExample: of one, see the tutorial."
    assert shown == ["rollout init"]
