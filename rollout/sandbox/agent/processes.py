"""The agent's side of the zygote: start a process, send it a signal, learn how it ended."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

_CLOSE_SECONDS: Final = 5.0
KILLED: Final = 128 + signal.SIGKILL


@dataclass(frozen=True)
class Order:
    """What to run: the program of an image as `version`, on an address and port.

    `names` is the file in which it finds Services; see `Names`.
    """

    program: str
    version: str
    namespace: str
    pod: str
    host: str
    port: int
    log: str
    environment: Mapping[str, str] = field(default_factory=dict)
    command: Sequence[str] = ()
    arguments: Sequence[str] = ()
    names: str = ""


@dataclass(frozen=True)
class Exit:
    """How a process ended: the code as a container runtime gives it, and CPU seconds used."""

    code: int
    cpu: float = 0.0


@dataclass
class Process:
    """A running process. `exited` is done when it has ended, however that came about."""

    id: str
    pid: int
    exited: "asyncio.Future[Exit]"


class Processes:
    """Processes of all pods of one agent. All methods belong to one event loop."""

    def __init__(self) -> None:
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._starting: dict[str, asyncio.Future[Process]] = {}
        self._running: dict[str, Process] = {}
        self._launching = asyncio.Lock()
        self._ids = count(1)

    async def start(self, order: Order) -> Process:
        """Start a process; it may have ended by the time this returns."""
        async with self._launching:  # pods come in numbers; the zygote is one
            if self._writer is None:
                await self._launch()
        name = f"{order.pod}/{next(self._ids)}"
        started = asyncio.get_running_loop().create_future()
        self._starting[name] = started
        self._send({"order": "start", "id": name, **vars(order)})
        process: Process = await started
        return process

    def signal(self, process: Process, number: int) -> None:
        """Send a signal; without effect on a process that has ended."""
        if not process.exited.done():
            self._send({"order": "signal", "id": process.id, "number": number})

    async def close(self) -> None:
        """Kill whatever still runs."""
        if self._writer is not None:
            self._writer.close()  # which ends the zygote, and that its pods
        if self._reading is not None:
            await self._reading

    async def _launch(self) -> None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "rollout.sandbox.service.zygote", str(theirs.fileno())]
        with theirs:
            # A session of its own: Ctrl-C in the terminal is for the agent, which stops pods.
            zygote = subprocess.Popen(  # noqa: ASYNC220 - returns within milliseconds
                command, pass_fds=[theirs.fileno()], start_new_session=True
            )
        reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        self._reading = asyncio.create_task(self._read(reader, zygote))

    def _send(self, order: Mapping[str, Any]) -> None:
        if self._writer is not None:
            self._writer.write(json.dumps(order).encode() + b"\n")

    async def _read(self, reader: asyncio.StreamReader, zygote: "subprocess.Popen[bytes]") -> None:
        with suppress(ConnectionError):
            while line := await reader.readline():
                self._note(json.loads(line))
        self._lost()
        await asyncio.to_thread(zygote.wait, _CLOSE_SECONDS)

    def _note(self, report: Mapping[str, Any]) -> None:
        name = report["id"]
        match report["report"]:
            case "started":
                exited = asyncio.get_running_loop().create_future()
                process = Process(name, report["pid"], exited)
                self._running[name] = process
                self._settle(self._starting.pop(name), process)
            case "exited":
                code = report["code"]
                outcome = Exit(128 - code if code < 0 else code, report["cpu"])
                self._running.pop(name).exited.set_result(outcome)

    def _settle(self, started: "asyncio.Future[Process]", process: Process) -> None:
        if started.cancelled():  # whoever asked has gone; so shall the process
            self.signal(process, signal.SIGKILL)
        else:
            started.set_result(process)

    def _lost(self) -> None:
        """End every process: the kernel killed them when the zygote went."""
        self._writer = None
        for process in self._running.values():
            process.exited.set_result(Exit(KILLED))
        for started in (s for s in self._starting.values() if not s.done()):
            started.set_exception(ChildProcessError("the zygote ended while starting a pod"))
        self._running.clear()
        self._starting.clear()
