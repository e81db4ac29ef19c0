"""Manifests of Argo Rollouts and of Flagger, and what they become.

The cases are written for these tests, in the forms of the examples that both projects publish;
their own examples are converted by test_upstream.py, out of their Go modules.
"""

from pathlib import Path

CASES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))
