"""A Git repository with a service as Kustomize has it, base and overlay, and who commits to it."""

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from rollout.resources.writes import Object
from tests.shop import IMAGE

FOLDER: Final = "production"
"""The overlay: what `manifests/argocd/application.yaml` has as its path."""
KUSTOMIZATION: Final = "kustomization.yaml"
RENDER: Final = """#!/bin/sh -e
# Argo CD's repo server and Flux's controllers do so: a revision, as Kustomize makes of it.
at=$(mktemp -d)
trap 'rm -r "$at"' EXIT
git -C {repository} archive "$1" | tar -x -C "$at"
{kubectl} kubectl kustomize "$at/$2"
"""
WHO: Final = {
    "GIT_AUTHOR_NAME": "ana",
    "GIT_AUTHOR_EMAIL": "ana@example.com",
    "GIT_COMMITTER_NAME": "ana",
    "GIT_COMMITTER_EMAIL": "ana@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


class Repository:
    """A real repository, by the real git. `kubectl` is the program that is kubectl as well."""

    def __init__(self, folder: Path, kubectl: Path) -> None:
        self.folder = folder
        self._base, self._overlay = folder / "base", folder / FOLDER
        for each in (self._base, self._overlay):
            each.mkdir(parents=True)
        self._git("init", "--quiet", "--initial-branch=main")
        self.render = folder.with_name("render")
        """Prints what a folder comes to at a revision: the two are its arguments."""
        words = {"repository": folder, "kubectl": kubectl}
        quoted = {name: shlex.quote(str(path)) for name, path in words.items()}
        self.render.write_text(RENDER.format(**quoted))
        self.render.chmod(0o755)

    @property
    def head(self) -> str:
        """The newest commit."""
        return self._git("rev-parse", "HEAD").strip()

    def begin(self, *bodies: Object) -> str:
        """Commit these objects as the base, a file each, and an overlay; gives the revision."""
        for body in bodies:
            _write(self._base / _file(body["kind"]), body)
        _write(self._overlay / KUSTOMIZATION, {"resources": ["../base"]})
        return self._commit_base("The shop")

    def remove(self, kind: str) -> str:
        """Commit that there is no object of a kind any more; gives the revision."""
        (self._base / _file(kind)).unlink()
        return self._commit_base(f"Remove the {kind}")

    def image(self, tag: str) -> str:
        """Commit another image tag in the overlay; gives the revision."""
        images = [{"name": IMAGE, "newTag": tag}]
        body = {"resources": ["../base"], "images": images}
        _write(self._overlay / KUSTOMIZATION, body)
        return self._commit(f"Ship {tag}")

    def rendered(self) -> list[Object]:
        """Give what the overlay comes to at the newest commit."""
        command = [str(self.render), self.head, FOLDER]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        return list(yaml.safe_load_all(done.stdout))

    def revert(self) -> str:
        """Take the newest commit back by another; gives the revision."""
        self._git("revert", "--no-edit", "HEAD")
        return self.head

    def _commit_base(self, message: str) -> str:
        files = sorted({file.name for file in self._base.glob("*.yaml")} - {KUSTOMIZATION})
        _write(self._base / KUSTOMIZATION, {"resources": files})
        return self._commit(message)

    def _commit(self, message: str) -> str:
        self._git("add", "--all")
        self._git("commit", "--quiet", f"--message={message}")
        return self.head

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env={**os.environ, **WHO},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, f"git {arguments[0]}: {done.stderr}"
        return done.stdout


def _file(kind: str) -> str:
    return f"{kind.lower()}.yaml"


def _write(file: Path, body: Object | dict[str, Any]) -> None:
    file.write_text(yaml.safe_dump(dict(body), sort_keys=False))
