"""Programs of Debian that the tests need: found on PATH, or unpacked into the user's cache.

Nothing is installed and nothing needs root: packages are downloaded by apt, which checks their
signatures, and unpacked as files.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

DOWNLOAD_TIMEOUT: Final = 300.0


class ProgramMissingError(Exception):
    """A program is not there and cannot be had; the message says what to do."""


@dataclass(frozen=True)
class Software:
    """Programs, and the packages that have them with the libraries few machines have."""

    name: str
    programs: tuple[str, ...]
    packages: tuple[str, ...]

    @property
    def help(self) -> str:
        """What to do when it cannot be had."""
        programs = " and ".join(f"`{name}`" for name in self.programs)
        return (
            f"tests need {self.name}: put {programs} on PATH, or run them where "
            f"`apt-get download {' '.join(self.packages)}` works (Debian or Ubuntu, after "
            "`apt-get update`)"
        )

    def program(self, name: str) -> Path:
        """Give the path of one of its programs.

        Raises ProgramMissingError when it is neither on PATH nor to be had from apt.
        """
        found = shutil.which(name)
        return Path(found) if found is not None else self.folder() / "usr/bin" / name

    def folder(self) -> Path:
        """Give the folder in which its packages are unpacked. Raises ProgramMissingError."""
        with _lock():
            folder = _cache() / f"debian-{self.name.lower()}-{_digest(self.packages)}"
            if not all((folder / "usr/bin" / name).exists() for name in self.programs):
                self._unpack(folder)
            return folder

    def libraries(self) -> Path:
        """Give the folder of its libraries, for LD_LIBRARY_PATH. Raises ProgramMissingError."""
        return next(iter((self.folder() / "usr/lib").glob("*-linux-gnu*")))

    def _unpack(self, folder: Path) -> None:
        with TemporaryDirectory(dir=_cache()) as name:
            place = Path(name)
            self._run(["apt-get", "download", *self.packages], place)
            for package in place.glob("*.deb"):
                self._run(["dpkg", "-x", package.name, "unpacked"], place)
            shutil.rmtree(folder, ignore_errors=True)
            (place / "unpacked").rename(folder)

    def _run(self, command: list[str], folder: Path) -> None:
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
            what = f"{' '.join(command)}: {said.strip()}; {self.help}"
            raise ProgramMissingError(what) from error


PROMETHEUS: Final = Software("Prometheus", ("prometheus", "promtool"), ("prometheus",))
SHELLCHECK: Final = Software("ShellCheck", ("shellcheck",), ("shellcheck",))
REDIS: Final = Software(
    "Redis",
    ("redis-server", "redis-cli"),
    ("redis-server", "redis-tools", "libjemalloc2", "liblzf1"),
)


def _cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(root) / "rollout"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _digest(packages: tuple[str, ...]) -> str:
    return hashlib.sha256(" ".join(packages).encode()).hexdigest()[:8]


@contextmanager
def _lock() -> Iterator[None]:
    """Let one test process download while the others wait."""
    with (_cache() / "debian.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
