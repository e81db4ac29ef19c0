"""Adopting: the target takes the template and rolls while it has no traffic.

Until `committed` the way back is open: the candidate serves. After it the release only finishes.
"""

from rollout.engine.draft import Draft, Need, drained
from rollout.engine.facts import base_replicas, candidate_template, edited, in_place, same
from rollout.engine.gates import pause
from rollout.engine.giving_back import (
    candidate_gone,
    finalizers_gone,
    preview_restored,
    services_restored,
    side_services_gone,
    target_restored,
)
from rollout.engine.plan import (
    Commit,
    Enter,
    PauseTarget,
    Select,
    UnpauseTarget,
    WriteTemplate,
)
from rollout.engine.rollback import go_back, keep_edit
from rollout.engine.sizes import followed
from rollout.engine.snapshot import PodSet, Template
from rollout.resources.duration import format_duration
from rollout.resources.release import Phase


def template_written(draft: Draft) -> bool:
    """Have the target's template be the released one."""
    status, target = draft.status, draft.snapshot.target
    if status.committed or target is None:
        return True
    wanted = candidate_template(draft.snapshot, status)
    if same(target.template, wanted):
        draft.mark("written")
        draft.mark("templated")
        draft.unmark("displaced")
        return True
    if draft.marked("templated") is not None:
        return _changed_again(draft, target.template)
    if edited(draft.snapshot, status) and draft.marked("displaced") is None:
        return _edit_waits(draft)
    if wanted is None:
        raise ValueError("a release that adopts has no template")
    if draft.marked("written") is None:
        draft.mark("written")
        draft.do(Enter(draft.status))
    keep_edit(draft)
    draft.do(WriteTemplate(wanted))
    return draft.wait("WritingTemplate", f"{target.name} takes the released template")


def _changed_again(draft: Draft, template: Template) -> bool:
    """Somebody replaced the template that we had written."""
    resolved = draft.status.resolved
    if resolved is not None and same(template, resolved.stable_template):
        return go_back(
            draft,
            Phase.ROLLED_BACK,
            "StableTemplateWritten",
            "the earlier template was written to the target: taken as a rollback",
        )
    return _edit_waits(draft)


def _edit_waits(draft: Draft) -> bool:
    target = draft.snapshot.target
    if target is not None and not target.paused:
        draft.do(PauseTarget())
    draft.unmark("templated")
    return pause(
        draft,
        "EditWaiting",
        f"Deployment {draft.snapshot.target_name} was edited meanwhile and is paused: `rollout "
        "resume` replaces the edit with the released template, `rollout rollback` with the earlier "
        "one (both keep it in status.displacedEdit)",
    )


def adopted_pods(draft: Draft) -> PodSet | None:
    """Return the target's ReplicaSet of the released template; compared by template."""
    target = draft.snapshot.target
    if target is None:
        return None
    status = draft.status
    wanted = target.template if status.committed else candidate_template(draft.snapshot, status)
    return next((pods for pods in target.pod_sets if same(pods.template, wanted)), None)


def target_rolled(draft: Draft) -> bool:
    """Wait until every pod of the target is of the released template, and ready."""
    target = draft.snapshot.target
    if draft.status.committed or target is None:
        return True
    pods = adopted_pods(draft)
    whole = pods is not None and pods.ready >= target.replicas > 0
    alone = [p.hash for p in target.populated] == ([pods.hash] if pods else [])
    held = pods is not None and draft.status.hashes.adopted == pods.hash
    if whole and alone and (target.observed or held):
        if pods is not None and draft.status.hashes.adopted != pods.hash:
            hashes = draft.status.hashes.model_copy(update={"adopted": pods.hash})
            draft.update(hashes=hashes)
            draft.do(Enter(draft.status))
        return True
    if target.paused and draft.marked("adopted") is None:
        draft.do(UnpauseTarget())
    ready = pods.ready if pods else 0
    how = "with" if in_place(draft.snapshot) else "without"
    sentence = f"{target.name} rolls {how} traffic: {ready} of {target.replicas} pods ready"
    since = draft.status.progress_since or draft.now
    allowed = draft.snapshot.strategy.common.progress_deadline
    if in_place(draft.snapshot) or not draft.expired(since, allowed):
        return draft.wait("Rolling", sentence)
    return pause(
        draft,
        "TargetNotReady",
        f"{sentence} after {format_duration(allowed)}, while the candidate serves: make room or "
        "mend the pods and `rollout resume`, or `rollout rollback`",
    )


def target_held(draft: Draft) -> bool:
    """Pause the target before traffic goes to it, and have a last look at its template."""
    target = draft.snapshot.target
    if draft.status.committed or target is None:
        return True
    if not target.paused:
        draft.do(PauseTarget())
        return draft.wait("PausingTarget", f"pausing Deployment {target.name}")
    return target.observed


def target_serves(draft: Draft) -> bool:
    """Have the Services select the target's new pods, and let routers follow."""
    hash_ = draft.status.hashes.adopted or ""
    if draft.status.committed:
        return True
    behind = [s for s in draft.snapshot.services if s.pinned != hash_]
    if behind:
        draft.do(*(Select(service.name, hash_) for service in behind))
        draft.unmark("adopted")
        return draft.wait("MovingTraffic", "the Services move to the target's new pods")
    return drained(draft, "adopted", "the target serves the new version")


def committed(draft: Draft) -> bool:
    """Write down that there is no way back but another release."""
    if draft.status.committed:
        return True
    draft.update(committed=True)
    draft.tell("Committed", "the target serves the new version; the candidate is removed")
    draft.do(Commit(draft.status))
    return True


def candidate_serves(draft: Draft) -> bool:
    """Keep the candidate at the size of the load while it serves."""
    if not draft.status.committed:
        followed(draft, base_replicas(draft.snapshot, draft.status))
    return True


def succeeded(draft: Draft) -> bool:
    """End well."""
    what = draft.status.resolved.image if draft.status.resolved else "the new version"
    draft.enter(
        Phase.SUCCEEDED,
        "Succeeded",
        f"{draft.snapshot.target_name} runs {what or 'the new template'}",
        finished_at=draft.now,
    )
    return False


NEEDS: tuple[Need, ...] = (
    candidate_serves,
    template_written,
    target_rolled,
    target_held,
    target_serves,
    committed,
    preview_restored,
    candidate_gone,
    side_services_gone,
    services_restored,
    target_restored,
    finalizers_gone,
    succeeded,
)
