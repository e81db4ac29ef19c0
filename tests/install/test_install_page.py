"""What docs/install.md shows is run by the tests, or cannot be here, for a reason."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from rollout.cli.manifests import objects
from tests.controlplane.build import ensure_built
from tests.install.installed import MANIFESTS, ROOT
from tests.install.pages import commands

IN_CLUSTER = (ROOT / "tests" / "install" / "test_in_cluster.py").read_text()
NOT_RUN = {
    "pipx install ": "tests/system/test_readme.py installs into a fresh environment",
    "rollout completion ": "tests/cli/test_completion.py has a real bash complete",
    "docker build ": "there is no Docker: the Dockerfile is played, see tests/install/image.py",
    "docker push ": "there is no registry",
    "kubectl --namespace rollout-system logs ": "there is no kubelet to ask for a log",
    "rollout start ": "tests/scenarios starts many",
}


def test_every_command_of_the_page_is_run_or_cannot_be() -> None:
    shown = list(commands("install.md"))
    run = re.findall(r'command\("install\.md", "(.*?)"\)', IN_CLUSTER)
    known = [*run, *NOT_RUN]
    assert [line for line in shown if not line.startswith(tuple(known))] == []
    assert [word for word in known if not any(line.startswith(word) for line in shown)] == []


@pytest.mark.controlplane
def test_the_overlay_of_the_page_sets_the_image(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "install.md").read_text()
    text = page.partition("```yaml\n")[2].partition("```")[0]
    overlay = yaml.safe_load(text)
    (base,) = overlay["resources"]
    assert base.endswith("manifests/install")
    (tmp_path / "base").symlink_to(MANIFESTS.parent)
    (tmp_path / "mine").mkdir()
    file = tmp_path / "mine" / "kustomization.yaml"
    file.write_text(text.replace(base, "../base/install"))
    done = subprocess.run(
        [ensure_built(sys.stderr), "kubectl", "kustomize", str(file.parent)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "image: registry.example.com/rollout:0.1.0\n" in done.stdout


def test_every_kind_that_is_installed_is_on_the_page() -> None:
    page = (ROOT / "docs" / "install.md").read_text()
    kinds = {body["kind"] for body in objects()} - {"Role", "RoleBinding", "ClusterRoleBinding"}
    assert [kind for kind in kinds if kind not in page] == []
