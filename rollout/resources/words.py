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
REQUEST_LABEL: Final = "rollout.dev/request"
MANAGED_BY: Final = "app.kubernetes.io/managed-by"
POD_TEMPLATE_HASH: Final = "pod-template-hash"

# Annotations.
RESTORE: Final = "rollout.dev/restore"
LATCH: Final = "rollout.dev/latch"
EPOCH: Final = "rollout.dev/epoch"
ANSWERS: Final = "rollout.dev/answers"

# Finalizers.
RESTORE_FINALIZER: Final = "rollout.dev/restore"
