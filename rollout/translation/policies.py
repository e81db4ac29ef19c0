"""Which policy a release is judged by: its own, its Rollout's, or the built-in one."""

from pydantic import ValidationError

from rollout.resources.faults import lines
from rollout.resources.objects import name_of
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.release import Release
from rollout.resources.rollout import PolicyChoice, Rollout
from rollout.translation.objects import Objects


def policy_of(
    objects: Objects, release: Release, rollout: Rollout | None
) -> tuple[RolloutPolicySpec, list[str]]:
    """Find the policy, and say what is wrong with the one that is named."""
    if release.status.resolved is not None:
        return release.status.resolved.policy, []
    choice: PolicyChoice | None = rollout.spec.policy if rollout else None
    if release.spec.overrides is not None and release.spec.overrides.policy is not None:
        choice = release.spec.overrides.policy
    if choice is None:
        return RolloutPolicySpec(), []
    if choice.inline is not None:
        return choice.inline, []
    return _named_policy(objects, str(choice.name))


def _named_policy(objects: Objects, name: str) -> tuple[RolloutPolicySpec, list[str]]:
    found = objects.named("policies", name)
    if found is None:
        there = ", ".join(map(name_of, objects.policies)) or "none"
        return RolloutPolicySpec(), [
            f"policy.name: there is no RolloutPolicy {name} in this namespace (there are: {there})"
        ]
    try:
        return RolloutPolicySpec.model_validate(found.get("spec") or {}), []
    except ValidationError as error:
        said = "; ".join(f"spec.{line}" for line in lines(error))
        return RolloutPolicySpec(), [f"RolloutPolicy {name}, {said}"]
