"""What may be shipped: a tag, or a whole image reference; all else is refused with its fault."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.resources.image import reference_fault, version_fault
from tests.resources.bad import NO_VERSIONS

DIGEST = "sha256:" + "0123456789abcdef" * 4
LETTERS = "aB1._-:/@"


@pytest.mark.parametrize(
    "version",
    [
        "v1.2.4",
        "1",
        "_x",
        "a" * 128,
        "shop/web",
        "registry.example.com/shop/web:v2",
        "localhost:5000/web:v2",
        "Registry.example.com:443/web-api__x/a.b:V2",
        f"web@{DIGEST}",
        f"registry.example.com/web:v2@{DIGEST}",
    ],
)
def test_tags_and_references_are_shipped(version: str) -> None:
    assert version_fault(version) == ""


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("registry.example.com/other:v1/", "an empty part before, after or between its slashes"),
        ("registry.example.com/a:v1/b", "'a:v1' has to be lower-case letters and digits"),
        ("registry.example.com/a:v1/b", "a tag goes to the end"),
        ("registry.example.com/x:", "after the : goes a tag"),
        ("Registry.example.com/Foo:v1", "'Foo' has to be lower-case letters and digits"),
        ("a//b:v1", "drop a /"),
        ("v1/", "drop a /"),
        ("v1@", "after the @ goes a digest, sha256: and 64 digits of 0-9 a-f, not ''"),
        ("x@sha256:zz", "not 'sha256:zz'"),
    ],
)
def test_what_is_no_reference_is_refused_with_what_is_wrong(version: str, said: str) -> None:
    fault = version_fault(version)
    assert fault.startswith(f"{version!r} is not an image reference: ")
    assert said in fault


@pytest.mark.parametrize("version", ["v1 9", "-v1", "a" * 129, "web:"])
def test_what_is_no_tag_is_refused(version: str) -> None:
    assert version_fault(version).startswith(f"{version!r} is not an image tag: ")


def test_an_image_without_a_slash_is_told_how_to_be_one() -> None:
    assert "as docker.io/library/web:v2" in version_fault("web:v2")
    assert reference_fault("web:v2") == ""


@pytest.mark.parametrize("version", NO_VERSIONS)
def test_what_the_server_refuses_has_a_fault(version: str) -> None:
    assert version_fault(version)


@given(st.text(LETTERS, min_size=1, max_size=24))
def test_every_text_is_a_version_or_has_a_fault(version: str) -> None:
    fault = version_fault(version)
    assert fault == "" or repr(version) in fault
