"""Options that every command shares, and the door to the cluster behind them."""

import getpass
import os
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rollout.kube.client import HttpCluster


class Output(StrEnum):
    """How results are printed."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


@dataclass(frozen=True)
class Globals:
    """What was said before the command."""

    namespace: str | None
    context: str | None
    kubeconfig: str | None
    output: Output

    def cluster(self) -> "HttpCluster":
        """Open the door to the cluster."""
        from rollout.kube.client import connect

        return connect(kubeconfig=self.kubeconfig, context=self.context)

    def space(self, cluster: "HttpCluster") -> str:
        """Say which namespace is meant."""
        return self.namespace or cluster.namespace


def user() -> str:
    """Say who is asking, as well as this machine knows."""
    try:
        return os.environ.get("ROLLOUT_USER") or getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def dump(value: Any, output: Output) -> None:
    """Print a value for programs."""
    if output is Output.JSON:
        import json

        print(json.dumps(value, indent=2, default=str))
    else:
        import yaml

        print(yaml.safe_dump(value, sort_keys=False), end="")


def for_programs(output: Output) -> bool:
    """Whether a program reads what is printed."""
    return output in {Output.JSON, Output.YAML}
