"""The command line. Heavy imports happen inside the commands that need them: help is instant."""


def main() -> None:
    """Run the command line; ends the process with an exit code."""
    from rollout.cli.app import run

    run()
