"""Policies as files: the same schema as in the cluster, with errors that say what to change."""

from typing import Any

import yaml
from pydantic import ValidationError

from rollout.resources.policy import RolloutPolicy


class PolicyFileError(ValueError):
    """A policy file cannot be used; the message has a line per field, with value and fix."""


def read_policy(text: str, name: str) -> RolloutPolicy:
    """Read a RolloutPolicy from YAML text; `name` is the file's, for messages.

    Raises PolicyFileError when it is no YAML, no RolloutPolicy, or not a valid one.
    """
    try:
        document: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PolicyFileError(f"{name} is no YAML: {error}") from error
    if not isinstance(document, dict):
        raise PolicyFileError(f"{name} is no RolloutPolicy: begin with apiVersion, kind and spec")
    try:
        return RolloutPolicy.model_validate(document)
    except ValidationError as error:
        raise PolicyFileError(f"{name} is not valid:\n{explain(error)}") from error


def explain(error: ValidationError) -> str:
    """Say a pydantic error as lines of `field: what is wrong`, without pydantic's own words."""
    return "\n".join(
        f"  {_path(one['loc'])}: {one['msg'].removeprefix('Value error, ')}"
        for one in error.errors(include_url=False, include_context=False)
    )


def _path(location: tuple[int | str, ...]) -> str:
    """Write a place as people write it: `spec.metrics[1].bounds`; the union's tag is no part."""
    path = ""
    for index, part in enumerate(location):
        if isinstance(part, int):
            path += f"[{part}]"
        elif not (part in _TAGS and index):
            path += f".{part}" if path else part
    return path or "policy"


_TAGS = frozenset({"Ratio", "Latency", "Value", "Prometheus", "Scrape"})
