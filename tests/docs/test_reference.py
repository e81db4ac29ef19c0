"""The reference pages are what the code says now."""

import pytest

from tests.docs.reference import FOLDER, pages

PAGES = pages()


@pytest.mark.parametrize("name", PAGES)
def test_a_committed_page_is_what_the_code_says(name: str) -> None:
    written = (FOLDER / name).read_text()
    assert written == PAGES[name], "write it anew: python -m tests.docs.reference"


def test_there_is_no_page_besides() -> None:
    assert {file.name for file in FOLDER.iterdir()} == set(PAGES)
