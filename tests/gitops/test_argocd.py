"""The Git loop with Argo CD's own engine on the real control plane: self-heal fights all the while.

Real git, real controller, real HTTP traffic through a real Envoy, every answer counted.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rollout.resources.release import Phase
from rollout.resources.writes import Kind, Object
from tests.controlplane.access import Access
from tests.gitops.delivery import ByArgoCD, Delivered
from tests.scenarios.commits import ready, releases, tag_of
from tests.scenarios.stage import Server, Stage
from tests.scenarios.test_commits import QUIET_SECONDS, await_, image, outcome, said
from tests.scenarios.test_scenarios import real

__all__ = ["real"]
pytestmark = [pytest.mark.system, pytest.mark.controlplane, pytest.mark.timeout(240)]

SERVER_SIDE = "ServerSideApply=true"
GOOD, BAD = "v2", "v3-errors10"
ENDS = ("v2 Succeeded Succeeded", "v3-errors10 RolledBack VerdictFail")
WAYS = {
    "by the server": {},
    "by the client": {"without": (SERVER_SIDE,)},
    "by the server, everything at each look": {"everything": True},
    "by the client, everything at each look": {"everything": True, "without": (SERVER_SIDE,)},
}


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_the_git_loop(
    way: dict[str, object], control_plane: Access, real: Server, namespace: str, tmp_path: Path
) -> None:
    """Commit, sync, canary, out; a bad one: back, and not tried again; its revert: no release."""
    with ByArgoCD(real, namespace, tmp_path, **way) as stage:  # type: ignore[arg-type]
        stage.start_controller()
        await_(lambda: ready(stage) == "WaitsForTemplate")
        await_(lambda: set(stage.health().values()) == {"Healthy"})
        good(stage, control_plane)
        bad(stage)
        reverted(stage)
        nothing_was_fought_over(stage)
        assert stage.stop_controller() == 0, stage.log()


def good(stage: ByArgoCD, control_plane: Access) -> None:
    """A changed tag is a release; who waits for the Deployment is told when it is out."""
    stage.repository.image(GOOD)
    await_(lambda: running(stage, GOOD))
    with ThreadPoolExecutor(1) as aside:
        status = ("rollout", "status", "deployment/web", "--timeout=90s")
        waits = aside.submit(control_plane.kubectl, *status, namespace=stage.namespace)
        await_(lambda: weight(stage) > 0)
        assert not waits.done()
        somebody_meddles(stage)
        if not stage.everything:
            git_forgets_something(stage)
        await_(lambda: stage.health()["Rollout/web"] == "Progressing")
        await_(lambda: outcome(stage) == ENDS[:1], 90)
        assert "successfully rolled out" in waits.result(30).stdout
    await_(lambda: ready(stage) == "WaitsForTemplate")
    await_(lambda: set(stage.health().values()) == {"Healthy"})


def somebody_meddles(stage: ByArgoCD) -> None:
    """Self-heal has something to heal on the very objects that the release has changed."""
    stage.label_service("other")
    stage.patch(Kind.DEPLOYMENT, "web", {"spec": {"revisionHistoryLimit": 3}})
    await_(lambda: stage.team() == "shop" and target(stage)["spec"]["revisionHistoryLimit"] == 7)


def git_forgets_something(stage: ByArgoCD) -> None:
    """What is no longer in Git is pruned, and nothing else is: the release's own objects stay."""
    assert stage.get(Kind.CONFIG_MAP, "notes") is not None
    revision = stage.repository.remove("ConfigMap")
    await_(lambda: stage.get(Kind.CONFIG_MAP, "notes") is None)
    await_(lambda: any(one["synced"] for one in stage.looks(revision)))
    pruned = {done for one in stage.looks(revision) for done in one["synced"] if "pruned" in done}
    assert pruned == {"ConfigMap/notes: pruned"}


def bad(stage: ByArgoCD) -> None:
    """A template that was taken back is not tried again, however often it is synced."""
    revision = stage.repository.image(BAD)
    await_(lambda: outcome(stage) == ENDS, 90)
    await_(lambda: ready(stage) == "TemplateRejected")
    await_(lambda: stage.health()["Rollout/web"] == "Degraded")
    assert stage.health()["Deployment/web"] == "Suspended"
    looks = len(stage.looks(revision))
    time.sleep(QUIET_SECONDS)
    assert len(stage.looks(revision)) > looks + 3
    assert outcome(stage) == ENDS, said(stage)
    assert ready(stage) == "TemplateRejected"
    assert image(target(stage)).endswith(BAD)


def reverted(stage: ByArgoCD) -> None:
    """The revert is the version that serves: nothing has to move."""
    stage.repository.revert()
    await_(lambda: ready(stage) == "WaitsForTemplate")
    await_(lambda: set(stage.health().values()) == {"Healthy"})
    time.sleep(QUIET_SECONDS)
    assert outcome(stage) == ENDS, said(stage)
    assert image(target(stage)).endswith(GOOD)


