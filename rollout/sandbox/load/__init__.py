"""The practice cluster's users: a load generator that counts every answer and never retries.

with Load(Plan("http://127.0.0.1:8080/", host="shop.example", rate=100)) as load:
    ...
    print(load.tally.snapshot().count("v1").ok)
"""

from rollout.sandbox.load.generator import Load, Plan, TargetError
from rollout.sandbox.load.tally import Kind, Outcome, Snapshot, Tally, VersionCount

__all__ = ["Kind", "Load", "Outcome", "Plan", "Snapshot", "Tally", "TargetError", "VersionCount"]
