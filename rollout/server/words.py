"""Text that came from outside, made safe to say back and to log."""

from typing import Any, Final

LONGEST: Final = 100


def shortened(value: Any, longest: int = LONGEST) -> str:
    """Give any value as text that can be sent, not longer than some characters."""
    text = str(value).encode("utf-8", "replace").decode()
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