def nothing_was_fought_over(stage: ByArgoCD) -> None:
    """Every request was answered, no release was contested, and Argo CD found all as it should.

    What is written at each look is written as it was seen a moment before: that may be once or
    twice the selector of before a cutover, and is mended at once.
    """
    requests_were_answered(stage)
    for release in releases(stage):
        assert sum(release.status.contests.values()) <= (2 if stage.everything else 0), said(stage)
    looks = stage.tool.said()
    assert [one["error"] for one in looks if one.get("error")] == []
    # Argo CD's cache is a moment late: while the controller takes the Rollout up, that may differ.
    looks = [one for one in looks if one["revision"] != looks[0]["revision"]]
    healed = {name for one in looks if one["why"] == "selfHeal" for name in one["outOfSync"]}
    assert healed <= {"Service/web", "Deployment/web"}
    assert sum(one["why"] == "selfHeal" for one in looks) <= 3, looks
    assert [pinned(one) for one in stage.cluster.list(Kind.SERVICE, stage.namespace).items] == [
        None
    ]


def requests_were_answered(stage: Delivered) -> None:
    assert stage.load is not None
    stage.load.stop()
    requests = stage.load.tally.snapshot()
    assert not requests.lost, [f"{one.at:.3f}: {one.detail}" for one in requests.lost[:5]]
    assert requests.answered == requests.sent
    assert set(requests.by_version) == {"v1", GOOD, BAD}


def pinned(service: Object) -> str | None:
    found: str | None = service["spec"]["selector"].get("pod-template-hash")
    return found


def running(stage: Stage, tag: str) -> bool:
    return any(tag_of(r) == tag and r.status.phase is not Phase.PENDING for r in releases(stage))


def weight(stage: Stage) -> int:
    return releases(stage)[-1].status.weight.applied


def target(stage: Delivered) -> Object:
    found = stage.get(Kind.DEPLOYMENT, "web")
    assert found is not None
    return found


def test_each_line_of_the_application_and_its_project_is_needed(
    real: Server, namespace: str, tmp_path: Path
) -> None:
    """Argo CD without it would find an object changed while a release runs, and with all none.

    Without that of the project it syncs nothing.
    """
    with ByArgoCD(real, namespace, tmp_path) as stage:
        stage.start_controller()
        await_(lambda: ready(stage) == "WaitsForTemplate")
        stage.repository.image(GOOD)
        await_(lambda: running(stage, GOOD) and weight(stage) > 0)
        whole = {"Service", "Deployment"}
        assert changed(stage, whole, asks=True) == []
        assert changed(stage, whole, asks=False) == ["Rollout/web"]
        assert changed(stage, {"Deployment"}, asks=True) == ["Service/web"]
        wanted = "resource :Namespace is not permitted in project shop"
        assert refused(stage) == [f"Namespace/{namespace}: {wanted}"]


@pytest.mark.parametrize("way", [(), (SERVER_SIDE,)], ids=["by the server", "by the client"])
def test_without_the_line_for_the_deployment_a_commit_would_roll_it_by_itself(
    way: tuple[str, ...], real: Server, namespace: str, tmp_path: Path
) -> None:
    """Argo CD does not see `paused: false` as a change, but writes it whenever it writes."""
    with ByArgoCD(real, namespace, tmp_path, without=(*way, "Deployment")) as stage:
        stage.start_controller()
        await_(lambda: ready(stage) == "WaitsForTemplate")
        stage.repository.image(GOOD)
        await_(lambda: rolled(stage, GOOD), 10)


def rolled(stage: Delivered, tag: str) -> bool:
    """Whether the Deployment itself has begun to make pods of a tag: no paused one does."""
    sets = stage.cluster.list(Kind.REPLICA_SET, stage.namespace).items
    own = (one for one in sets if "rollout.dev/track" not in one["metadata"]["labels"])
    return not releases(stage) and any(image(one).endswith(tag) for one in own)


def changed(stage: ByArgoCD, ignored: set[str], *, asks: bool) -> list[str]:
    """What Argo CD finds changed that ignores lines of these kinds only, and syncs nothing.

    `asks`: the server is asked what an apply would change.
    """

    def only_looking(application: Object) -> Object:
        spec = application["spec"]
        lines = [one for one in spec["ignoreDifferences"] if one["kind"] in ignored]
        policy = {"syncOptions": spec["syncPolicy"]["syncOptions"]}
        metadata = {**application["metadata"], **({} if asks else {"annotations": {}})}
        looks = {**spec, "ignoreDifferences": lines, "syncPolicy": policy}
        return {**application, "metadata": metadata, "spec": looks}

    with stage.argo_cd(f"ignores-{'-'.join(sorted(ignored))}-{asks}", only_looking) as other:
        await_(lambda: len(other.said()) > 1)
        found: list[str] = sorted(other.said()[-1]["outOfSync"])
        return found


def refused(stage: ByArgoCD) -> list[str]:
    """What a sync says that is kept from everything outside the namespace."""

    def without(project: Object) -> Object:
        return {**project, "spec": {**project["spec"], "clusterResourceWhitelist": []}}

    with stage.argo_cd("refused", lambda found: found, restricted=without) as other:
        await_(lambda: bool(other.said()))
        said = other.said()[0]
    assert "not valid" in said["error"]
    return list(said["synced"])
