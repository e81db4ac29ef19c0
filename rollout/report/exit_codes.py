"""Exit codes that scripts can use: how a release stands, as a number."""

from enum import IntEnum

from rollout.resources.release import Phase, ReleaseStatus


class ExitCode(IntEnum):
    """What the CLI exits with."""

    SUCCEEDED = 0
    ERROR = 1
    USAGE = 2
    ROLLED_BACK = 3
    WAITS = 4
    RUNNING = 5
    NOT_DONE = 6
    PARTLY = 7
    INTERRUPTED = 130


MEANING = {
    ExitCode.SUCCEEDED: "the command worked; a release that was waited for succeeded",
    ExitCode.ERROR: "an error: the cluster, the configuration, or a refused request",
    ExitCode.USAGE: "the command line is wrong",
    ExitCode.ROLLED_BACK: "the release was rolled back",
    ExitCode.WAITS: "the release waits on a person",
    ExitCode.RUNNING: "the release was still running when the time to wait was over",
    ExitCode.NOT_DONE: "the release failed, was cancelled or superseded",
    ExitCode.PARTLY: "`rollout convert` has converted what it could; something has no equal",
    ExitCode.INTERRUPTED: "interrupted",
}


def exit_code(status: ReleaseStatus) -> ExitCode:
    """Say how a release stands."""
    match status.phase:
        case Phase.SUCCEEDED:
            return ExitCode.SUCCEEDED
        case Phase.ROLLED_BACK:
            return ExitCode.ROLLED_BACK
        case Phase.PAUSED:
            return ExitCode.WAITS
        case Phase.FAILED | Phase.CANCELLED | Phase.SUPERSEDED:
            return ExitCode.NOT_DONE
        case _:
            return ExitCode.RUNNING
