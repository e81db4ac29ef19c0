"""The real Helm, away from the files of whoever runs the tests."""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from tests.charts.build import HELM
from tests.install.installed import ROOT, Loader

CHARTS: Final = ROOT / "manifests" / "charts"
AGENT: Final = CHARTS / "gemini-agent"
CONTROLLER: Final = CHARTS / "rollout"
KUBERNETES: Final = "1.37"
TIMEOUT: Final = 120.0
Tree: TypeAlias = list[dict[str, Any]]


@dataclass(frozen=True)
class Release:
    """A release of a chart: its name, where it is, and the options that say its values."""

    chart: Path
    name: str
    namespace: str
    options: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """How it is said to Helm."""
        return (self.name, str(self.chart), "--namespace", self.namespace, *self.options)


@dataclass(frozen=True)
class Helm:
    """Runs Helm; `kubeconfig` says against which cluster, None for none."""

    kubeconfig: Path | None = None
    home: Path = field(default_factory=lambda: Path(tempfile.gettempdir()) / "no-helm-home")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command; gives exit code and both outputs."""
        return subprocess.run(
            [str(HELM.path), *arguments],
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    def do(self, *arguments: str) -> str:
        """Run a command that must go well; gives what it prints."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"helm {' '.join(arguments)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command, for what is to happen meanwhile."""
        return subprocess.Popen(
            [str(HELM.path), *arguments],
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _environment(self) -> Mapping[str, str]:
        own = {f"HELM_{kind}_HOME": str(self.home) for kind in ("CONFIG", "CACHE", "DATA")}
        place = {"KUBECONFIG": str(self.kubeconfig or ""), "HOME": str(self.home)}
        return {"PATH": os.environ["PATH"], **place, **own}

    def template(self, release: Release, *, tests: bool = False) -> Tree:
        """Render a chart, without its tests unless they are asked for."""
        left_out = () if tests else ("--skip-tests",)
        said = self.do("template", *release.words, *left_out, "--kube-version", KUBERNETES)
        return [body for body in yaml.load_all(said, Loader) if body is not None]

    def refusal(self, release: Release) -> str:
        """Give what Helm says against values that it must refuse."""
        done = self.run("template", *release.words)
        assert done.returncode != 0, done.stdout
        return done.stderr
