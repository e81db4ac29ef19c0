"""One connection of ours carried to a port of a pod, with bounded memory in both directions."""

import select
import socket
import time
from typing import Final

from rollout.kube.commands import Shelf
from rollout.kube.errors import ServerFault
from rollout.kube.sockets import CHUNK, NOTHING, V4, PodSocket

DATA: Final = 0
ERROR: Final = 1
LOOK_SECONDS: Final = 1.0
ANSWER_SECONDS: Final = 30.0
"""How long an answer is waited for after a client has said its last word.

The protocol cannot tell the pod of that: without a bound the connection would stay for ever."""
ANSWERED_SECONDS: Final = 0.2
"""The same where the answer has come, or nothing was asked: most clients simply close then."""


def connect(shelf: Shelf, namespace: str, pod: str, port: int) -> PodSocket:
    """Reach a port of a pod. Raises ClusterError."""
    return shelf.socket(namespace, pod, "portforward", [("ports", str(port))], (V4,))


def relay(client: socket.socket, connection: PodSocket) -> None:
    """Carry bytes both ways to the end of either side.

    Raises ClusterError when the node reports that the port cannot be reached, or the connection
    to it breaks.
    """
    client.settimeout(0)
    _Relay(client, connection).run()


class _Relay:
    """Takes from one side only what the other has room for: that bounds the memory."""

    def __init__(self, client: socket.socket, connection: PodSocket) -> None:
        self._client = client
        self._connection = connection
        self._back = b""
        self._named: set[int] = set()
        self._silent_since: float | None = None
        self._asked = False

    def run(self) -> None:
        open_ = True
        while (open_ or self._back) and not self._has_lingered():
            reading, writing = self._wanted(open_=open_), self._full(open_=open_)
            readable, writable, _ = select.select(reading, writing, [], self._patience())
            if self._connection in writable:
                self._connection.flush()
            if self._client in writable and not self._give():
                return
            if self._client in readable and not self._take():
                self._silent_since = time.monotonic()
            came = self._connection in readable or self._connection.waiting
            if open_ and not self._back and came:
                open_ = self._receive()

    def _wanted(self, *, open_: bool) -> list[socket.socket | PodSocket]:
        wanted: list[socket.socket | PodSocket] = []
        if self._silent_since is None and not self._connection.unsent and open_:
            wanted.append(self._client)
        if not self._back and open_:
            wanted.append(self._connection)
        return wanted

    def _full(self, *, open_: bool) -> list[socket.socket | PodSocket]:
        full: list[socket.socket | PodSocket] = [self._client] if self._back else []
        return [*full, self._connection] if self._connection.unsent and open_ else full

    def _patience(self) -> float:
        if self._connection.waiting and not self._back:
            return 0
        return LOOK_SECONDS if self._silent_since is None else ANSWERED_SECONDS

    def _has_lingered(self) -> bool:
        if self._silent_since is None:
            return False
        bound = ANSWER_SECONDS if self._asked else ANSWERED_SECONDS
        return time.monotonic() - self._silent_since > bound

    def _take(self) -> bool:
        """Take from the client; False when it has said its last word."""
        try:
            data = self._client.recv(CHUNK)
        except BlockingIOError:
            return True
        except ConnectionError:
            data = b""
        if data:
            self._asked = True
            self._connection.offer(DATA, data)
        return bool(data)

    def _give(self) -> bool:
        """Give to the client; False when it has left."""
        try:
            self._back = self._back[self._client.send(self._back) :]
        except BlockingIOError:
            return True
        except OSError:
            return False
        if self._silent_since is not None:
            self._silent_since = time.monotonic()
        return True

    def _receive(self) -> bool:
        """Take from the pod; False at the end. The first message of each stream names its port."""
        message = self._connection.receive()
        if message is None:
            return False
        stream, data = message
        if stream == NOTHING:
            return True
        if stream not in self._named:
            self._named.add(stream)
        elif stream == DATA:
            self._back, self._asked = data, False
        elif data:
            raise ServerFault(data.decode(errors="replace"))
        return True
