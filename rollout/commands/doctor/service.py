"""Whether one Rollout's service can be steered, drained and sized as a release needs it."""

from collections.abc import Iterator
from dataclasses import replace

from rollout.commands.again import NOT_YET, release_body
from rollout.commands.doctor.finding import Finding, ok, problem, warning
from rollout.commands.early import discovered, read
from rollout.commands.readable import of_rollout, valid
from rollout.engine.admission import objections
from rollout.kube.cluster import Cluster
from rollout.resources.objects import name_of
from rollout.resources.release import Phase, Release
from rollout.resources.writes import Kind, Object
from rollout.translation.autoscalers import of_target
from rollout.translation.budgets import covers, doubts
from rollout.translation.objects import Objects
from rollout.translation.snapshots import snapshot


def objects_of(cluster: Cluster, namespace: str, rollout: Object) -> Objects:
    """Read what decisions about a Rollout rest on; its release is the one that runs, if any."""
    body = release_body(rollout, NOT_YET, {"version": NOT_YET})
    found = read(cluster, namespace, rollout, body)
    mine = of_rollout(found.releases, name_of(rollout))
    begun = {one.metadata.name for one in valid(mine) if _runs(one)}
    running = [raw for raw in mine if name_of(raw) in begun]
    scalers = cluster.list(Kind.HORIZONTAL_POD_AUTOSCALER, namespace).items
    return replace(found, release=running[0] if running else found.release, autoscalers=scalers)


def _runs(release: Release) -> bool:
    phase = release.status.phase
    return not phase.ended and phase is not Phase.PENDING


def steerable(objects: Objects) -> Iterator[Finding]:
    """Say what stands against a release, in the words of the controller's own rules."""
    view = snapshot(objects)
    check = f"{objects.release['spec']['rollout']}: traffic"
    if view.release.status.resolved is not None:
        name = view.release.metadata.name
        yield ok(check, f"release {name} is {view.release.status.phase}: it steers now")
        return
    against = objections(view)
    for one in against:
        said, mend = split(one.message)
        make = warning if one.passing else problem
        yield make(check, said, mend)
    if not against:
        yield ok(check, "; ".join(discovered(view)))


def split(message: str) -> tuple[str, str]:
    """Part a sentence of the rules into what is wrong and what mends it."""
    said, _, mend = message.rpartition(": ")
    return (said, mend) if said else (message, "mend that, or name others in the Rollout's spec")


def owned(objects: Objects) -> Iterator[Finding]:
    """Warn of a tool that would revert releases."""
    view = snapshot(objects)
    if view.target is not None and view.target.manager:
        yield warning(
            f"{objects.release['spec']['rollout']}: owner",
            f"{view.target.manager} owns Deployment {view.target.name}: its next sync of another "
            "template would undo a release",
            "bring each version there too",
        )


def sized(objects: Objects) -> Iterator[Finding]:
    """Say what autoscalers mean for the candidate's size."""
    view = snapshot(objects)
    check = f"{objects.release['spec']['rollout']}: autoscaler"
    if view.fixed_base:
        yield warning(
            check,
            f"an autoscaler of Deployment {view.target_name} follows memory or a Value metric, "
            "which need not fall as pods are added: the candidate is sized by the replicas at the "
            "start of a release and does not follow the load",
            "let it follow CPU or an AverageValue, or release when the load is even",
        )
    elif of_target(objects.autoscalers, view.target_name):
        yield ok(check, "the candidate follows the size that the autoscaler wants")


def drained(cluster: Cluster, namespace: str, objects: Objects) -> Iterator[Finding]:
    """Say which disruption budgets do not hold while two versions run."""
    view = snapshot(objects)
    check = f"{objects.release['spec']['rollout']}: disruption"
    if view.target is None:
        return
    budgets = [
        budget
        for budget in cluster.list(Kind.POD_DISRUPTION_BUDGET, namespace).items
        if covers(budget, view.target.labels)
    ]
    found = [doubt for budget in budgets for doubt in doubts(budget, view.target.replicas)]
    for doubt in found:
        yield (problem if doubt.blocks else warning)(check, doubt.message, doubt.mend)
    if budgets and not found:
        names = ", ".join(map(name_of, budgets))
        yield ok(check, f"{names} holds for both versions together")
