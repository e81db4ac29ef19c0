"""Finding the release that somebody means."""

from rollout.commands.refusal import CommandRefusedError
from rollout.kube.cluster import Cluster
from rollout.resources.release import Release
from rollout.resources.writes import Kind


def find_release(
    cluster: Cluster, namespace: str, name: str | None, *, ended: bool = True
) -> Release:
    """Find a release by its own name, by its Rollout's, or the only one there is.

    Raises CommandRefusedError naming the candidates when that is not clear.
    """
    releases = [Release.model_validate(r) for r in cluster.list(Kind.RELEASE, namespace).items]
    exact = [r for r in releases if r.metadata.name == name]
    if exact:
        return exact[0]
    mine = [r for r in releases if name is None or r.spec.rollout == name]
    active = [r for r in mine if not r.status.phase.ended]
    if len(active) == 1:
        return active[0]
    if len({r.spec.rollout for r in mine}) == 1 and ended and not active:
        return max(mine, key=_age)
    raise CommandRefusedError(_unclear(namespace, name, active or mine))


def _age(release: Release) -> tuple[str, str]:
    created = release.metadata.creation_timestamp
    return created.isoformat() if created else "", release.metadata.name


def _unclear(namespace: str, name: str | None, candidates: list[Release]) -> str:
    what = f"release or Rollout {name}" if name else "release"
    if not candidates:
        return (
            f"there is no {what} in namespace {namespace}: `rollout list -n {namespace}` shows "
            "what there is"
        )
    names = ", ".join(sorted(r.metadata.name for r in candidates)[:8])
    return f"which {what} in namespace {namespace}? Name one of: {names}"
