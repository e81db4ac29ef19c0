from tests.docs.pictures import PAGE, drawn


def test_the_pictures_of_the_architecture_are_those_of_the_code() -> None:
    page = PAGE.read_text()
    assert page == drawn(page), "run `python -m tests.docs.pictures`"
    assert "stateDiagram-v2" in page
    assert "flowchart TD" in page
