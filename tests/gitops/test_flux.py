"""Flux's own apply engine every second, while releases run on the real control plane."""

import json
import re
import time
from pathlib import Path

import pytest
import yaml

from rollout.resources.release import Phase
from rollout.resources.words import FLUX_DISABLED, FLUX_RECONCILE
from rollout.resources.writes import Kind, Object
from tests.gitops.build import FLUX
from tests.gitops.delivery import ByFlux
from tests.gitops.parts import answers
from tests.gitops.test_argocd import (
    BAD,
    ENDS,
    GOOD,
    pinned,
    requests_were_answered,
    running,
    target,
    weight,
)
from tests.scenarios.commits import ready, releases
from tests.scenarios.stage import Server
from tests.scenarios.test_commits import QUIET_SECONDS, await_, image, outcome, said
from tests.scenarios.test_scenarios import real

__all__ = ["real"]
pytestmark = [pytest.mark.system, pytest.mark.controlplane, pytest.mark.timeout(240)]


def test_the_git_loop(real: Server, namespace: str, tmp_path: Path) -> None:
    """Flux takes no selector back while a release runs, and brings all else as ever."""
    with ByFlux(real, namespace, tmp_path) as stage:
        stage.start_controller()
        await_(lambda: ready(stage) == "WaitsForTemplate")
        stage.repository.image(GOOD)
        await_(lambda: running(stage, GOOD) and weight(stage) > 0)
        ask(stage, "pause")
        a_helm_release_would_take_the_selector_only(stage)
        the_service_is_left_alone(stage)
        git_forgets_the_service_and_something(stage)
        assert "status: 'InProgress'" in waits(stage, 3)
        ask(stage, "resume")
        await_(lambda: outcome(stage) == ENDS[:1], 90)
        the_service_is_its_owners(stage)
        assert waits(stage, 10) == ""
        stage.repository.image(BAD)
        await_(lambda: outcome(stage) == ENDS, 90)
        await_(lambda: "status: 'Failed'" in waits(stage, 10))
        stage.repository.revert()
        await_(lambda: ready(stage) == "WaitsForTemplate")
        time.sleep(QUIET_SECONDS)
        assert outcome(stage) == ENDS, said(stage)
        assert image(target(stage)).endswith(GOOD)
        nothing_was_fought_over(stage)
        assert stage.stop_controller() == 0, stage.log()


def ask(stage: ByFlux, action: str) -> None:
    done = stage.cli(action, "web", "--reason", "to look at it")
    assert done.returncode == 0, done.stderr


def a_helm_release_would_take_the_selector_only(stage: ByFlux) -> None:
    """What its drift detection finds, of the same objects, and what with the rules of the page."""
    whole: dict[str, list[str]] = {
        name: []
        for name in (
            *("ConfigMap/notes", "Deployment/web", "Ingress/web"),
            *("Rollout/web", "Service/web"),
        )
    }
    assert drift(stage, []) == {**whole, "Service/web": ["/spec/selector/pod-template-hash"]}
    page = (Path(__file__).parents[2] / "docs" / "helm.md").read_text()
    (shown,) = re.findall(r"```yaml\n(spec:\n  driftDetection:.*?)```", page, re.DOTALL)
    assert drift(stage, yaml.safe_load(shown)["spec"]["driftDetection"]["ignore"]) == whole


def drift(stage: ByFlux, rules: list[Object]) -> dict[str, list[str]]:
    place = ("-kubeconfig", str(stage.server.kubeconfig), "-namespace", stage.namespace)
    words = ["drift", *place, "-ignore", json.dumps(rules)]
    (found,) = answers(FLUX, words, stage.repository.rendered())
    return dict(found)


def the_service_is_left_alone(stage: ByFlux) -> None:
    """Selector and word to Flux are there together, and Flux heeds it."""
    found = service(stage)
    assert pinned(found) is not None
    assert found["metadata"]["annotations"][FLUX_RECONCILE] == FLUX_DISABLED
    await_(lambda: any("Service/" in one for one in stage.tool.said()[-1]["skipped"]))
    stage.label_service("other")
    time.sleep(2.5)
    assert stage.team() == "other"


def git_forgets_the_service_and_something(stage: ByFlux) -> None:
    """Flux deletes what is no longer in Git, but not the Service, also when it comes back."""
    uid = service(stage)["metadata"]["uid"]
    stage.repository.remove("ConfigMap")
    stage.repository.remove("Service")
    await_(lambda: any(one["pruned"] for one in stage.tool.said()))
    await_(lambda: any(one["kept"] for one in stage.tool.said()))
    pruned = [done for one in stage.tool.said() for done in one["pruned"]]
    kept = [done for one in stage.tool.said() for done in one["kept"]]
    assert pruned == [f"ConfigMap/{stage.namespace}/notes"]
    assert kept == [f"Service/{stage.namespace}/web"]
    stage.repository.revert()
    await_(lambda: any("Service/" in one for one in stage.tool.said()[-1]["skipped"]))
    assert service(stage)["metadata"]["uid"] == uid


def waits(stage: ByFlux, seconds: float) -> str:
    """What Flux says to the health checks of the page after at most so many seconds."""
    page = (Path(__file__).parents[2] / "docs" / "git.md").read_text()
    (shown,) = re.findall(r"```yaml\n(spec:\n  wait:.*?)```", page, re.DOTALL)
    spec = yaml.safe_load(shown)["spec"]
    assert spec["wait"] is False
    (check,) = spec["healthChecks"]
    here = {**check, "name": "web", "namespace": stage.namespace}
    words = ["wait", "-kubeconfig", str(stage.server.kubeconfig), "-timeout", f"{seconds}s"]
    (found,) = answers(FLUX, words, [here])
    return str(found["error"])


def the_service_is_its_owners(stage: ByFlux) -> None:
    """Afterwards Flux has its way again, also with what was changed meanwhile."""
    await_(lambda: stage.team() == "shop")
    found = service(stage)
    assert pinned(found) is None
    assert FLUX_RECONCILE not in (found["metadata"].get("annotations") or {})
    assert stage.tool.said()[-1]["skipped"] == []


def nothing_was_fought_over(stage: ByFlux) -> None:
    requests_were_answered(stage)
    assert all(release.status.contests == {} for release in releases(stage))
    assert {release.status.phase for release in releases(stage)} == {
        Phase.SUCCEEDED,
        Phase.ROLLED_BACK,
    }
    assert [one["error"] for one in stage.tool.said() if one.get("error")] == []


def service(stage: ByFlux) -> Object:
    found = stage.get(Kind.SERVICE, "web")
    assert found is not None
    return found
