"""A control plane to look around in: `python -m tests.controlplane up`, Ctrl-C ends it."""

import argparse
import signal
import sys

from tests.controlplane.cluster import ControlPlane, ControlPlaneError
from tests.programs.toolchain import BuildError


def main() -> int:
    """Run the command; exit code 1 when the control plane cannot be built or started."""
    parser = argparse.ArgumentParser(prog="python -m tests.controlplane", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    commands.add_parser("up", help="start a control plane and keep it until Ctrl-C")
    parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ControlPlane() as control_plane:
            _explain(control_plane)
            signal.pause()
    except (BuildError, ControlPlaneError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped")
    return 0


def _explain(control_plane: ControlPlane) -> None:
    access = control_plane.access
    print(f"Kubernetes is up at {access.url}; logs and audit log are in {access.folder}")
    print(f"users, each a context of the kubeconfig: {', '.join(access.tokens)}")
    print(f"  export KUBECONFIG={access.kubeconfig}")
    print(f"  alias kubectl='{access.program} kubectl'")
    print("Ctrl-C stops it and removes everything.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
