"""What others do meanwhile: selectors widened, the target unpaused, taken over, or scaled to 0."""

from datetime import timedelta
from typing import Final

from rollout.engine.admission import unsteerable
from rollout.engine.draft import Draft
from rollout.engine.facts import (
    base_replicas,
    by_template,
    candidate_ready,
    candidate_template,
    carriers,
    edited,
    foreign_ready,
    holds_step,
    on_candidate,
    same,
    stable_pods,
    unserved,
)
from rollout.engine.gates import pause, paused_for
from rollout.engine.kept import preview_kept, weight_kept
from rollout.engine.plan import Enter, PauseTarget, ScaleCandidate, Select, SetWeight
from rollout.engine.rollback import go_back
from rollout.engine.saving import service_before
from rollout.engine.snapshot import DeploymentView, ServiceView
from rollout.resources.release import Phase

PATIENCE: Final = 3
"""A selector that is widened for the third time before the cutover ends the release."""
BACK_OFF: Final = timedelta(seconds=5)
WATCHED: Final = frozenset(
    {Phase.PREPARING, Phase.PROGRESSING, Phase.PROMOTING, Phase.BAKING, Phase.PAUSED}
)


def undisputed(draft: Draft) -> bool:
    """Answer what others have done to the objects of this release. False: that comes first."""
    if draft.status.committed or draft.phase in {Phase.PENDING, Phase.ROLLING_BACK}:
        return True
    if draft.status.resolved is None:
        return True
    return (
        _target_there(draft)
        and _not_taken_over(draft)
        and _not_at_zero(draft)
        and _newcomers_narrowed(draft)
        and _selectors_kept(draft)
        and preview_kept(draft)
        and weight_kept(draft)
        and _target_kept(draft)
    )


def _target_there(draft: Draft) -> bool:
    target, resolved = draft.snapshot.target, draft.status.resolved
    if target is not None and resolved is not None and target.uid == resolved.deployment_uid:
        return True
    return go_back(
        draft, Phase.FAILED, "TargetGone", "the target Deployment was deleted or made anew"
    )


def _not_taken_over(draft: Draft) -> bool:
    """I9: a pinned hash must have pods; if the target serves another by now, step aside."""
    snapshot, status = draft.snapshot, draft.status
    if draft.phase is Phase.ADOPTING or draft.marked("templated") is not None:
        return True
    stable = stable_pods(snapshot, status)
    gone = stable is None or (stable.replicas == 0 and stable.alive == 0)
    other = foreign_ready(snapshot, status)
    if other is None or not gone:
        return True
    return take_over(draft, f"its ReplicaSet {other.name} serves instead of the stable version")


def take_over(draft: Draft, what: str) -> bool:
    """End this release: somebody else decides now which pods the target has."""
    return go_back(
        draft,
        Phase.FAILED,
        "TargetTakenOver",
        f"Deployment {draft.snapshot.target_name} was taken over: {what}",
    )


def _not_at_zero(draft: Draft) -> bool:
    """D at 0 is no takeover: pause at weight 0; after the cutover the candidate serves anyway."""
    target = draft.snapshot.target
    if target is None or target.replicas > 0 or on_candidate(draft.snapshot, draft.status):
        return True
    where = draft.status.paused_from
    early = (where.phase if where else draft.phase) in {Phase.PREPARING, Phase.PROMOTING}
    if not (early or holds_step(draft.snapshot, draft.status)):
        return True
    weighted = [r for r in draft.snapshot.routes if r.exists and r.weight > 0]
    draft.do(*(SetWeight(route.ingress, 0) for route in weighted))
    sentence = (
        f"Deployment {target.name} has 0 replicas: scale it up and `rollout resume`, "
        "or `rollout rollback`"
    )
    if where is not None:
        known = paused_for(draft, "TargetAtZero", sentence)
    else:
        known = pause(draft, "TargetAtZero", sentence)
    draft.unmark("weight")
    return known and not weighted


