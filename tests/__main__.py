"""All checks of the project, from nothing: `python3 -m tests` (`--fast`: about a minute).

Needs Python 3.11 with venv, and nothing else: it makes `.venv` from the locked requirements,
builds the real control plane, Helm, parts of Argo CD and Flux, and the controllers of Argo Rollouts
and Flagger, and fails when a real part is missing. On 2 cores these builds take 15 to 20 minutes,
once; with all of them cached the whole takes 18 to 20 minutes.
This file is run by the system's Python, so it uses the standard library only.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / ".ci" / "requirements.txt"
STAMP = VENV / "requirements.sha256"
SYSTEM = "controlplane or system"
SWEEP = "sweep"
SPREAD = ("--dist", "worksteal")  # long tests must not wait behind each other
SCHEMA = "tests/server/test_schema.py"
PLAIN = ("-p", "no:schemathesis", f"--ignore={SCHEMA}")
"""Without that file and its plugin, which take seconds to be read, in each process."""
LEFT_OVER = ("chrt", "--idle", "0") if shutil.which("chrt") else ("nice", "-n", "19")
"""With what no other process needs of a core, and gone from it the moment that one does."""
PATIENT = ("--timeout", "600")
CHECKS = {
    "format": ["ruff", "format", "--check", "."],
    "lint": ["ruff", "check", "."],
    "types": ["mypy"],
    "imports": ["lint-imports"],
    "images": ["hadolint", "Dockerfile", "manifests/examples/gemini-agent/service/Dockerfile"],
}


def main() -> int:
    """Set up, then run every check; the first that fails ends the run with its exit code."""
    arguments = _arguments()
    started = time.monotonic()
    set_up()
    build = None if arguments.fast else _start_build()
    try:
        for name, command in CHECKS.items():
            run(name, [str(VENV / "bin" / command[0]), *command[1:]])
        unit = ("-n", "4", *PLAIN, *SPREAD, "-m", f"not ({SYSTEM} or {SWEEP})")
        run("unit tests", [*_pytest(), *unit])
        if build is not None:
            _run_the_rest(build, arguments.workers)
    finally:
        if build is not None and build.poll() is None:
            build.terminate()
    print(f"all checks passed in {time.monotonic() - started:.0f} s", flush=True)
    return 0


def _run_the_rest(build: subprocess.Popen[bytes], workers: str) -> None:
    """Run the tests of real parts, and beside them what needs none that must be built."""
    beside = {
        "every place there is": [*LEFT_OVER, *_pytest(), "-n", "2", *PATIENT, *PLAIN, "-m", SWEEP],
        "the API by its schema": [*_pytest(), SCHEMA],
    }
    with aside(beside):
        _await_build(build)
        run("real parts", [*_pytest(), "-n", workers, *PLAIN, *SPREAD, "-m", SYSTEM])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m tests", description=__doc__)
    parser.add_argument(
        "--fast", action="store_true", help="format, lint, types, imports and unit tests only"
    )
    parser.add_argument(
        "--workers", default="6", help="processes for the tests of real parts, which mostly wait"
    )
    return parser.parse_args()


def set_up() -> None:
    """Make `.venv` hold what the lock file says, unless it does already."""
    wanted = hashlib.sha256(LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if STAMP.is_file() and STAMP.read_text() == wanted:
        return
    if not PYTHON.exists():
        _make_environment()
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run("requirements", [*pip, "--require-hashes", "-r", str(LOCK)])
    run("package", [*pip, "--no-deps", "-e", str(ROOT)])
    STAMP.write_text(wanted)


def _make_environment() -> None:
    try:
        venv.create(VENV, with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(
            f"cannot make {VENV}: {error}\n"
            "On Debian and Ubuntu: apt-get install python3-venv, then remove .venv and try again."
        )


def _start_build() -> subprocess.Popen[bytes]:
    """Build the programs in Go while the quick checks run; they are cached outside the tree."""
    return subprocess.Popen([str(PYTHON), "-m", "tests.programs"], cwd=ROOT)


def _await_build(build: subprocess.Popen[bytes]) -> None:
    if build.wait(timeout=3600) != 0:
        sys.exit("the real control plane, or what stands around it, cannot be built: see above")


def _pytest() -> list[str]:
    return [str(PYTHON), "-m", "pytest", "-q"]


@contextmanager
def aside(checks: dict[str, list[str]]) -> Iterator[None]:
    """Run checks beside others; their output comes when all are done."""
    with ExitStack() as stack:
        begun = {name: stack.enter_context(_begun(command)) for name, command in checks.items()}
        yield
        codes = [_told(name, *check) for name, check in begun.items()]
    if any(codes):
        sys.exit(max(codes))


@contextmanager
def _begun(command: list[str]) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    with TemporaryFile() as output:
        check = subprocess.Popen(
            command, cwd=ROOT, env=_environment(), stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield check, output
        finally:
            check.kill()


def _told(name: str, check: subprocess.Popen[bytes], output: IO[bytes]) -> int:
    code = check.wait(timeout=3600)
    output.seek(0)
    print(f"--- {name}\n{output.read().decode()}", flush=True)
    ended = "passed" if code == 0 else f"failed with exit code {code}"
    print(f"--- {name} {ended}, beside the others", flush=True)
    return abs(code)


def run(name: str, command: list[str]) -> None:
    """Run one check from the root of the project; exit with its code when it fails."""
    print(f"--- {name}", flush=True)
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, check=False, env=_environment())
    if done.returncode != 0:
        print(f"--- {name} failed with exit code {done.returncode}", flush=True)
        sys.exit(done.returncode)
    print(f"--- {name}: {time.monotonic() - started:.0f} s", flush=True)


def _environment() -> dict[str, str]:
    """Give this environment, with our programs first, and modules compiled once, not by each."""
    path = f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PATH": path}


if __name__ == "__main__":
    sys.exit(main())
