"""The modules of Argo Rollouts and of Flagger, which hold their examples and definitions.

Both are under the Apache licence 2.0. They are fetched by Go and nothing of them is kept here but
the names of fields.
"""

from typing import Final

from tests.programs.modules import folder

__all__ = ["ARGO", "FLAGGER", "folder"]

ARGO: Final = "github.com/argoproj/argo-rollouts@v1.8.3"
FLAGGER: Final = "github.com/fluxcd/flagger@v1.41.0"
