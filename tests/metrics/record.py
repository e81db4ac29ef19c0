"""Records what exporters show, before and after requests that are counted one by one.

`python -m tests.metrics.record` starts the practice cluster (a real Envoy, pods of the sample
service), sends requests through a canary of 30 %, and writes the pages and the counts of the load
generator to tests/metrics/recorded/.

There is no ingress-nginx here to record. Its pages are written as its source documents them: names,
labels and buckets of internal/ingress/metric/collectors/socket.go, and the label `canary` as
rootfs/etc/nginx/lua/balancer.lua and monitor.lua fill it.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from rollout.metrics.addresses import AddressMap
from rollout.resources.writes import Kind
from rollout.sandbox import shop
from rollout.sandbox.load import Load, Plan, Snapshot
from rollout.sandbox.practice import ADDRESSES, PracticeCluster

RECORDED: Final = Path(__file__).parent / "recorded"
BAD: Final = "v2-errors20-slow30x300"
ENVOY: Final = ("envoy_cluster_upstream_rq_xx", "envoy_cluster_upstream_rq_time")
FLUSH_SECONDS: Final = 2.5
"""Envoy merges its histograms once a second."""


def main() -> None:
    """Record everything anew."""
    for name in ("http", "envoy", "ingress-nginx"):
        (RECORDED / name).mkdir(parents=True, exist_ok=True)
        for old in (RECORDED / name).iterdir():
            old.unlink()
    with PracticeCluster() as practice:
        practice.apply(objects())
        await_ready(practice)
        send(practice, 200)
        save(practice, 1)
        save_counts("envoy", "http", send(practice, 400))
        save(practice, 2)
    ingress_nginx()


def objects() -> list[dict[str, Any]]:
    """The shop with a bad version beside it, behind a canary route."""
    aside = named(shop.deployment(BAD))
    aside["spec"]["selector"]["matchLabels"] = {"app": "web-candidate"}
    aside["spec"]["template"]["metadata"]["labels"] = {"app": "web-candidate"}
    service, ingress = named(shop.service()), named(shop.ingress())
    service["spec"]["selector"] = {"app": "web-candidate"}
    path = ingress["spec"]["rules"][0]["http"]["paths"][0]
    path["backend"]["service"]["name"] = "web-candidate"
    prefix = "nginx.ingress.kubernetes.io"
    ingress["metadata"]["annotations"] = {
        f"{prefix}/canary": "true",
        f"{prefix}/canary-weight": "30",
    }
    return [shop.deployment("v1"), shop.service(), shop.ingress(), aside, service, ingress]


def named(body: dict[str, Any]) -> dict[str, Any]:
    body["metadata"]["name"] = "web-candidate"
    if body["kind"] == "Deployment":
        body["spec"]["replicas"] = 2
    return body


def await_ready(practice: PracticeCluster) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = [practice.shop(Kind.DEPLOYMENT, name) for name in ("web", "web-candidate")]
        ready = [one.get("status", {}).get("availableReplicas") for one in found]
        if ready == [one["spec"]["replicas"] for one in found]:
            practice.edge.settle()
            return
        time.sleep(0.1)
    raise AssertionError(f"the pods are not ready: {ready}")


def send(practice: PracticeCluster, count: int) -> Snapshot:
    plan = Plan(f"{practice.edge.url}/", host=shop.HOST, rate=100, count=count)
    with Load(plan) as load:
        load.wait()
    time.sleep(FLUSH_SECONDS)
    return load.tally.snapshot()


def save(practice: PracticeCluster, number: int) -> None:
    page = httpx.get(f"{practice.edge.admin_url}/stats/prometheus", timeout=5).text
    kept = [line for line in page.splitlines() if any(name in line for name in ENVOY)]
    write("envoy", f"edge.{number}.txt", "\n".join(kept) + "\n")
    addresses = AddressMap.parse(ADDRESSES)
    for pod in practice.cluster.list(Kind.POD, "default").items:
        track = "candidate" if pod["metadata"]["labels"]["app"] != "web" else "stable"
        url = f"http://{addresses.reach(pod['status']['podIP'])}:8080/metrics"
        name = f"{track}.{pod['metadata']['name']}.{number}.txt"
        write("http", name, httpx.get(url, timeout=5).text)


def save_counts(*names_and_counts: Any) -> None:
    *names, snapshot = names_and_counts
    assert snapshot.lost_count == 0
    counts = {
        track: {"bad": count.dialled, "total": count.total}
        for track, count in (
            ("stable", snapshot.count("v1")),
            ("candidate", snapshot.count(BAD)),
        )
    }
    for name in names:
        write(name, "counted.json", json.dumps(counts, indent=1) + "\n")


def write(name: str, file: str, text: str) -> None:
    (RECORDED / name / file).write_text(text)


# --- ingress-nginx, as its source documents it

BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
REQUESTS: Final = "nginx_ingress_controller_requests"
SECONDS: Final = "nginx_ingress_controller_request_duration_seconds"
CONSTANT: Final = {
    "controller_class": "k8s.io/ingress-nginx",
    "controller_namespace": "ingress-nginx",
    "controller_pod": "ingress-nginx-controller-6bf7bc7f94-zgms5",
    "method": "GET",
    "path": "/",
}


@dataclass
class Route:
    """Requests of one backend: their times by status."""

    namespace: str
    service: str
    canary: str = ""
    times: dict[str, list[float]] = field(default_factory=dict)

    def labels(self, status: str) -> dict[str, str]:
        """The labels of its series."""
        own = {"namespace": self.namespace, "ingress": self.service, "service": self.service}
        return {**CONSTANT, **own, "canary": self.canary, "host": shop.HOST, "status": status}


def ingress_nginx() -> None:
    """Write two pages: the service, its canary, and neighbours that must not be counted."""
    stable, canary = Route("default", "web"), Route("default", "web", "default-web-candidate-http")
    others = [
        Route("default", "webshop"),
        Route("other", "web"),
        Route("other", "web", "other-web-candidate-http"),
    ]
    stable.times = {"200": [0.02] * 50, "503": [0.3] * 5}
    for route in others:
        route.times = {"200": [0.02] * 50}
    write("ingress-nginx", "controller.1.txt", page([stable, *others]))
    stable.times["200"] += [0.02] * 120 + [0.3] * 6 + [3.0] * 2
    stable.times["503"] += [0.001]
    # The canary's first requests: its series did not exist before.
    canary.times = {"200": [0.02] * 30 + [0.7] * 4, "500": [0.02] * 5 + [1.5] * 2, "404": [0.02]}
    for route in others:
        route.times["500"] = [5.0] * 40
    write("ingress-nginx", "controller.2.txt", page([stable, canary, *others]))
    counts = {"stable": {"bad": 1, "total": 129}, "candidate": {"bad": 7, "total": 42}}
    write("ingress-nginx", "counted.json", json.dumps(counts, indent=1) + "\n")


def page(routes: list[Route]) -> str:
    """Give a page as Go's client library writes it: families and labels in order."""
    shown = [
        (route.labels(status), times)
        for route in routes
        for status, times in sorted(route.times.items())
    ]
    lines = [
        f"# HELP {SECONDS} The request processing time in milliseconds",
        f"# TYPE {SECONDS} histogram",
    ]
    for labels, times in shown:
        lines += histogram(labels, times)
    lines += [
        f"# HELP {REQUESTS} The total number of client requests",
        f"# TYPE {REQUESTS} counter",
    ]
    lines += [line(REQUESTS, labels, len(times)) for labels, times in shown]
    return "\n".join(lines) + "\n"


def histogram(labels: Mapping[str, str], times: list[float]) -> Iterator[str]:
    for bound in BUCKETS:
        within = sum(seconds <= bound for seconds in times)
        yield line(f"{SECONDS}_bucket", labels, within, f"{bound:g}")
    yield line(f"{SECONDS}_bucket", labels, len(times), "+Inf")
    yield line(f"{SECONDS}_sum", labels, round(sum(times), 6))
    yield line(f"{SECONDS}_count", labels, len(times))


def line(name: str, labels: Mapping[str, str], value: float, bound: str = "") -> str:
    pairs = [f'{label}="{text}"' for label, text in sorted(labels.items())]
    pairs += [f'le="{bound}"'] if bound else []
    return f"{name}{{{','.join(pairs)}}} {value:g}"


if __name__ == "__main__":
    main()
