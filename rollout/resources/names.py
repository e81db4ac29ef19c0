"""Names of our objects beside those of the user: the same for everyone who looks for them."""

from hashlib import sha256
from typing import Final

SUFFIX: Final = "-candidate"
LONGEST_LABEL: Final = 63
"""Names of Services are DNS labels."""
LONGEST_NAME: Final = 253


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
