"""Lets a program find Services of its cluster by name, as if there were a DNS server for them.

`rollout.sandbox.agent.names` keeps the file that is read here. A program that is not Python's asks
through a shim: `python -m rollout.sandbox.service.lookup FILE NAMESPACE PROGRAM [ARGUMENT...]`.
"""

import json
import os
import shlex
import shutil
import socket
import sys
from pathlib import Path
from typing import Any, Final

_SUFFIXES: Final = (".svc.cluster.local", ".svc")


def install(file: Path, namespace: str) -> None:
    """Have all look-ups of this process try the names of Services first."""
    ask_machine = socket.getaddrinfo

    def look_up(host: Any, *arguments: Any, **options: Any) -> Any:
        found = [
            answer
            for address in addresses(host, namespace, file)
            for answer in ask_machine(address, *arguments, **options)
        ]
        return found or ask_machine(host, *arguments, **options)

    socket.getaddrinfo = look_up


def addresses(host: Any, namespace: str, file: Path) -> list[str]:
    """Give the addresses of a Service by its short or its full name; [] when it is none."""
    if not isinstance(host, str):
        return []
    name = host.rstrip(".")
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    known: dict[str, list[str]] = json.loads(file.read_text())
    return known.get(name if "." in name else f"{name}.{namespace}", [])


def shim(program: str, file: Path, namespace: str) -> Path:
    """Write a command that is named as a program of this machine, and looks names up for it."""
    place = file.parent / namespace / program
    place.parent.mkdir(exist_ok=True)
    words = [sys.executable, "-m", __name__, str(file), namespace, shutil.which(program) or program]
    place.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    place.chmod(0o755)
    return place


def main(file: str, namespace: str, program: str, *arguments: str) -> None:
    """Become a program, with addresses for those of its arguments that are names of Services."""
    words = [(addresses(one, namespace, Path(file)) or [one])[0] for one in arguments]
    os.execv(program, [program, *words])  # noqa: S606 - becomes it


if __name__ == "__main__":
    main(*sys.argv[1:])
