"""Run the node agent: `python -m rollout.sandbox.agent --kubeconfig FILE`."""

import argparse
import sys
from pathlib import Path

from rollout.kube.client import connect
from rollout.kube.errors import ClusterError
from rollout.sandbox.agent import BackOff, NetworkError, NodeAgent, Settings
from rollout.sandbox.agent.tls import Tls
from rollout.sandbox.signals import wait_for_stop


def main() -> int:
    """Exit 0 after SIGTERM or SIGINT, 1 when the agent cannot start."""
    options = _parser().parse_args()
    settings = Settings(
        node=options.node,
        namespace=options.namespace,
        pod_cidr=options.pod_cidr,
        max_pods=options.max_pods,
        back_off=BackOff(options.back_off, options.back_off_limit),
        programs=frozenset(options.image) or None,
        logs=options.logs,
        tls=Tls(*options.tls) if options.tls else None,
    )
    try:
        with NodeAgent(connect(kubeconfig=options.kubeconfig), settings) as agent:
            print(f"node {options.node} is ready, pods in {agent.pod_cidr}", flush=True)  # noqa: T201
            wait_for_stop()
    except (ClusterError, NetworkError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    default = Settings()
    parser = argparse.ArgumentParser(prog="python -m rollout.sandbox.agent")
    parser.add_argument("--kubeconfig", help="default: as kubectl")
    parser.add_argument("--namespace", help="run pods of this namespace only")
    parser.add_argument("--node", default=default.node, help="name of the Node")
    parser.add_argument("--pod-cidr", help="part of 10.244.0.0/16; default: a free /24")
    parser.add_argument("--max-pods", type=int, default=default.max_pods)
    parser.add_argument(
        "--image",
        action="append",
        default=[],
        help="an image (last part of its repository) that exists; default: all do",
    )
    first, most = default.back_off.first, default.back_off.most
    parser.add_argument("--back-off", type=float, default=first, help="first pause, seconds")
    parser.add_argument("--back-off-limit", type=float, default=most, help="longest, seconds")
    parser.add_argument("--logs", type=Path, help="folder of the pods' logs; default: temporary")
    parser.add_argument(
        "--tls",
        nargs=3,
        type=Path,
        metavar=("CERTIFICATE", "KEY", "CLIENT_CA"),
        help="files with which a real API server is answered, and known; default: a practice one",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
