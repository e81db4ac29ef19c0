"""The practice cluster's node: runs pods as local processes, as a kubelet would run containers.

with NodeAgent(connect(kubeconfig=...)):
    ...
"""

from rollout.sandbox.agent.agent import NodeAgent
from rollout.sandbox.agent.container import BackOff
from rollout.sandbox.agent.network import ADDRESS_MAP, ADDRESS_MAP_TEXT, NetworkError
from rollout.sandbox.agent.settings import Settings

__all__ = ["ADDRESS_MAP", "ADDRESS_MAP_TEXT", "BackOff", "NetworkError", "NodeAgent", "Settings"]