def _newcomers_narrowed(draft: Draft) -> bool:
    """Narrow a Service that came to select the target's pods in mid-release, as the others are."""
    if draft.marked("opened") is not None:
        return True
    known = {saved.name for saved in draft.status.restore if saved.kind == "Service"}
    new = [s for s in draft.snapshot.services if s.name not in known]
    for service in new:
        against = unsteerable(service)
        if against:
            return go_back(draft, Phase.FAILED, against[0].reason, against[0].message)
        draft.tell(
            "ServiceAppeared",
            f"Service {service.name} selects the target's pods since a moment ago: it is narrowed",
            warning=True,
        )
    if new:
        before = (service_before(draft.snapshot, service) for service in new)
        draft.update(restore=[*draft.status.restore, *before])
        draft.do(Enter(draft.status))
        draft.do(*(Select(service.name, expected_hash(draft)) for service in new))
    return not new


def _selectors_kept(draft: Draft) -> bool:
    """Narrow a selector again that somebody has changed; before the cutover not for ever."""
    if draft.marked("narrowed") is None or draft.phase not in WATCHED | {Phase.ADOPTING}:
        return True
    if draft.marked("opened") is not None:
        return True
    wide = []
    for service in draft.snapshot.services:
        if service.pinned in allowed_pins(draft, service):
            draft.unmark(f"widened-{service.name}")
        else:
            wide.append(service)
    return all(_narrowed_again(draft, service) for service in wide)


def allowed_pins(draft: Draft, service: ServiceView) -> set[str | None]:
    """Return what a Service may select now: two hashes in the phases in which they move.

    None is both versions. It is ours only where pods make the share, from when it was written
    down that the Services are widened until they are narrowed again.
    """
    hashes = draft.status.hashes
    where = draft.status.paused_from.phase if draft.status.paused_from else draft.phase
    allowed: set[str | None] = {expected_hash(draft)}
    if where is Phase.PROMOTING and draft.marked("cutover") is None:
        allowed.add(hashes.candidate)
    if where is Phase.ADOPTING:
        allowed |= {hashes.candidate, hashes.adopted}
    allowed.discard(None)
    if draft.marked("shared") is not None and service in carriers(draft.snapshot):
        allowed.add(None)
    return allowed


def _narrowed_again(draft: Draft, service: ServiceView) -> bool:
    after_cutover = draft.marked("cutover") is not None
    if draft.marked(f"widened-{service.name}") is None:
        count = _count_widened(draft, service)
        if count >= PATIENCE and not after_cutover:
            return _contested(draft, service)
    if after_cutover and not _backed_off(draft, service):
        return True
    draft.do(Enter(draft.status))
    draft.do(Select(service.name, expected_hash(draft)))
    draft.unmark(f"widened-{service.name}")
    if draft.phase is Phase.PREPARING:
        draft.unmark("narrowed")
    return False


def _count_widened(draft: Draft, service: ServiceView) -> int:
    count = draft.status.contests.get(service.name, 0) + 1
    draft.update(contests={**draft.status.contests, service.name: count})
    draft.mark(f"widened-{service.name}")
    who = service.changed_by or "somebody"
    draft.tell(
        "SelectorWidened",
        f"Service {service.name} lost its narrowed selector to {who} (time {count}, it selects "
        f"{service.pinned or 'both versions'}): it is narrowed again",
        warning=True,
    )
    return count


def _backed_off(draft: Draft, service: ServiceView) -> bool:
    """From the cutover on narrowing backs off: the two versions serve the same by then."""
    beyond = draft.status.contests.get(service.name, 0) - PATIENCE
    since = draft.mark(f"widened-{service.name}")
    return beyond < 0 or draft.expired(since, BACK_OFF * 2 ** min(beyond, 6))


