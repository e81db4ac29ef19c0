"""A Kubernetes cluster in memory, for tests, and under the practice API.

    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    cluster = SimulatedCluster(lambda: now[0], custom_kinds=OUR_KINDS)
    kubelet = VirtualKubelet(cluster, lambda pod: Behaviour(startup=3))

    cluster.apply(Create(Kind.DEPLOYMENT, "default", deployment))
    kubelet.quiesce()                       # control loops and kubelet, until nothing changes now
    now[0] = kubelet.next_due() or now[0]   # then jump to what pods or loops do next
    kubelet.quiesce()

`SimulatedCluster` is a `rollout.kube.cluster.Cluster`: `get`, `list` and `apply` answer, and
refuse, as the API server does. Nothing happens between calls: `settle()` runs the control loops
(Deployment, ReplicaSet, EndpointSlice, garbage collection, namespaces) until they have nothing to
do, `step()` lets one of them take one look. Time is whatever the clock says; it is read, never
waited for, so set it, then `quiesce()`.

`cluster.fork(clock)` gives the same world, to go its own way; put a new `VirtualKubelet` on it.
Objects are shared snapshots: change a copy, never what you were given.

Custom kinds need their CRD (create it like any object), or `custom_kinds=OUR_KINDS`, which serves
Rollout, Release and RolloutPolicy without a schema.
"""

from rollout.simulate.cluster import OUR_KINDS, SimulatedCluster
from rollout.simulate.controllers.manager import NeverSettlesError
from rollout.simulate.kubelet import Behaviour, VirtualKubelet

__all__ = ["OUR_KINDS", "Behaviour", "NeverSettlesError", "SimulatedCluster", "VirtualKubelet"]
