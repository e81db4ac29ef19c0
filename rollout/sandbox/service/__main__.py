"""Run one pod of the sample service by hand: `python -m rollout.sandbox.service --version v1`."""

import argparse
import os
import sys

from rollout.sandbox.service.dials import DialError
from rollout.sandbox.service.process import Settings, run


def main() -> int:
    """Exit 0 after a clean stop, 1 after a dialled crash, 2 for a dial that cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m rollout.sandbox.service")
    parser.add_argument("--version", required=True, help="image tag, dials included")
    parser.add_argument("--pod", default="local", help="name the service gives as its pod")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080, help="0: any free port")
    options = parser.parse_args()
    try:
        settings = Settings.read(
            options.version, options.pod, options.host, options.port, os.environ
        )
    except DialError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return run(settings)


if __name__ == "__main__":
    sys.exit(main())
