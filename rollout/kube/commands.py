"""A command in a container: its streams, its terminal, its exit code."""

import json
import os
import select
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from rollout.kube.errors import ServerFault, Unreachable
from rollout.kube.sockets import CHUNK, CLOSE, V4, V5, PodSocket

STDIN: Final = 0
STDOUT: Final = 1
STDERR: Final = 2
ERROR: Final = 3
RESIZE: Final = 4
LOOK_SECONDS: Final = 0.5


class Shelf(Protocol):
    """What opens connections to pods."""

    def socket(
        self,
        namespace: str,
        pod: str,
        subresource: str,
        query: Sequence[tuple[str, str]],
        protocols: Sequence[str],
    ) -> PodSocket:
        """Open a WebSocket to a pod."""
        ...


@dataclass(frozen=True)
class CommandRequest:
    """What is to be run, and whether it gets our input and a terminal."""

    namespace: str
    pod: str
    container: str
    command: Sequence[str]
    stdin: bool = False
    tty: bool = False

    def query(self) -> list[tuple[str, str]]:
        """Word it for the API. A terminal has one stream for all that is said."""
        switches = {"stdin": self.stdin, "stdout": True, "stderr": not self.tty, "tty": self.tty}
        return [
            ("container", self.container),
            *((name, "true") for name, on in switches.items() if on),
            *(("command", word) for word in self.command),
        ]


@dataclass
class Streams:
    """Descriptors that a command speaks with; `size` gives columns and lines of the terminal."""

    stdin: int
    stdout: int
    stderr: int
    size: "SizeOf | None" = None


class SizeOf(Protocol):
    """Gives the size of a terminal."""

    def __call__(self) -> tuple[int, int]:
        """Columns and lines."""
        ...


def run_command(shelf: Shelf, request: CommandRequest, streams: Streams) -> int:
    """Run a command and give its exit code; what it says is written as it comes.

    It may take as long as it likes. Raises ClusterError when it cannot be run, or when the
    connection ends before it does.
    """
    opened = shelf.socket(request.namespace, request.pod, "exec", request.query(), (V5, V4))
    with opened as connection:
        ended = _Conversation(connection, request, streams).hold()
    if ended is None:
        raise Unreachable(f"the connection to pod {request.pod} ended before the command did")
    return exit_code(ended)


@dataclass
class _Conversation:
    """Carries our input there and what comes back here, until the command has ended."""

    connection: PodSocket
    request: CommandRequest
    streams: Streams
    size: tuple[int, int] = (0, 0)

    def hold(self) -> bytes | None:
        """Give the report of how the command ended; None when there was none."""
        listening = self.request.stdin
        while True:
            self._fit()
            watched: list[PodSocket | int] = [self.connection]
            watched += [self.streams.stdin] if listening else []
            patience = 0 if self.connection.waiting else LOOK_SECONDS
            readable, _, _ = select.select(watched, [], [], patience)
            if self.streams.stdin in readable:
                listening = self._say()
            if self.connection.waiting or self.connection in readable:
                message = self.connection.receive()
                if message is None:
                    return None
                channel, data = message
                if channel == ERROR and data:
                    return data
                self._write(channel, data)

    def _say(self) -> bool:
        """Pass on our input; False at its end."""
        data = os.read(self.streams.stdin, CHUNK)
        if data:
            self.connection.send(STDIN, data)
        else:
            self.connection.end(STDIN)
        return bool(data)

    def _write(self, channel: int, data: bytes) -> None:
        to = {STDOUT: self.streams.stdout, STDERR: self.streams.stderr}.get(channel)
        while to is not None and channel != CLOSE and data:
            data = data[os.write(to, data) :]

    def _fit(self) -> None:
        """Tell the size of our terminal where it is another than before."""
        if self.request.tty and self.streams.size is not None:
            size = self.streams.size()
            if size != self.size:
                said = {"Width": size[0], "Height": size[1]}
                self.connection.send(RESIZE, json.dumps(said).encode())
                self.size = size


def exit_code(report: bytes) -> int:
    """Read how a command ended. Raises ServerFault where it did not run."""
    try:
        status: Mapping[str, Any] = json.loads(report)
    except ValueError as error:
        raise ServerFault(f"the node says: {report.decode(errors='replace')}") from error
    if status.get("status") == "Success":
        return 0
    causes = (status.get("details") or {}).get("causes") or ()
    codes = [str(c.get("message")) for c in causes if c.get("reason") == "ExitCode"]
    if codes and codes[0].isdigit():
        return int(codes[0])
    raise ServerFault(str(status.get("message") or "the command was not run, and nobody says why"))
