"""What goes wrong between the command line and a rollout server; light, for who words errors."""

from rollout.kube.errors import Unreachable


class ServerUnreachable(Unreachable):
    """No answer of a rollout server came.

    `wait` says after how many seconds it makes sense to ask again; None: it would be the same.
    """

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class ServerNotReady(ServerUnreachable):
    """A rollout server, or a proxy before it, answered that it cannot do this now."""
