"""The model, played: it answers by itself, so that the service runs anywhere and costs nothing.

A real service calls its provider here, with the key from GOOGLE_API_KEY.
"""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Reply:
    """What a model says, and how many tokens that took."""

    text: str
    tokens: int


def generate(model: str, prompt: str, max_tokens: int) -> Reply:
    """Answer a prompt, always the same way: the words come back, under a name for the thought."""
    words = prompt.split()[:max_tokens]
    thought = hashlib.sha256(f"{model}:{prompt}".encode()).hexdigest()[:8]
    return Reply(f"[{thought}] {' '.join(words)}", len(words))
