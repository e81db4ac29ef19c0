"""Lets a program find Services of its cluster by name, as if there were a DNS server for them.

`rollout.sandbox.agent.names` keeps the file that is read here.
"""

import json
import socket
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
