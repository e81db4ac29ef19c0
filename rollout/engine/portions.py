"""How many pods make which share of requests: arithmetic that rounds down, never up (I2)."""

from typing import Final

WHOLE: Final = 100


def pods_for_share(weight: int, stable: int) -> int:
    """Return the most candidate pods beside so many stable ones that make at most this share.

    `weight` in percent, below 100. Zero: the share cannot be made of so few pods.
    """
    return weight * stable // (WHOLE - weight)


def share_of(candidate: int, stable: int) -> float:
    """Return the share in percent that ready pods make; 0 without any."""
    pods = candidate + stable
    return WHOLE * candidate / pods if pods else 0.0


def rounded_share(candidate: int, stable: int) -> int:
    """Return the share in whole percent, where 0 is none and 100 is all of it."""
    share = round(share_of(candidate, stable))
    if candidate == 0:
        return 0
    return max(share, 1) if stable == 0 else min(max(share, 1), WHOLE - 1)


def exceeds(candidate: int, stable: int, weight: int) -> bool:
    """Whether so many pods make more than a share in percent."""
    return WHOLE * candidate > weight * (candidate + stable)
