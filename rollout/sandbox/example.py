"""The service that the practice cluster starts with: `manifests/examples/gemini-agent`, in small.

The folder travels in the wheel as `rollout/examples`.
"""

from pathlib import Path
from typing import Final

import yaml

from rollout.resources.writes import Object

NAME: Final = "gemini-agent"
"""Of its Deployment, its Service, its Ingress and its Rollout."""
HOST: Final = "api.example.com"


def folder() -> Path:
    """Where the example is: in the wheel, or in the project's own tree."""
    package = Path(__file__).parent.parent
    place = Path("examples") / NAME
    packaged = package / place
    return packaged if packaged.is_dir() else package.parent / "manifests" / place


def objects() -> list[Object]:
    """Give its objects."""
    return list(yaml.safe_load_all((folder() / "practice.yaml").read_text()))
