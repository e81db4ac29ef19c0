"""One line per change: who, what, on what, and what came of it."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from rollout.commands.refusal import CommandRefusedError
from rollout.kube.errors import ClusterError
from rollout.server.counts import Counts
from rollout.server.problems import Problem, problem_of
from rollout.server.words import shortened

log = structlog.get_logger(__name__)


@contextmanager
def entry(counts: Counts, who: str, what: str, namespace: str, on: str) -> Iterator[dict[str, str]]:
    """Write the line when the change is over; what is put into the dict is said too."""
    said: dict[str, str] = {}
    try:
        yield said
    except (Problem, CommandRefusedError, ClusterError) as error:
        problem = problem_of(error)
        counts.changes.labels(what, problem.kind).inc()
        log.warning(
            "change refused",
            who=who,
            what=what,
            namespace=namespace,
            on=on,
            outcome=problem.kind,
            why=shortened(problem, 300),
        )
        raise
    counts.changes.labels(what, "done").inc()
    log.info("change", who=who, what=what, namespace=namespace, on=on, outcome="done", **said)
