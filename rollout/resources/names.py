"""Names of our objects beside those of the user: the same for everyone who looks for them."""

import re
from hashlib import sha256
from typing import Final

SUFFIX: Final = "-candidate"
LONGEST_LABEL: Final = 63
"""Names of Services are DNS labels."""
LONGEST_NAME: Final = 253
LONGEST_PART: Final = 40
"""So much of a Rollout's name, and of a tag, is in the name of a release."""


def beside(name: str, longest: int = LONGEST_NAME) -> str:
    """Return the name of our object beside one of the user's.

    A name that would be too long is cut, with a few digits of its hash so that two long names
    never meet.
    """
    whole = f"{name}{SUFFIX}"
    if len(whole) <= longest:
        return whole
    digest = sha256(name.encode()).hexdigest()[:8]
    return f"{name[: longest - len(SUFFIX) - 9]}-{digest}{SUFFIX}"


def label_value(name: str) -> str:
    """Return an object's name as the value of a label, which is shorter and ends in a letter."""
    return name[:LONGEST_LABEL].rstrip("-.")


def part_of_name(text: str) -> str:
    """Return a tag, or another name, as a part of an object's name; empty when nothing is left.

    Between two dots of a name there are letters or digits, and none of `-` beside a dot.
    """
    plain = re.sub(r"[^a-z0-9.]+", "-", text.lower())
    dotted = re.sub(r"-*\.[-.]*", ".", plain).strip("-.")
    return dotted[:LONGEST_PART].rstrip("-.")
