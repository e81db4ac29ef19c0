"""What docs/install.md shows besides its commands: the overlays, what is created, what stays."""

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from rollout.cli.manifests import Extra, objects
from tests.controlplane.build import ensure_built
from tests.install.installed import MANIFESTS, ROOT, kustomized


def overlays() -> list[str]:
    """The Kustomizations that the page shows."""
    page = (ROOT / "docs" / "install.md").read_text()
    return re.findall(r"^```yaml\n(apiVersion: kustomize.*?)^```", page, re.MULTILINE | re.DOTALL)


def made_of(text: str, folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """What Kustomize makes of an overlay that lies beside a checkout of ours."""
    (folder / "rollout").mkdir()
    (folder / "rollout" / "manifests").symlink_to(MANIFESTS.parent)
    (folder / "mine").mkdir()
    (folder / "mine" / "kustomization.yaml").write_text(text)
    return named(kustomized(ensure_built(sys.stderr), folder / "mine"))


def named(bodies: Iterable[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(body["kind"], body["metadata"]["name"]): body for body in bodies}


@pytest.mark.controlplane
def test_the_overlay_of_the_page_sets_the_image(tmp_path: Path) -> None:
    first, _ = overlays()
    found = made_of(first, tmp_path)
    assert found == named(objects(image="registry.example.com/rollout:0.1.0"))


@pytest.mark.controlplane
def test_the_overlay_for_one_namespace_is_what_the_command_prints(tmp_path: Path) -> None:
    _, second = overlays()
    found = made_of(second, tmp_path)
    assert found == named(objects(watched="shop", extras=[Extra.NETWORK_POLICY]))


def test_what_stays_the_clusters_has_its_reason_and_nothing_else_does() -> None:
    page = (ROOT / "docs" / "install.md").read_text()
    table = page.partition("| object | why |\n|---|---|\n")[2].partition("\n\n")[0]
    rows = [row.strip("|").split(" | ") for row in table.splitlines()]
    assert all(len(reason) > 20 for _, reason in rows)
    told = {kind for cell, _ in rows for kind in re.findall(r"\b[A-Z][A-Za-z]+", cell)}
    stays = [one for one in objects(watched="shop") if "namespace" not in one["metadata"]]
    assert told == {one["kind"] for one in stays}
    named_there = {name for cell, _ in rows for name in re.findall(r"`([a-z-]+)`", cell)}
    roles = {one["metadata"]["name"] for one in stays if "Role" in one["kind"]}
    assert named_there == roles | {"rollout-system"}


def test_every_kind_that_is_installed_is_on_the_page() -> None:
    page = (ROOT / "docs" / "install.md").read_text()
    kinds = {body["kind"] for body in objects(extras=list(Extra))} - {
        "Role",
        "RoleBinding",
        "ClusterRoleBinding",
    }
    assert [kind for kind in kinds if kind not in page] == []
