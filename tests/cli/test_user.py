"""Whose name an action bears where the cluster does not say who somebody is."""

import pytest

from rollout.cli.options import user
from rollout.kube.client import HttpCluster
from rollout.kube.errors import ClusterError, Forbidden, NotFound, Unreachable
from rollout.resources.writes import Object, Write


class Mute(HttpCluster):
    """A cluster that answers every review with an error."""

    def __init__(self, error: ClusterError) -> None:
        self._error = error

    def apply(self, write: Write) -> Object:  # noqa: ARG002 - the name is the protocol's
        raise self._error


@pytest.fixture(autouse=True)
def local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLOUT_USER", "ana")


@pytest.mark.parametrize("error", [NotFound("no such page"), Forbidden("not for you")])
def test_a_cluster_that_does_not_tell_gets_the_local_name(error: ClusterError) -> None:
    assert user(Mute(error)) == "ana"


def test_a_cluster_that_cannot_be_reached_is_no_reason_to_guess() -> None:
    with pytest.raises(Unreachable):
        user(Mute(Unreachable("refused")))
