"""An image without Docker: built by its Dockerfile's own commands, run as its user.

A mount namespace stands for the container: `/opt` is the image's, Python is the machine's (so what
the last stage does to that of its base is not done to it), and when it runs, every file system is
read-only and there is no home. Without the right to make one
(root, or user namespaces) this fails.
"""

import fcntl
import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from tests.install.dockerfile import Stage, stages
from tests.install.installed import ROOT
from tests.programs.program import cache_folder

Steps: TypeAlias = Sequence[tuple[str, str]]

BUILD_SECONDS: Final = 900
"""Mostly for installing the requirements the first time; half a minute on an idle machine."""
NAMESPACE: Final = [
    *(shutil.which("unshare") or "unshare", "--mount"),
    *([] if os.geteuid() == 0 else ["--map-root-user"]),
]
SYSTEM: Final = "/usr/local/bin:/usr/bin:/bin"
SAMPLE: Final = ROOT / "manifests" / "examples" / "gemini-agent" / "service"
"""What the sample service's image is built from; everything else is for our own."""
MOVED: Final = "/opt/python/bin"
READ_ONLY: Final = """
for place in $(cut -d' ' -f5 /proc/self/mountinfo); do
  case $place in
    /proc|/proc/*|/sys|/sys/*|/dev|/dev/pts|/dev/mqueue|/dev/hugepages) ;;
    *) mount -o remount,bind,ro "$place" || exit 70 ;;
  esac
done
"""


@dataclass(frozen=True)
class Image:
    """An image that was built; `folder` is its `/opt`."""

    folder: Path
    stage: Stage

    def command(
        self, words: Sequence[str], environment: Mapping[str, str], mounts: Mapping[str, Path]
    ) -> list[str]:
        """Give the command that runs `words` as the container would.

        `mounts` are folders by the path at which the container finds them, below /run.
        """
        given = {**self.stage.environment, **environment}
        if _python() == MOVED:  # it may be linked to libraries beside it
            given["LD_LIBRARY_PATH"] = "/opt/python/lib"
        settings = [f"{name}={value}" for name, value in given.items()]
        script = [
            "set -e",
            *_mounts(self.folder),
            "mount -t tmpfs none /run",
            *(f"mkdir -p {at} && mount --bind {source} {at}" for at, source in mounts.items()),
            READ_ONLY,
            "cd /",
            f"exec {shlex.join([*_as_user(self.stage.user), 'env', '-i', *settings, *words])}",
        ]
        return [*NAMESPACE, "sh", "-c", "\n".join(script)]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run something in it to its end."""
        return subprocess.run(
            self.command(words, {}, {}), capture_output=True, text=True, timeout=60, check=False
        )


def build(folder: Path, source: Path = ROOT) -> Image:
    """Build the image of a source below `folder`. Raises AssertionError with the output."""
    first, last = stages(source / "Dockerfile")
    context, place = folder / "context", folder / "opt"
    take_context(context, source)
    early, late = _halves(first)
    shutil.copytree(_requirements(first, early, context), place, symlinks=True)
    _play(first, late, context, place)
    _keep(place, last)
    return Image(place, last)


def _halves(stage: Stage) -> tuple[Steps, Steps]:
    """Part what installs the requirements from what comes with our own code, copied last."""
    copies = [place for place, (kind, _) in enumerate(stage.steps) if kind == "COPY"]
    return stage.steps[: copies[-1]], stage.steps[copies[-1] :]


def _requirements(stage: Stage, early: Steps, context: Path) -> Path:
    """Play what comes before our own code once, and keep it, as Docker keeps its layers."""
    copied = [context / rest.split()[0] for kind, rest in early if kind == "COPY"]
    files = [file for place in copied for file in (*place.glob("*"), place) if file.is_file()]
    parts = [str(early), sys.version, *(file.read_text() for file in sorted(files))]
    layer = cache_folder() / f"image-{hashlib.sha256(''.join(parts).encode()).hexdigest()[:16]}"
    with layer.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not layer.exists():
            made = layer.with_suffix(".new")
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir()
            _play(stage, early, context, made)
            made.rename(layer)
    return layer


def _play(stage: Stage, steps: Steps, context: Path, place: Path) -> None:
    script = ["set -e", _kept_seen(place), *_mounts(place)]
    script += [f"mkdir -p {stage.workdir}", f"cd {stage.workdir}"]
    script += [rest if kind == "RUN" else _copy(context, rest) for kind, rest in steps]
    build = subprocess.Popen(
        [*NAMESPACE, "sh", "-c", "\n".join(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # so that all of it can be ended together
        env={**os.environ, "PATH": f"{_python()}:{SYSTEM}", **stage.environment},
    )
    try:
        output, _ = build.communicate(timeout=BUILD_SECONDS)
    except BaseException:
        os.killpg(build.pid, signal.SIGKILL)
        build.communicate()
        raise
    assert build.returncode == 0, output


def take_context(folder: Path, source: Path = ROOT) -> None:
    """Copy what the .dockerignore of a source lets through."""
    for line in (source / ".dockerignore").read_text().splitlines():
        if not line.startswith("!"):
            assert line in {"*", "**/__pycache__"}, f"teach tests/install to play {line}"
            continue
        found, target = source / line[1:], folder / line[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        if found.is_dir():
            shutil.copytree(found, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(found, target)


def _copy(context: Path, rest: str) -> str:
    source, target = rest.split()
    inside = "/." if (context / source).is_dir() else ""
    return f"mkdir -p {target} && cp -a {context / source}{inside} {target}"


def _keep(place: Path, last: Stage) -> None:
    """Leave only what the last stage copies from the first."""
    copied = [rest for kind, rest in last.steps if kind == "COPY"]
    kept = {rest.split()[1] for rest in copied}
    assert all(rest.startswith("--from=build /opt/") for rest in copied)
    for entry in place.iterdir():
        if f"/opt/{entry.name}" not in kept | {"/opt/python"}:
            shutil.rmtree(entry)


def _kept_seen(place: Path) -> str:
    """Let the build see what this machine has below /opt: pip may be told to look there."""
    theirs = [entry for entry in Path("/opt").iterdir() if entry.is_dir()]
    made = [f"mkdir -p {place / e.name}; mount --bind {e} {place / e.name}" for e in theirs]
    return "; ".join(made) or ":"


def _mounts(place: Path) -> list[str]:
    """Mount the image's /opt, and this machine's Python where another user cannot get at it."""
    made = [f"mount --rbind {place} /opt"]
    if _python() == MOVED:
        made.append(f"mkdir -p /opt/python && mount --bind {sys.base_prefix} /opt/python")
    return made


def _python() -> str:
    """Where the container finds its Python."""
    prefix = Path(sys.base_prefix)
    hidden = any(not parent.stat().st_mode & 0o001 for parent in (prefix, *prefix.parents))
    return MOVED if hidden else str(prefix / "bin")


def _as_user(user: str) -> list[str]:
    """Become the image's user, and drop every right; without root we stay who we are."""
    uid, gid = user.split(":")
    who = [f"--reuid={uid}", f"--regid={gid}", "--clear-groups"] if os.geteuid() == 0 else []
    return ["setpriv", *who, "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
