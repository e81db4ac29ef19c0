"""Names and identities that the cluster makes up: uids, generated suffixes, template hashes.

A world that is run twice must make up the same names, or a failing run could not be repeated: they
come from a seed and a counter, not from a source of randomness.
"""

import hashlib
import json
from typing import Final
from uuid import UUID

from rollout.resources.writes import Object

SAFE: Final = "bcdfghjklmnpqrstvwxz2456789"
"""Letters that cannot form words: the real server's alphabet for generated names."""

SUFFIX_LENGTH: Final = 5
LONGEST_GENERATED_PREFIX: Final = 58


class Names:
    """A source of uids and name suffixes, the same for the same seed and the same history."""

    def __init__(self, seed: str, drawn: int = 0) -> None:
        self._seed = seed
        self._drawn = drawn

    def fork(self) -> "Names":
        """A source that goes on as this one would."""
        return Names(self._seed, self._drawn)

    def uid(self) -> str:
        """A new object identity."""
        return str(UUID(bytes=self._draw()[:16], version=4))

    def generated(self, prefix: str) -> str:
        """A name that begins with `prefix`, cut as the real server cuts it."""
        suffix = "".join(SAFE[byte % len(SAFE)] for byte in self._draw()[:SUFFIX_LENGTH])
        return prefix[:LONGEST_GENERATED_PREFIX] + suffix

    def _draw(self) -> bytes:
        self._drawn += 1
        return hashlib.blake2b(f"{self._seed}/{self._drawn}".encode(), digest_size=16).digest()


def template_hash(template: Object, collisions: int | None) -> str:
    """The `pod-template-hash` of a pod template: not the real server's number, but its form."""
    text = json.dumps(template, sort_keys=True, separators=(",", ":"))
    if collisions:
        text += f"/{collisions}"
    digest = hashlib.blake2b(text.encode(), digest_size=4).digest()
    return safe_encode(str(int.from_bytes(digest, "big")))


def safe_encode(text: str) -> str:
    """The text in letters that cannot form words, one for each character."""
    return "".join(SAFE[ord(character) % len(SAFE)] for character in text)
