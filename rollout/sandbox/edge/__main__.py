"""Run the edge: `python -m rollout.sandbox.edge --kubeconfig FILE --port 8080`."""

import argparse
import sys

from rollout.kube.client import connect
from rollout.kube.errors import ClusterError
from rollout.sandbox.edge import Dialect, Edge, EnvoyError, Settings
from rollout.sandbox.signals import wait_for_stop


def main() -> int:
    """Exit 0 after SIGTERM or SIGINT, 1 when the edge cannot start."""
    options = _parser().parse_args()
    dialect = Dialect(options.controller, options.annotation_prefix)
    settings = Settings(
        namespace=options.namespace,
        port=options.port,
        admin_port=options.admin_port,
        ingress_class=options.ingress_class or None,
        dialect=dialect,
    )
    try:
        with Edge(connect(kubeconfig=options.kubeconfig), settings) as edge:
            print(f"serving on {edge.url}, Envoy's admin on {edge.admin_url}", flush=True)  # noqa: T201
            wait_for_stop()
    except (ClusterError, EnvoyError, TimeoutError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    default = Settings()
    parser = argparse.ArgumentParser(prog="python -m rollout.sandbox.edge")
    parser.add_argument("--kubeconfig", help="default: as kubectl")
    parser.add_argument("--namespace", help="follow this namespace only")
    parser.add_argument("--port", type=int, default=default.port, help="0: any free one")
    parser.add_argument("--admin-port", type=int, default=default.admin_port)
    parser.add_argument(
        "--ingress-class",
        default=default.ingress_class,
        help="IngressClass to create when missing; empty: none",
    )
    parser.add_argument("--controller", default=default.dialect.controller)
    parser.add_argument("--annotation-prefix", default=default.dialect.annotation_prefix)
    return parser


if __name__ == "__main__":
    sys.exit(main())
