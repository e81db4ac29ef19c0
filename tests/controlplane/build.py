"""Builds the control plane program once per version of its sources.

The program is etcd, kube-apiserver, kube-controller-manager and kubectl in one file; a build from
nothing takes about seven minutes on two cores. Run it ahead of the tests with
`python -m tests.controlplane.build`; it needs the standard library only, because it runs before
the project's dependencies are installed.
"""

import re
import sys
from pathlib import Path
from typing import Final, TextIO

from tests.programs.program import Program, main
from tests.programs.toolchain import BuildError

SOURCES: Final = Path(__file__).parent


def kubernetes_version(sources: Path = SOURCES) -> str:
    """Version of Kubernetes in go.mod, such as `v1.37.2`.

    Raises:
        BuildError: go.mod does not require k8s.io/kubernetes.

    """
    found = re.search(r"k8s\.io/kubernetes (v\S+)", (sources / "go.mod").read_text())
    if found is None:
        raise BuildError(f"{sources / 'go.mod'} does not require k8s.io/kubernetes; add it")
    return found[1]


def _stamps() -> tuple[tuple[str, str], ...]:
    version = kubernetes_version()
    major, minor, _ = version.removeprefix("v").split(".", 2)
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    prefix = "k8s.io/component-base/version"
    return tuple((f"{prefix}.{name}", value) for name, value in stamps.items())


PROGRAM: Final = Program(
    "controlplane",
    "control plane",
    SOURCES,
    _stamps(),
    "the build needs about 6 GiB of disk and 4 GiB of memory",
)


def ensure_built(stream: TextIO = sys.stderr) -> Path:
    """Path of the program; builds it first when it is missing, with progress on the stream.

    Raises:
        BuildError: it cannot be built; the message says what to do.

    """
    return PROGRAM.ensure_built(stream)


if __name__ == "__main__":
    sys.exit(main(PROGRAM))
