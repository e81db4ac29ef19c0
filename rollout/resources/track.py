"""Which pods of a service are meant: those of one version, or all."""

from enum import StrEnum

from rollout.resources.words import CANDIDATE, STABLE


class Track(StrEnum):
    """Which pods are meant."""

    STABLE = STABLE
    CANDIDATE = CANDIDATE
    ALL = "all"
