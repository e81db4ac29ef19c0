"""What names an image: the grammar of container registries, and what is wrong with a name.

`VERSION` is the rule of the Release CRD too, so its words are those that Python and RE2 share.
"""

import re
from collections.abc import Iterator
from typing import Final

TAG: Final = "[0-9A-Za-z_][0-9A-Za-z_.-]{0,127}"
DIGEST: Final = "(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})"
_LABEL: Final = "[0-9A-Za-z]([0-9A-Za-z-]*[0-9A-Za-z])?"
REGISTRY: Final = f"{_LABEL}([.]{_LABEL})*(:[0-9]+)?"
PART: Final = "[0-9a-z]+(([.]|_|__|-+)[0-9a-z]+)*"
_DEEP: Final = f"(({REGISTRY})/)?{PART}(/{PART})*"
_BELOW: Final = f"(({REGISTRY})|{PART})/{PART}(/{PART})*"
REFERENCE: Final = f"{_DEEP}(:{TAG})?(@{DIGEST})?"
VERSION: Final = f"({TAG}|{_BELOW}(:{TAG})?(@{DIGEST})?|{PART}(:{TAG})?@{DIGEST})"
"""A tag alone, or a whole reference that has a `/` or a digest, by which it is told apart."""

NOT_A_VERSION: Final = (
    "version is neither an image tag nor an image reference: write v1.2.4, or "
    "registry.example.com/shop/web:v1.2.4"
)


def tag_of(image: str) -> str:
    """Shorten an image to its tag; one with a digest, or without a tag, stays whole."""
    return image if "@" in image else image.rpartition("/")[2].partition(":")[2] or image


def reference_fault(image: str) -> str:
    """Say what keeps this from being an image reference; empty when it is one."""
    if re.fullmatch(REFERENCE, image):
        return ""
    return f"{image!r} is not an image reference: {next(_faults(image))}"


def version_fault(version: str) -> str:
    """Say what keeps this from being a tag or a whole image; empty when it can be shipped."""
    if re.fullmatch(VERSION, version):
        return ""
    if "/" in version or "@" in version:
        return reference_fault(version)
    said = f"{version!r} is not an image tag: {_tag_words(version)}"
    whole = bool(re.fullmatch(REFERENCE, version))
    return f"{said}; a whole image has a / in it, as docker.io/library/{version}" if whole else said


def _faults(image: str) -> Iterator[str]:
    """Name the faults of what is no reference; there is always one."""
    name, at, digest = image.partition("@")
    if at and not re.fullmatch(DIGEST, digest):
        yield f"after the @ goes a digest, sha256: and 64 digits of 0-9 a-f, not {digest!r}"
    *parents, last = name.split("/")
    last, colon, tag = last.partition(":")
    if colon and not re.fullmatch(TAG, tag):
        yield f"after the : goes a tag: {_tag_words(tag)}"
    if not all((*parents, last)):
        yield "there is an empty part before, after or between its slashes: drop a /"
    registry = bool(parents) and re.fullmatch(REGISTRY, parents[0])
    for part in (*parents, last)[1 if registry else 0 :]:
        if not re.fullmatch(PART, part):
            tagged = "; a tag goes to the end" if ":" in part else ""
            yield f"{part!r} has to be lower-case letters and digits, . _ - between them{tagged}"


def _tag_words(tag: str) -> str:
    return f"letters, digits, _ . and -, none of . and - in front, 1 to 128 of them, not {tag!r}"
