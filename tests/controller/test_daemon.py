"""What a controller process does around the work: that it leads once at most."""

from rollout.daemon import Controller, Settings
from rollout.kube.client import HttpCluster
from rollout.sandbox.apiserver import ApiServer


class Filled:
    """Caches that have been filled."""

    synced = True

    def list(self, *_: object) -> tuple[object, ...]:
        return ()


class Always:
    """An elector that says that this process leads."""

    def is_leader(self) -> bool:
        return True


def test_who_has_lost_the_lease_does_not_lead_again() -> None:
    with ApiServer() as server, HttpCluster.for_server(server.url, server.token) as cluster:
        controller = Controller(cluster, Settings())
        controller._caches = Filled()  # type: ignore[assignment]
        controller._elector = Always()  # type: ignore[assignment]
        controller._resign()
        controller._lead()
        assert not controller._clock._scheduler.running
        controller._probes.stop()
