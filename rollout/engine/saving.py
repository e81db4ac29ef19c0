"""What is written down before anything is touched: what it goes by, and what was there (I5)."""

from rollout.engine.admission import unsettled
from rollout.engine.draft import Draft
from rollout.engine.facts import fingerprint
from rollout.engine.plan import (
    AddFinalizer,
    SaveRestore,
)
from rollout.engine.snapshot import DeploymentView, ServiceView, Snapshot
from rollout.resources.objects import image_of
from rollout.resources.release import Hashes, Resolved, Saved
from rollout.resources.words import RESTORE_FINALIZER, TRIGGER_LABEL
from rollout.resources.writes import Kind


def finalizers(draft: Draft) -> bool:
    """Have deletion of the Release and its Rollout roll back first."""
    snapshot = draft.snapshot
    objects = [(Kind.RELEASE, snapshot.release.metadata)]
    if snapshot.rollout is not None:
        objects.append((Kind.ROLLOUT, snapshot.rollout.metadata))
    lacking = [(k, m.name) for k, m in objects if RESTORE_FINALIZER not in m.finalizers]
    draft.do(*(AddFinalizer(kind, name) for kind, name in lacking))
    return not lacking


def saved(draft: Draft) -> bool:
    """Freeze what the release goes by and write down what is there (I5)."""
    if draft.status.resolved is not None:
        return True
    snapshot = draft.snapshot
    against = unsettled(snapshot)
    if against:
        return draft.wait(against[0].reason, against[0].message)
    _forewarn(draft)
    resolved = resolve(snapshot)
    draft.update(
        resolved=resolved,
        restore=what_was_there(snapshot),
        hashes=Hashes(stable=resolved.stable_hash),
    )
    draft.do(SaveRestore(draft.status))
    return False


def _forewarn(draft: Draft) -> None:
    """Say in status what people should know of this release from its beginning."""
    target = draft.snapshot.target
    if draft.snapshot.fixed_base and target is not None:
        draft.condition(
            "BaseFixed",
            holds=True,
            reason="AutoscalerNeedNotFollow",
            message=f"an autoscaler follows memory or a Value metric, which need not fall as pods "
            f"are added: the candidate is sized by the target's {target.replicas} replicas at "
            "the start",
        )
    followed = draft.snapshot.rollout is not None and draft.snapshot.rollout.spec.by_template
    if target is not None and target.manager and not followed:
        sentence = (
            f"Deployment {target.name} is owned by {target.manager}: its next sync of another "
            "template would undo this release natively, so bring the version there too"
        )
        draft.condition("ManagedElsewhere", holds=True, reason="OwnedByTool", message=sentence)
        draft.tell("ManagedElsewhere", sentence, warning=True)


def resolve(snapshot: Snapshot) -> Resolved:
    """Freeze strategy, policy, templates and targets."""
    target = snapshot.target
    if target is None or snapshot.template is None:
        raise ValueError("a release was admitted without a target or a template")
    serving = target.populated[0]
    return Resolved(
        strategy=snapshot.strategy,
        policy=snapshot.policy,
        traffic=snapshot.traffic.model_copy(
            update={
                "services": list(snapshot.carriers),
                "ingresses": [route.ingress for route in snapshot.routes],
            }
        ),
        adoption=snapshot.adoption,
        deployment=target.name,
        deployment_uid=target.uid,
        container=snapshot.container,
        image=snapshot.image,
        stable_image=image_of(serving.template, snapshot.container),
        template=dict(snapshot.template),
        stable_template=dict(serving.template),
        stable_hash=serving.hash,
        replicas=target.replicas,
        target_template_hash=_template_hash(snapshot, target),
    )


def _template_hash(snapshot: Snapshot, target: DeploymentView) -> str | None:
    """Tell the template that the target had when this release was asked for.

    One that the trigger made ships that template: what came to the target since is newer.
    """
    if snapshot.rollout is None or not snapshot.rollout.spec.by_template:
        return None
    made = TRIGGER_LABEL in snapshot.release.metadata.labels
    return fingerprint(snapshot.template if made and snapshot.template else target.template)


def what_was_there(snapshot: Snapshot) -> list[Saved]:
    """Return how each object of the user was before the first change to it (I5)."""
    found = []
    if (target := snapshot.target) is not None:
        fields = target.saved or {"spec.paused": _paused_before(snapshot, target)}
        found.append(
            Saved(kind="Deployment", name=target.name, uid=target.uid, fields=dict(fields))
        )
    return [*found, *(service_before(snapshot, one) for one in snapshot.every_service)]


def _paused_before(snapshot: Snapshot, target: DeploymentView) -> bool:
    """Return whether its owner had paused the target: as the trigger noted, else as it is."""
    held = snapshot.rollout.status.held if snapshot.rollout is not None else None
    return held.paused if held is not None and held.uid == target.uid else target.paused


def service_before(snapshot: Snapshot, service: ServiceView) -> Saved:
    """Return how a Service was: as an earlier release noted, else as it is.

    What was absent is left out. A null in a list does not survive the Lua of Argo CD, which would
    then write this list anew with each of its buttons. A hash of the target's own is never the
    user's: somebody has written back what an earlier release had put there.
    """
    kept = {**service.fields, **(service.saved or {})}
    left = set(hashes(snapshot.target))
    there = {field: value for field, value in kept.items() if value not in {None, *left}}
    return Saved(kind="Service", name=service.name, uid=service.uid, fields=there)


def hashes(target: DeploymentView | None) -> tuple[str, ...]:
    """Every pod-template-hash that a Deployment has had, as far as its ReplicaSets tell."""
    return tuple(pods.hash for pods in target.pod_sets) if target is not None else ()
