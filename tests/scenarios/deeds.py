"""What people and programs do to a release in the middle of it."""

import shlex
import time
from collections.abc import Callable

import httpx

from rollout.resources.release import Release
from rollout.resources.words import POD_TEMPLATE_HASH
from rollout.resources.writes import Kind
from tests import shop
from tests.scenarios.owned import TARGET
from tests.scenarios.scenario import Deed, When
from tests.scenarios.stage import Stage


def holds(when: When, release: Release, stage: Stage) -> bool:
    """Whether a release is as a deed waits for."""
    if when.write is not None:
        return stage.gate is not None and stage.gate.closed
    status = release.status
    asked = {
        "phase": when.phase in {None, str(status.phase)},
        "weight": when.weight in {None, status.weight.applied},
        "reason": when.reason in {None, status.reason},
        "mark": when.mark is None or when.mark in status.marks,
        "verdict": when.verdict in {None, status.verdict and status.verdict.result},
        "committed": when.committed in {None, status.committed},
    }
    return all(asked.values())


def carry_out(deed: Deed, stage: Stage) -> None:
    """Do it."""
    if deed.run is not None:
        _run(deed, stage)
    if deed.do is not None:
        DEEDS[deed.do](stage, deed.to)
    if deed.when.write is not None and stage.gate is not None:
        stage.gate.open()


def _run(deed: Deed, stage: Stage) -> None:
    done = stage.cli(*shlex.split(deed.run or ""))
    said = f"{deed.run}: {done.stdout}{done.stderr}"
    assert done.returncode == (0 if deed.refused is None else 1), said
    assert deed.refused is None or deed.refused in done.stderr, said


def _scale(stage: Stage, to: str | int | None) -> None:
    stage.scale(int(to or 0))


def _has_pods(stage: Stage, to: str | int | None) -> None:
    name, _, pods = str(to).partition(" ")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = stage.get(Kind.DEPLOYMENT, name)
        asked = found and found["spec"]["replicas"]
        if asked == int(pods):
            return
        time.sleep(0.05)
    raise AssertionError(f"{name} has {asked} replicas, not {pods}")


def _scale_down(stage: Stage, to: str | int | None) -> None:
    stage.scale_down(int(to or 0))


def _ask(stage: Stage, to: str | int | None) -> None:
    host, _, version = str(to).partition(" ")
    deadline = time.monotonic() + 5
    while True:
        answer = httpx.get(stage.edge.url, headers={"host": host}, trust_env=False)
        if answer.headers.get("x-version") == version:  # the edge hears of a Service a moment later
            return
        assert time.monotonic() < deadline, (answer.status_code, answer.headers)
        time.sleep(0.05)


def _set_image(stage: Stage, to: str | int | None) -> None:
    stage.kubectl("set", "image", "deployment/web", f"web={shop.IMAGE}:{to}")


def _selects(stage: Stage, to: str | int | None) -> None:
    name, _, side = str(to).partition(" ")
    release, service = stage.release(), stage.get(Kind.SERVICE, name)
    assert release is not None
    assert service is not None
    hashes = release.status.hashes
    wanted = {"stable": hashes.stable, "candidate": hashes.candidate}[side]
    assert wanted is not None
    assert service["spec"]["selector"].get(POD_TEMPLATE_HASH) == wanted, service["spec"]


def _unpause(stage: Stage, _: str | int | None) -> None:
    stage.patch(Kind.DEPLOYMENT, "web", {"spec": {"paused": None}})


def _widen(stage: Stage, _: str | int | None) -> None:
    body = {"spec": {"selector": {"pod-template-hash": None}}}
    stage.patch(Kind.SERVICE, "web", body)


def _apply_service(stage: Stage, _: str | int | None) -> None:
    stage.apply_server_side(shop.service())


def _apply_deployment(stage: Stage, to: str | int | None) -> None:
    """Apply it with a new word on it, and without force: nobody may have said otherwise."""
    body = stage.deployment()
    body["metadata"]["labels"]["team"] = to
    body["metadata"]["annotations"] = {"example.com/owner": to}
    stage.apply_server_side(body, force=False)
    stage.before[TARGET]["labels"]["team"] = to
    stage.before[TARGET]["annotations"]["example.com/owner"] = to


def _delete_release(stage: Stage, _: str | int | None) -> None:
    release = stage.release()
    assert release is not None
    stage.delete(Kind.RELEASE, release.metadata.name)


def _delete_rollout(stage: Stage, _: str | int | None) -> None:
    stage.delete(Kind.ROLLOUT, "web")


def _kill(stage: Stage, _: str | int | None) -> None:
    stage.kill_controller()


def _start(stage: Stage, _: str | int | None) -> None:
    stage.start_controller()


def _replace(stage: Stage, _: str | int | None) -> None:
    stage.kill_controller()
    stage.start_controller()


def _stop_prometheus(stage: Stage, _: str | int | None) -> None:
    assert stage.prometheus is not None
    stage.prometheus.stop()


def _start_prometheus(stage: Stage, _: str | int | None) -> None:
    assert stage.prometheus is not None
    stage.prometheus.start()


def _renew_token(stage: Stage, to: str | int | None) -> None:
    stage.renew_token(str(to))


DEEDS: dict[str, Callable[[Stage, str | int | None], None]] = {
    "scale": _scale,
    "scale down": _scale_down,
    "ask": _ask,
    "set image": _set_image,
    "see that a Service selects": _selects,
    "see how many pods are asked for": _has_pods,
    "unpause": _unpause,
    "widen selector": _widen,
    "apply the Service": _apply_service,
    "apply the Deployment, of the team": _apply_deployment,
    "delete Release": _delete_release,
    "delete Rollout": _delete_rollout,
    "kill controller": _kill,
    "start controller": _start,
    "kill and start controller": _replace,
    "stop Prometheus": _stop_prometheus,
    "start Prometheus": _start_prometheus,
    "renew token": _renew_token,
}
