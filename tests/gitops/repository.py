"""A Git repository with the manifests of a service, and who commits to it."""

import os
import subprocess
from pathlib import Path
from typing import Final

import yaml

from rollout.resources.writes import Object

FOLDER: Final = "production"
WHO: Final = {
    "GIT_AUTHOR_NAME": "ana",
    "GIT_AUTHOR_EMAIL": "ana@example.com",
    "GIT_COMMITTER_NAME": "ana",
    "GIT_COMMITTER_EMAIL": "ana@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


class Repository:
    """A real repository, by the real git."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifests = folder / FOLDER
        self.manifests.mkdir(parents=True)
        self._git("init", "--quiet", "--initial-branch=main")

    @property
    def head(self) -> str:
        """The newest commit."""
        return self._git("rev-parse", "HEAD").strip()

    def commit(self, message: str, *bodies: Object) -> str:
        """Commit these objects, a file each; gives the revision."""
        for body in bodies:
            text = yaml.safe_dump(dict(body), sort_keys=False)
            (self.manifests / f"{body['kind'].lower()}.yaml").write_text(text)
        self._git("add", "--all")
        self._git("commit", "--quiet", f"--message={message}")
        return self.head

    def image(self, tag: str) -> str:
        """Commit another image tag in the Deployment; gives the revision."""
        file = self.manifests / "deployment.yaml"
        body = yaml.safe_load(file.read_text())
        container = body["spec"]["template"]["spec"]["containers"][0]
        container["image"] = f"{container['image'].rpartition(':')[0]}:{tag}"
        return self.commit(f"Ship {tag}", body)

    def revert(self) -> str:
        """Take the newest commit back by another; gives the revision."""
        self._git("revert", "--no-edit", "HEAD")
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
