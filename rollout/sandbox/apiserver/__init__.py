"""The practice API server: a Kubernetes API over the simulated cluster, for kubectl and clients.

with ApiServer() as server:
    server.write_kubeconfig(path)
    server.faults = Faults(status=429, verbs=frozenset({"patch"}), times=3)
"""

from rollout.sandbox.apiserver.faults import HEALTHY, Faults
from rollout.sandbox.apiserver.server import ADMINISTRATOR, ApiServer, ServerError
from rollout.sandbox.apiserver.users import User

__all__ = ["ADMINISTRATOR", "HEALTHY", "ApiServer", "Faults", "ServerError", "User"]
