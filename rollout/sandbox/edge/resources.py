"""The edge's table as Envoy's own configuration. Pure.

Chosen so that nothing is lost and nothing is hidden: endpoints come by EDS and weights by RDS,
neither of which touches a listener or an open connection; no retries, which would hide lost
requests; no health checks and no panic mode, so that only readiness in the API decides.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from rollout.sandbox.agent.network import ADDRESS_MAP
from rollout.sandbox.edge.rules import Endpoint, PathType, Place, Table
from rollout.sandbox.service.behaviour import DURATION_BOUNDS

Json = Mapping[str, Any]

ROUTE_NAME: Final = "ingress"
XDS_CLUSTER: Final = "xds"
_TYPES: Final = "type.googleapis.com"
_HTTP: Final = f"{_TYPES}/envoy.extensions.filters.network.http_connection_manager.v3"
_IDLE: Final = "60s"
"""How long a connection to a pod is kept unused: as ingress-nginx does."""
_UNLIMITED: Final = 1_000_000
_SEEN_STATS: Final = (
    r"cluster\.[^.]+\.(upstream_rq|upstream_cx|membership|update|external).*"
    r"|http\.ingress\.(downstream|rds|no_).*|cluster_manager\..*|listener_manager\..*|server\..*"
)


@dataclass(frozen=True)
class Bootstrap:
    """What Envoy is told once. Port 0 means any free one."""

    xds_socket: Path
    failures_log: Path
    port: int = 0
    admin_port: int = 0
    stats_seconds: float = 1.0
    """How often histograms are brought up to date in `/stats`."""

    def as_json(self) -> Json:
        """Envoy's bootstrap."""
        return {
            "node": {"id": "edge", "cluster": "practice"},
            "admin": {"address": _socket("127.0.0.1", self.admin_port)},
            "dynamic_resources": {"cds_config": _CONFIG_SOURCE},
            "stats_flush_interval": f"{self.stats_seconds}s",
            "stats_config": _stats(),
            "static_resources": {
                "clusters": [_xds_cluster(self.xds_socket)],
                "listeners": [_listener(self.port, self.failures_log)],
            },
        }


_CONFIG_SOURCE: Final[Json] = {
    "resource_api_version": "V3",
    "api_config_source": {
        "api_type": "REST",
        "transport_api_version": "V3",
        "cluster_names": [XDS_CLUSTER],
        "refresh_delay": "0.005s",  # the server holds each poll until there is news
        "request_timeout": "60s",
    },
}


def clusters(names: Iterable[str]) -> list[Json]:
    """Clusters of these names, with their endpoints to come."""
    return [_cluster(name) for name in sorted(names)]


def assignment(name: str, endpoints: Iterable[Endpoint]) -> Json:
    """Endpoints of one cluster, at the addresses where they can be reached."""
    hosts = [
        {"endpoint": {"address": _socket(ADDRESS_MAP.reach(address), port)}}
        for address, port in endpoints
    ]
    return {
        "@type": f"{_TYPES}/envoy.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": name,
        "endpoints": [{"lb_endpoints": hosts}] if hosts else [],
    }


def routes(table: Table) -> Json:
    """All hosts and paths; what matches none is answered 404 by Envoy."""
    hosts = groupby(sorted(table.routes, key=lambda p: p.rank), key=lambda p: p.host)
    return {
        "@type": f"{_TYPES}/envoy.config.route.v3.RouteConfiguration",
        "name": ROUTE_NAME,
        "virtual_hosts": [_virtual_host(host, places, table) for host, places in hosts],
    }


def _virtual_host(host: str, places: Iterable[Place], table: Table) -> Json:
    return {
        "name": host or "*",
        "domains": [host or "*"],
        "routes": [
            {"match": _match(place), "route": _route(table.routes[place])} for place in places
        ],
    }


def _match(place: Place) -> Json:
    if place.type is PathType.EXACT:
        return {"path": place.path}
    if place.path == "/":
        return {"prefix": "/"}
    return {"path_separated_prefix": place.path}


def _route(split: Mapping[str, int]) -> Json:
    weights = [{"name": name, "weight": weight} for name, weight in split.items()]
    return {"weighted_clusters": {"clusters": weights}, "timeout": "30s"}


def _cluster(name: str) -> Json:
    http = {
        "@type": f"{_TYPES}/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http_protocol_options": {}},
        "common_http_protocol_options": {"idle_timeout": _IDLE},
    }
    limits = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), _UNLIMITED)
    return {
        "@type": f"{_TYPES}/envoy.config.cluster.v3.Cluster",
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": _CONFIG_SOURCE},
        "connect_timeout": "1s",
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": {"thresholds": [limits]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http
        },
    }


def _xds_cluster(path: Path) -> Json:
    address = {"pipe": {"path": str(path)}}
    hosts = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    limits = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), _UNLIMITED)
    return {
        "name": XDS_CLUSTER,
        "type": "STATIC",
        "connect_timeout": "1s",
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {"cluster_name": XDS_CLUSTER, "endpoints": hosts},
    }


def _listener(port: int, failures_log: Path) -> Json:
    manager = {
        "@type": f"{_HTTP}.HttpConnectionManager",
        "stat_prefix": "ingress",
        "strip_any_host_port": True,
        "generate_request_id": False,
        "rds": {"route_config_name": ROUTE_NAME, "config_source": _CONFIG_SOURCE},
        "access_log": [_failures(failures_log)],
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": f"{_TYPES}/envoy.extensions.filters.http.router.v3.Router"
                },
            }
        ],
    }
    chain = {
        "filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
        ]
    }
    return {
        "name": "ingress",
        "address": _socket("127.0.0.1", port),
        "filter_chains": [chain],
    }


def _failures(path: Path) -> Json:
    """Log each answer of 500 and above with Envoy's own word for what went wrong."""
    line = {
        "time": "%START_TIME%",
        "status": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "host": "%REQ(:AUTHORITY)%",
        "path": "%REQ(:PATH)%",
        "cluster": "%UPSTREAM_CLUSTER%",
        "upstream": "%UPSTREAM_HOST%",
        "milliseconds": "%DURATION%",
    }
    return {
        "name": "envoy.access_loggers.file",
        "filter": {
            "status_code_filter": {
                "comparison": {
                    "op": "GE",
                    "value": {"default_value": 500, "runtime_key": "edge.failures"},
                }
            }
        },
        "typed_config": {
            "@type": f"{_TYPES}/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": str(path),
            "log_format": {"json_format": line},
        },
    }


def _stats() -> Json:
    """Only what somebody looks at, with the bounds that the sample service has, in ms."""
    bounds = [bound * 1000 for bound in DURATION_BOUNDS]
    return {
        "stats_matcher": {"inclusion_list": {"patterns": [{"safe_regex": {"regex": _SEEN_STATS}}]}},
        "histogram_bucket_settings": [
            {"match": {"suffix": "upstream_rq_time"}, "buckets": bounds},
        ],
    }


def _socket(address: str, port: int) -> Json:
    return {"socket_address": {"address": address, "port_value": port}}
