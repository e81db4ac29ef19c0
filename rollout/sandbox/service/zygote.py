"""Starts pods by forking a process that has imported everything already.

A pod started as a fresh interpreter costs about 0.2 s of CPU; a fork costs milliseconds and
shares its memory. Each pod is still a process of its own: it can crash, be killed, and hang
without harm to the next. The node agent talks to this process in JSON lines over a socket.

Nothing outlives its parent: the zygote ends when its socket closes, and the kernel kills the
pods when the zygote is gone (PR_SET_PDEATHSIG).
"""

import ctypes
import gc
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from rollout.sandbox.service import programs
from rollout.sandbox.service.dials import DialError
from rollout.sandbox.service.logs import StampedLog

_PR_SET_PDEATHSIG: Final = 1
_CONFIGURATION_ERROR: Final = 2
_LINE_LIMIT: Final = 1024 * 1024

Order = Mapping[str, Any]


class Zygote:
    """Carries out orders (`start`, `signal`) and reports what became of each process."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._pending = b""
        self._names: dict[int, str] = {}
        self._pids: dict[str, int] = {}
        self._logs: dict[int, StampedLog] = {}
        self._wakeup, self._wakeup_write = os.pipe()
        os.set_blocking(self._wakeup, False)
        os.set_blocking(self._wakeup_write, False)

    def run(self) -> None:
        """Work until the other side hangs up."""
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only wakes the select below
        signal.set_wakeup_fd(self._wakeup_write, warn_on_full_buffer=False)
        gc.freeze()  # keeps the collector of a child from copying the pages it shares with us
        with suppress(ConnectionError):
            while self._step():
                pass
        self._end()

    def _step(self) -> bool:
        logs = {log.fileno(): log for log in self._logs.values() if not log.ended}
        watched = [self._channel.fileno(), self._wakeup, *logs]
        readable, _, _ = select.select(watched, [], [])
        for descriptor in logs.keys() & set(readable):
            logs[descriptor].copy()
        if self._wakeup in readable:
            os.read(self._wakeup, 4096)
            self._reap()
        return self._channel.fileno() not in readable or self._listen()

    def _listen(self) -> bool:
        data = self._channel.recv(65536)
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            self._obey(json.loads(line))
        return bool(data) and len(self._pending) < _LINE_LIMIT

    def _obey(self, order: Order) -> None:
        match order["order"]:
            case "start":
                self._start(order)
            case "signal":
                self._signal(order["id"], order["number"])

    def _start(self, order: Order) -> None:
        with suppress(ImportError):  # the pod's own log shall have it
            programs.find(order["program"]).prepare()
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            self._become(order, writing)
        os.close(writing)
        self._logs[pid] = StampedLog(reading, order["log"])
        self._names[pid] = order["id"]
        self._pids[order["id"]] = pid
        self._report({"report": "started", "id": order["id"], "pid": pid})

    def _signal(self, name: str, number: int) -> None:
        # Only this process reaps, so a pid found here still belongs to the pod.
        if name in self._pids:
            os.kill(self._pids[name], number)

    def _reap(self) -> None:
        while self._pids:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if not pid:
                return
            self._logs.pop(pid).close()  # whoever hears of the end can read the last line
            name = self._names.pop(pid)
            del self._pids[name]
            code = os.waitstatus_to_exitcode(status)
            cpu = usage.ru_utime + usage.ru_stime
            self._report({"report": "exited", "id": name, "code": code, "cpu": cpu})

    def _end(self) -> None:
        for pid in self._names:
            os.kill(pid, signal.SIGKILL)
        for pid in self._names:
            os.waitpid(pid, 0)
            self._logs[pid].close()

    def _report(self, report: Order) -> None:
        self._channel.sendall(json.dumps(report).encode() + b"\n")

    def _become(self, order: Order, output: int) -> None:
        """Turn the forked child into the pod. Never returns."""
        code = 1
        try:
            _die_with_parent()
            self._let_go()
            _write_to(output)
            code = _pod(order)
        finally:
            sys.stdout.flush()
            os._exit(code)

    def _let_go(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._channel.close()
        os.close(self._wakeup)
        os.close(self._wakeup_write)
        for log in self._logs.values():
            log.let_go()


def _pod(order: Order) -> int:
    try:
        return programs.find(order["program"]).run(order)
    except DialError as error:
        sys.stderr.write(f"{error}\n")
        return _CONFIGURATION_ERROR
    except OSError as error:
        sys.stderr.write(f"cannot run {order['program']} on {order['host']}: {error}\n")
        return 1


def _die_with_parent() -> None:
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died in between
        os._exit(1)


def _write_to(output: int) -> None:
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)


def main() -> None:
    """Serve the socket whose file descriptor is the first argument."""
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        Zygote(channel).run()


if __name__ == "__main__":
    main()
