"""`exec` on the practice node: a command of this machine, with a pod's environment.

A pod here is a process without a file system of its own, so the command sees this machine's, as
the user that runs the practice cluster. What it shares with a real one: environment, host name
variable, streams, terminal, exit code, and that it ends with its container and its client.
"""

import asyncio
import fcntl
import json
import os
import pty
import shutil
import signal
import struct
import termios
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from rollout.sandbox.agent.channels import (
    CHUNK,
    CLOSE,
    ERROR,
    RESIZE,
    STDERR,
    STDIN,
    STDOUT,
    Channels,
)
from rollout.sandbox.processes import bound

NOT_FOUND: Final = 127
PATH: Final = os.defpath.lstrip(":") + ":/usr/local/bin"


@dataclass(frozen=True)
class ExecOptions:
    """What is to be run, and which streams are wanted."""

    command: Sequence[str]
    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool


async def execute(
    options: ExecOptions,
    environment: Mapping[str, str],
    channels: Channels,
    ended: "asyncio.Future[Any]",
) -> None:
    """Run a command to its end, or to that of its container (`ended`) or client; report it."""
    path = environment.get("PATH") or os.environ.get("PATH") or PATH
    program = shutil.which(options.command[0], path=path)
    if program is None:
        said = f'exec: "{options.command[0]}": executable file not found in $PATH\n'
        await channels.send(STDERR if not options.tty else STDOUT, said.encode())
        await channels.send(ERROR, status(NOT_FOUND))
        return
    settled = {"PATH": path, "TERM": "xterm", **environment}
    command = bound([program, *options.command[1:]], terminal=options.tty)
    begin = _in_terminal if options.tty else _with_pipes
    running = await begin(command, settled, options)
    code = await _run(running, channels, ended)
    await channels.send(ERROR, status(code))


def status(code: int) -> bytes:
    """Word how a command ended, as the last message of its error stream."""
    if code == 0:
        return json.dumps({"metadata": {}, "status": "Success"}).encode()
    return json.dumps(
        {
            "metadata": {},
            "status": "Failure",
            "reason": "NonZeroExitCode",
            "message": f"command terminated with non-zero exit code: {code}",
            "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
        }
    ).encode()


@dataclass
class _Running:
    """A process, what it says by stream, and how to speak to it."""

    process: asyncio.subprocess.Process
    outputs: Mapping[int, Callable[[], Awaitable[bytes]]]
    write: Callable[[bytes], Awaitable[None]]
    end_of_input: Callable[[], None]
    resize: Callable[[int, int], None]
    release: Callable[[], None]


async def _run(running: _Running, channels: Channels, ended: "asyncio.Future[Any]") -> int:
    copies = [
        asyncio.create_task(_copy(channel, read, channels))
        for channel, read in running.outputs.items()
    ]
    listening = asyncio.create_task(_listen(running, channels))
    over = asyncio.create_task(running.process.wait())
    try:
        await asyncio.wait({over, listening, ended}, return_when=asyncio.FIRST_COMPLETED)
        _kill(running.process)
        await asyncio.gather(over, *copies)
    finally:
        _kill(running.process)
        for task in (listening, *copies):
            task.cancel()
        await asyncio.gather(listening, *copies, return_exceptions=True)
        running.release()
    code = running.process.returncode or 0
    return 128 - code if code < 0 else code


def _kill(process: asyncio.subprocess.Process) -> None:
    """End it and all that it has started, which would hold its output open."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def _copy(channel: int, read: Callable[[], Awaitable[bytes]], channels: Channels) -> None:
    while data := await read():
        await channels.send(channel, data)


async def _listen(running: _Running, channels: Channels) -> None:
    """Pass on what the client sends; returns when it has left."""
    while (message := await channels.receive()) is not None:
        channel, data = message
        if channel == STDIN:
            with suppress(ConnectionError):
                await running.write(data)
        elif channel == CLOSE and data[:1] == bytes([STDIN]):
            running.end_of_input()
        elif channel == RESIZE:
            size = json.loads(data)
            running.resize(int(size["Width"]), int(size["Height"]))


async def _with_pipes(
    command: Sequence[str], environment: Mapping[str, str], options: ExecOptions
) -> _Running:
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=pipe if options.stdin else nothing,
        stdout=pipe if options.stdout else nothing,
        stderr=pipe if options.stderr else nothing,
        env=environment,
        start_new_session=True,
    )
    streams = {STDOUT: process.stdout, STDERR: process.stderr}

    async def write(data: bytes) -> None:
        if process.stdin is not None:
            process.stdin.write(data)
            await process.stdin.drain()

    return _Running(
        process,
        {channel: _reader(stream) for channel, stream in streams.items() if stream is not None},
        write,
        lambda: process.stdin.close() if process.stdin is not None else None,
        lambda _width, _height: None,
        lambda: None,
    )


def _reader(stream: asyncio.StreamReader) -> Callable[[], Awaitable[bytes]]:
    return lambda: stream.read(CHUNK)


async def _in_terminal(
    command: Sequence[str], environment: Mapping[str, str], options: ExecOptions
) -> _Running:
    ours, theirs = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            start_new_session=True,
        )
    finally:
        os.close(theirs)
    os.set_blocking(ours, False)

    async def write(data: bytes) -> None:
        rest = data if options.stdin else b""
        while rest:
            await _until(ours, writing=True)
            rest = rest[os.write(ours, rest) :]

    async def read() -> bytes:
        await _until(ours, writing=False)
        try:
            return os.read(ours, CHUNK)
        except OSError:  # EIO: the last process of the terminal has gone
            return b""

    def resize(width: int, height: int) -> None:
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    return _Running(process, {STDOUT: read}, write, lambda: None, resize, lambda: os.close(ours))


async def _until(descriptor: int, *, writing: bool) -> None:
    """Wait until a descriptor can be read or written."""
    loop = asyncio.get_running_loop()
    possible = asyncio.Event()
    add, remove = (
        (loop.add_writer, loop.remove_writer) if writing else (loop.add_reader, loop.remove_reader)
    )
    add(descriptor, possible.set)
    try:
        await possible.wait()
    finally:
        remove(descriptor)
