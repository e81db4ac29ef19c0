"""The AppProject, judged by Argo CD's own code: what it lets a sync write, and whom do what."""

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from rollout.resources.action import ActionType
from rollout.resources.writes import Object
from tests.examples.trees import EXAMPLE, KNOWN, OVERLAYS, Tree, build
from tests.gitops.build import ARGO_CD
from tests.gitops.manifests import application, kustomized, project
from tests.gitops.parts import answers

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]

ON_CALL, RELEASE, OTHERS = "shop-on-call", "shop-release", "shop-developers"
BUTTONS: Final = {
    **{f"action/rollout.dev/Release/{asked}": {RELEASE} for asked in ActionType},
    "action/rollout.dev/Rollout/retry": {RELEASE},
}
STOPS: Final = {ActionType.PAUSE, ActionType.RESUME, ActionType.ROLLBACK}
GRANTED: Final = {
    "get": {ON_CALL, RELEASE},
    **BUTTONS,
    **{f"action/rollout.dev/Release/{asked}": {ON_CALL, RELEASE} for asked in STOPS},
}
"""Who may do it to the applications of the project; nobody may do anything else."""
NOBODY: Final = (
    *("sync", "override", "delete", "create", "update"),
    *("action/apps/Deployment/restart", "action/apps/Deployment/pause"),
    *("delete/rollout.dev/Rollout/shop/checkout", "update/rollout.dev/Release/shop/checkout"),
)


@pytest.fixture(scope="module")
def trees(kubectl_program: Path) -> dict[str, Tree]:
    return {name: build(kubectl_program, EXAMPLE / "overlays" / name) for name in OVERLAYS}


def refused(objects: Iterable[Object], namespace: str, folder: Path) -> list[str]:
    """What a sync into a namespace says to each object: empty where it goes through."""
    arguments = given(folder, project(namespace), application(namespace))
    return [one["refused"] for one in answers(ARGO_CD, ["project", *arguments], objects)]


def given(folder: Path, project: Object, application: Object) -> list[str]:
    arguments = []
    for name, body in (("project", project), ("application", application)):
        file = folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump(dict(body)))
        arguments += [f"-{name}", str(file)]
    return arguments


def said(folder: Path, project: Object, application: Object) -> str:
    """What Argo CD says to an Application in a project."""
    done = subprocess.run(
        [ARGO_CD.ensure_built(), "project", *given(folder, project, application)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.stderr.strip()


@pytest.mark.parametrize("name", OVERLAYS)
def test_all_of_the_sample_service_goes_through(
    trees: dict[str, Tree], name: str, tmp_path: Path
) -> None:
    tree = trees[name]
    found = refused(tree, KNOWN[name].namespace, tmp_path)
    assert len(found) == len(tree) > 5
    assert set(found) == {""}


def test_nothing_outside_the_namespace_goes_through_that_the_sample_service_does_not_have(
    trees: dict[str, Tree],
) -> None:
    outside = {
        body["kind"]
        for tree in trees.values()
        for body in tree
        if "namespace" not in body["metadata"]
    }
    listed = project()["spec"]["clusterResourceWhitelist"]
    assert listed == [{"group": "", "kind": kind} for kind in outside] != []


def test_without_the_line_for_it_the_namespace_would_not_go_through(
    trees: dict[str, Tree], tmp_path: Path
) -> None:
    body = project(KNOWN["staging"].namespace)
    without = {**body, "spec": {**body["spec"], "clusterResourceWhitelist": []}}
    arguments = given(tmp_path, without, application(KNOWN["staging"].namespace))
    found = answers(ARGO_CD, ["project", *arguments], trees["staging"])
    wanted = "resource :Namespace is not permitted in project shop"
    assert {one["refused"] for one in found} == {"", wanted}


def test_an_overlay_of_another_namespace_is_refused(trees: dict[str, Tree], tmp_path: Path) -> None:
    found = refused(trees["production"], KNOWN["staging"].namespace, tmp_path)
    wanted = f"namespace {KNOWN['production'].namespace} is not permitted in project 'shop'"
    assert set(found) == {"", wanted}
    assert found.count("") == 1  # its Namespace, which has no namespace


def test_a_repository_cannot_give_itself_more(tmp_path: Path) -> None:
    """What Argo CD is given comes from an administrator: none of it goes through the project."""
    found = refused(kustomized(), "shop", tmp_path)
    assert len(found) == len(kustomized()) > 4
    assert "" not in found


def test_argo_cd_takes_the_project_and_the_application_in_it(tmp_path: Path) -> None:
    assert said(tmp_path, project(), application()) == ""


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"project": "other"}, "the application is of project other, not shop"),
        (
            {"source": {"repoURL": "https://git.example.com/other.git", "path": "."}},
            "application repo https://git.example.com/other.git is not permitted in project 'shop'",
        ),
        (
            {"destination": {**application()["spec"]["destination"], "namespace": "other"}},
            "namespace other is not permitted in project 'shop'",
        ),
        (
            {"destination": {"server": "https://other.example.com", "namespace": "shop"}},
            "namespace shop is not permitted in project 'shop'",
        ),
    ],
    ids=["of another project", "from elsewhere", "to another namespace", "to another cluster"],
)
def test_another_application_is_not_taken(
    changes: dict[str, Any], wanted: str, tmp_path: Path
) -> None:
    body = {**application(), "spec": {**application()["spec"], **changes}}
    assert said(tmp_path, project(), body) == wanted


def test_each_role_may_do_what_it_says_and_nothing_else(tmp_path: Path) -> None:
    wishes = [
        {"groups": [group], "resource": "applications", "action": action, "object": f"{where}/shop"}
        for group in (ON_CALL, RELEASE, OTHERS)
        for action in (*GRANTED, *NOBODY)
        for where in ("shop", "other")
    ]
    file = given(tmp_path, project(), application())[:2]
    for wish, said in zip(wishes, answers(ARGO_CD, ["can", *file], wishes), strict=True):
        mine = wish["object"] == "shop/shop"
        granted = mine and wish["groups"][0] in GRANTED.get(str(wish["action"]), set())
        assert said["granted"] is granted, wish
