"""The words that `rollout` puts on objects: one place, so that a rename is one line.

They are part of the public face: people grep for them, select by them, and repair by them
when the controller is gone.
"""

from typing import Final

GROUP: Final = "rollout.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
FIELD_MANAGER: Final = "rollout"

# Labels.
TRACK: Final = "rollout.dev/track"
CANDIDATE: Final = "candidate"
STABLE: Final = "stable"
ROLLOUT_LABEL: Final = "rollout.dev/rollout"
RELEASE_LABEL: Final = "rollout.dev/release"
RELEASE_UID: Final = "rollout.dev/release-uid"
TRIGGER_LABEL: Final = "rollout.dev/trigger"
"""On Releases that a change of the target's template has made; the value says so."""
REQUEST_LABEL: Final = "rollout.dev/request"
MANAGED_BY: Final = "app.kubernetes.io/managed-by"
POD_TEMPLATE_HASH: Final = "pod-template-hash"

# Annotations.
RESTORE: Final = "rollout.dev/restore"
LATCH: Final = "rollout.dev/latch"
EPOCH: Final = "rollout.dev/epoch"
ANSWERS: Final = "rollout.dev/answers"
RETRY: Final = "rollout.dev/retry"
"""On a Rollout: the Release that took the waiting template back, which is to be tried again."""

# What others read: Flux leaves an object alone while this annotation says so, and knows those
# that it has applied by these labels.
FLUX_NAME: Final = "kustomize.toolkit.fluxcd.io/name"
FLUX_NAMESPACE: Final = "kustomize.toolkit.fluxcd.io/namespace"
FLUX_RECONCILE: Final = "kustomize.toolkit.fluxcd.io/reconcile"
FLUX_DISABLED: Final = "disabled"

# Finalizers.
RESTORE_FINALIZER: Final = "rollout.dev/restore"
