"""Which program an image stands for: the last part of its repository says it.

`gemini-agent` is the sample service of `manifests/examples`, `redis` a real Redis where this
machine has one; every other image is the small service of this folder. Whatever a program is,
its image tag may carry dials.
"""

import importlib
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any, Final, NoReturn, TypeAlias

from rollout.sandbox import example
from rollout.sandbox.service import lookup
from rollout.sandbox.service.dials import DialError, Dials, read_dials
from rollout.sandbox.service.process import Settings, crash, run

_MODULE_COMMAND: Final = ("python", "-m")
_MAIN: Final = "gemini_agent.__main__"
_NOT_FOUND: Final = 127

Order: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Program:
    """What is run for an image.

    `calls`: whether it looks up Services. `ends`: whether it does what its command says, so that
    it can be an init container.
    """

    run: Callable[[Order], int]
    prepare: Callable[[], None] = lambda: None
    calls: bool = False
    ends: bool = False


def _sample(order: Order) -> int:
    environment: Mapping[str, str] = order["environment"]
    settings = Settings.read(
        order["version"], order["pod"], order["host"], order["port"], environment
    )
    return run(settings)


def _agent(order: Order) -> int:
    dials = read_dials(order["version"], {})
    lookup.install(Path(order["names"]), order["namespace"])
    os.environ.clear()
    os.environ |= {**agent_variables(order["version"], dials), **order["environment"]}
    os.environ |= {"HOST": order["host"], "PORT": str(order["port"])}
    if dials.crash_after is not None:
        timer = Timer(dials.crash_after, crash)
        timer.daemon = True
        timer.start()
    _prepare_agent()
    main: Callable[[], int] = importlib.import_module(module_of(order["command"])).main
    return main()


def module_of(command: Sequence[str]) -> str:
    """Give the module that a command of the image runs. Raises DialError for any other command."""
    if not command:
        return _MAIN
    if tuple(command[:2]) != _MODULE_COMMAND or len(command) != len(_MODULE_COMMAND) + 1:
        said = " ".join(command)
        raise DialError(f"command: {said!r} cannot be run here; write python -m MODULE")
    return command[2]


def agent_variables(version: str, dials: Dials) -> dict[str, str]:
    """Say with variables of the agent what a tag's dials say; it is `_agent` that crashes."""
    return {
        "APP_VERSION": version,
        "DIAL_ERRORS": f"{dials.errors:g}",
        "DIAL_SLOW_SHARE": f"{dials.slow_share:g}",
        "DIAL_SLOW_SECONDS": f"{dials.slow_seconds:g}",
        "DIAL_STARTUP_SECONDS": f"{dials.startup_seconds:g}",
        "DIAL_NEVER_READY": str(dials.never_ready).lower(),
        "DIAL_OVERLOAD": "" if dials.overload is None else f"{dials.overload:g}",
        "DIAL_LINGER_SECONDS": f"{dials.linger:g}",
    }


def _prepare_agent() -> None:
    folder = str(example.folder() / "service")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    importlib.import_module(_MAIN)


def _redis(order: Order) -> int:
    if shutil.which("redis-server") is not None:
        _become_redis(order)
    sys.stderr.write("redis-server is not installed: apt-get install redis-server\n")
    return _NOT_FOUND


def _become_redis(order: Order) -> NoReturn:
    """Become the server, or do what a command says, for which there is the client."""
    server = ["redis-server", "--bind", order["host"], "--port", str(order["port"])]
    command = list(order["command"]) or server
    client = lookup.shim("redis-cli", Path(order["names"]), order["namespace"])
    path = f"{client.parent}{os.pathsep}{os.environ['PATH']}"
    variables = {**os.environ, **order["environment"], "PATH": path}
    os.execvpe(command[0], [*command, *order["arguments"]], variables)  # noqa: S606 - becomes it


SAMPLE: Final = Program(_sample)
_PROGRAMS: Final[Mapping[str, Program]] = {
    example.NAME: Program(_agent, _prepare_agent, calls=True),
    "redis": Program(_redis, calls=True, ends=True),
}


def find(image: str) -> Program:
    """Give the program of an image, by the last part of its repository."""
    return _PROGRAMS.get(image, SAMPLE)