def _contested(draft: Draft, service: ServiceView) -> bool:
    who = service.changed_by or "somebody"
    go_back(
        draft,
        Phase.FAILED,
        "SelectorContested",
        f"{who} keeps widening the selector of Service {service.name}: stop it, or let it "
        "ignore spec.selector, and start again",
    )
    if draft.snapshot.candidate is not None and draft.snapshot.candidate.replicas > 0:
        draft.do(ScaleCandidate(0))
    return False


def expected_hash(draft: Draft) -> str:
    """Return the hash that the Services should select at this point of the release."""
    hashes = draft.status.hashes
    if draft.marked("adopted") is not None and hashes.adopted:
        return hashes.adopted
    if draft.marked("cutover") is not None and hashes.candidate:
        return hashes.candidate
    return hashes.stable or ""


def _target_kept(draft: Draft) -> bool:
    """Pause the target again when somebody has unpaused it; the second time let them have it."""
    target = draft.snapshot.target
    where = draft.status.paused_from.phase if draft.status.paused_from else draft.phase
    if target is None or where not in WATCHED or draft.marked("narrowed") is None:
        return True
    if target.paused:
        draft.unmark("unpaused")
        return True
    who = target.changed_by or "somebody"
    if unserved(draft.snapshot, draft.status):
        return take_over(draft, f"{who} unpaused it with an edit of its template")
    if draft.marked("unpaused") is not None:
        draft.do(PauseTarget())
        draft.unmark("unpaused")
        return False
    if draft.status.contests.get("unpaused", 0) >= 1:
        return take_over(draft, f"{who} unpaused it for the second time")
    return _paused_again(draft, target, who)


def _paused_again(draft: Draft, target: DeploymentView, who: str) -> bool:
    draft.update(contests={**draft.status.contests, "unpaused": 1})
    draft.mark("unpaused")
    draft.tell(
        "TargetUnpaused",
        f"Deployment {target.name} was unpaused by {who}: paused again; the second time the "
        "release steps aside",
        warning=True,
    )
    draft.do(Enter(draft.status), PauseTarget())
    draft.unmark("unpaused")
    return False


def candidate_fit(draft: Draft) -> bool:
    """After the cutover a candidate without ready pods goes back at once (I1).

    In Adopting the target may be whole with the new version by now: then that takes over.
    """
    snapshot, status = draft.snapshot, draft.status
    fit = candidate_ready(snapshot, status) > 0 or _target_is_whole(draft)
    if status.committed or fit or not on_candidate(snapshot, status):
        return True
    stable = stable_pods(snapshot, status)
    if stable is None or stable.ready == 0:
        return True
    return go_back(
        draft,
        Phase.ROLLED_BACK,
        "CandidateNotReady",
        f"no candidate pod of {base_replicas(snapshot, status)} was ready while it had all traffic",
    )


def _target_is_whole(draft: Draft) -> bool:
    target, template = draft.snapshot.target, candidate_template(draft.snapshot, draft.status)
    if draft.phase is not Phase.ADOPTING or target is None:
        return False
    new = (pods for pods in target.pod_sets if same(pods.template, template))
    return any(pods.ready >= target.replicas > 0 for pods in new)


def report_edit(draft: Draft) -> None:
    """Say once that the target was edited; the edit waits and gets no traffic (I8)."""
    watched = WATCHED | {Phase.ADOPTING}
    if draft.phase not in watched or draft.status.committed:
        return
    if by_template(draft.status) and draft.phase is not Phase.ADOPTING:
        return  # it takes this release's place, and is told of so
    if not edited(draft.snapshot, draft.status):
        if any(c.type == "EditWaiting" for c in draft.status.conditions):
            draft.drop_condition("EditWaiting")
        return
    if any(c.type == "EditWaiting" for c in draft.status.conditions):
        return
    sentence = (
        f"the template of Deployment {draft.snapshot.target_name} was edited during the release: "
        "the edit waits and gets no traffic"
    )
    draft.condition("EditWaiting", holds=True, reason="TemplateEdited", message=sentence)
    draft.tell("EditWaiting", sentence, warning=True)
