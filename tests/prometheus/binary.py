"""Finds the `prometheus` program, or unpacks Debian's package into the user's cache.

Nothing is installed and nothing needs root: the package is downloaded by apt, which checks its
signature, and unpacked as files.
"""

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

PROGRAMS: Final = ("prometheus", "promtool")
DOWNLOAD_TIMEOUT: Final = 300.0
HELP: Final = (
    "tests need Prometheus: put `prometheus` and `promtool` on PATH, or run them where "
    "`apt-get download prometheus` works (Debian or Ubuntu, after `apt-get update`)"
)


class PrometheusMissingError(Exception):
    """There is no Prometheus and none can be had; the message says what to do."""


def program(name: str) -> Path:
    """Give the path of `prometheus` or `promtool`.

    Raises PrometheusMissingError when it is neither on PATH nor to be had from apt.
    """
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    with _lock():
        return (_unpacked() or _download()) / "usr/bin" / name


def cache_folder() -> Path:
    """Give the folder in which unpacked packages are kept, one per version."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(root) / "rollout"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def _lock() -> Iterator[None]:
    """Let one test process download while the others wait."""
    with (cache_folder() / "prometheus.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _unpacked() -> Path | None:
    for folder in sorted(cache_folder().glob("prometheus-*"), reverse=True):
        if all((folder / "usr/bin" / name).exists() for name in PROGRAMS):
            return folder
    return None


def _download() -> Path:
    with TemporaryDirectory(dir=cache_folder()) as name:
        folder = Path(name)
        _run(["apt-get", "download", "prometheus"], folder)
        packages = list(folder.glob("prometheus_*.deb"))
        if len(packages) != 1:
            raise PrometheusMissingError(f"apt-get gave {packages}: {HELP}")
        _run(["dpkg", "-x", packages[0].name, "unpacked"], folder)
        target = cache_folder() / f"prometheus-{_version(packages[0])}"
        return (folder / "unpacked").rename(target)


def _version(package: Path) -> str:
    return re.sub(r"[^0-9a-zA-Z.+~-]", "", package.name.split("_")[1])


def _run(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(
            command,
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_TIMEOUT,
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise PrometheusMissingError(f"{' '.join(command)}: {said.strip()}; {HELP}") from error
