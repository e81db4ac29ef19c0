"""Which test types the commands that the pages show; `test_walked.py` holds every block to it.

A page is walked block by block, or its commands are taken from it one by one where each needs
something else around it. A new page, block or command that nobody types makes that test fail.
"""

from collections.abc import Mapping
from typing import Final

BY_BLOCK: Final[Mapping[str, str]] = {
    "docs/api.md": "tests.docs.test_api_guide",
    "docs/blue-green.md": "tests.docs.test_guides",
    "docs/first-canary.md": "tests.docs.test_guides",
    "docs/git.md": "tests.docs.test_cluster_pages",
    "docs/helm.md": "tests.charts.test_pages",
    "docs/runbook.md": "tests.docs.test_guides",
    "docs/security.md": "tests.docs.test_cluster_pages",
    "docs/tutorial.md": "tests.docs.test_tutorial",
    "docs/writing-a-policy.md": "tests.docs.test_guides",
    "manifests/charts/gemini-agent/README.md": "tests.charts.test_pages",
    "manifests/charts/rollout/README.md": "tests.charts.test_pages",
}
"""Pages whose blocks a module types in order: its `WALKS` has an entry for each block."""

BY_COMMAND: Final[Mapping[str, tuple[str, ...]]] = {
    "README.md": (
        "tests.docs.test_guides",
        "tests.install.test_in_cluster",
        "tests.system.test_readme",
    ),
    "docs/cli.md": ("tests.install.test_in_cluster",),
    "docs/install.md": (
        "tests.docs.test_cluster_pages",
        "tests.docs.test_guides",
        "tests.install.test_in_cluster",
        "tests.system.test_readme",
    ),
    "docs/performance.md": ("tests.bench.test_fleet",),
    "docs/reference/cli.md": (
        "tests.docs.test_cluster_pages",
        "tests.docs.test_examples",
        "tests.docs.test_tutorial",
        "tests.system.test_readme",
    ),
    "manifests/examples/gemini-agent/README.md": ("tests.examples.test_readme",),
}
"""Pages whose commands modules take one by one: `command(PAGE, BEGINNING)`."""

ELSEWHERE: Final[Mapping[str, tuple[str, str]]] = {
    "docs/moving-from-argo-rollouts.md": (
        "tests.docs.test_moving",
        "each is what `rollout convert` prints, as tests.convert.test_cutover types it",
    ),
    "docs/moving-from-flagger.md": (
        "tests.docs.test_moving",
        "each is what `rollout convert` prints, as tests.convert.test_cutover types it",
    ),
}
"""Pages that a module looks at in another way, and why."""

IS_THE_RUN: Final = ("python3 -m tests", "python3 -m tests --fast")
"""What README.md and CONTRIBUTING.md say of running the checks: it is what runs this one."""
