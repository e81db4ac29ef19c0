"""A local port that leads to a ready pod of a track, and to another one when that goes."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from errno import EACCES, EADDRINUSE
from typing import Final

from rollout.commands.ops.family import Member
from rollout.commands.refusal import CommandRefusedError, UnclearError
from rollout.kube.commands import Shelf
from rollout.kube.errors import ClusterError
from rollout.kube.relay import connect, relay
from rollout.kube.sockets import PodSocket

LOOK_SECONDS: Final = 1.0
"""How long a look at the pods is good for: connections come in bursts."""
MOST: Final = 200
"""Connections at once; more wait to be taken. `select` knows no more than 1024 descriptors."""
ACCEPT_SECONDS: Final = 0.5
BACKLOG: Final = 64
LARGEST_PORT: Final = 65535
PORT_MEND: Final = "another local port, as in 0:REMOTE, takes any that is free"
ADDRESS_MEND: Final = "give --address one of this machine, as 127.0.0.1"


@dataclass(frozen=True)
class Ports:
    """A local port (0: any free one; None: the pod's), and the pod's: a number, or a name."""

    local: int | None
    remote: str


def read_ports(text: str) -> Ports:
    """Read `8080`, `9090:8080`, `:8080` or `9090:http`. Raises UnclearError."""
    local, colon, remote = text.rpartition(":")
    near = local or "0"
    good = is_number(near) and int(near) <= LARGEST_PORT
    far = not is_number(remote) or 0 < int(remote) <= LARGEST_PORT
    if not (remote and good and far):
        raise UnclearError(
            f"ports {text!r}: write [LOCAL:]REMOTE, as in 8080, 9090:8080 or :http; numbers go up "
            f"to {LARGEST_PORT}"
        )
    return Ports(int(local or 0) if colon else None, remote)


def is_number(text: str) -> bool:
    """Whether it is a number that is written in the usual digits."""
    return text.isascii() and text.isdecimal()


def remote_port(pod: Member, remote: str) -> int:
    """Give the number of a pod's port. Raises UnclearError for a name that it has not."""
    if is_number(remote):
        return int(remote)
    declared = [
        port for c in pod.pod["spec"].get("containers") or () for port in c.get("ports") or ()
    ]
    for port in declared:
        if port.get("name") == remote:
            return int(port["containerPort"])
    there = ", ".join(str(port.get("name")) for port in declared if port.get("name")) or "none"
    raise UnclearError(
        f"pod {pod.name} declares no port {remote} (by name it declares: {there}): give a number"
    )


def listen(address: str, port: int) -> socket.socket:
    """Listen for connections. Raises CommandRefusedError where that is not possible."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        listener = socket.create_server((address, port), family=family, backlog=BACKLOG)
    except OSError as error:
        mend = PORT_MEND if error.errno in {EADDRINUSE, EACCES} else ADDRESS_MEND
        raise CommandRefusedError(
            f"cannot listen on {place(address, port)}: {error.strerror}; {mend}"
        ) from error
    listener.settimeout(ACCEPT_SECONDS)
    return listener


def place(address: str, port: int) -> str:
    """Word where something listens, as it stands in a URL."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


@contextmanager
def _released(room: threading.Semaphore) -> Iterator[None]:
    try:
        yield
    finally:
        room.release()


@dataclass
class Forward:
    """Carries connections to the pod that `choose` gives, told which it was before."""

    shelf: Shelf
    namespace: str
    remote: str
    choose: Callable[[str], Member]
    tell: Callable[[str], None]
    _room: threading.Semaphore = field(
        default_factory=lambda: threading.Semaphore(MOST), init=False
    )
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _chosen: Member | None = field(default=None, init=False)
    _looked: float = field(default=0.0, init=False)

    def pod(self, *, anew: bool = False) -> Member:
        """Give the pod to reach; `anew` looks again. Raises CommandRefusedError, ClusterError."""
        with self._lock:
            old = self._chosen
            fresh = time.monotonic() - self._looked < LOOK_SECONDS
            if old is not None and fresh and not anew:
                return old
            found = self.choose(old.name if old is not None else "")
            if old is not None and found.name != old.name:
                self.tell(f"pod {old.name} is gone or not ready: on to {found.side} {found.name}")
            self._chosen, self._looked = found, time.monotonic()
            return found

    def serve(self, listener: socket.socket, stop: threading.Event) -> None:
        """Take connections until told to stop, each in a thread of its own."""
        while not stop.is_set():
            if not self._room.acquire(timeout=ACCEPT_SECONDS):
                continue
            try:
                client, _ = listener.accept()
            except TimeoutError:
                self._room.release()
                continue
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with closing(client), _released(self._room):
            try:
                with self._reached() as connection:
                    relay(client, connection)
            except (ClusterError, CommandRefusedError) as error:
                self.tell(str(error))

    def _reached(self) -> PodSocket:
        """Connect to the pod; where that fails, look again and try once more."""
        pod = self.pod()
        try:
            return connect(self.shelf, self.namespace, pod.name, remote_port(pod, self.remote))
        except ClusterError:
            pod = self.pod(anew=True)
            return connect(self.shelf, self.namespace, pod.name, remote_port(pod, self.remote))
