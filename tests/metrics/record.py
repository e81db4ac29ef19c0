"""Records what exporters show, before and after requests that are counted one by one.

`python -m tests.metrics.record` starts the practice cluster (a real Envoy, pods of the sample
service), sends requests through a canary of 30 %, and writes the pages and the counts of the load
generator to tests/metrics/recorded/.

Those of ingress-nginx are recorded by `record_ingress_nginx.py`.
"""

import json
import time
from pathlib import Path
from typing import Any, Final

import httpx

from rollout.metrics.addresses import AddressMap
from rollout.resources.writes import Kind
from rollout.sandbox.load import Load, Plan, Snapshot
from rollout.sandbox.practice import ADDRESSES, PracticeCluster
from tests import shop

RECORDED: Final = Path(__file__).parent / "recorded"
BAD: Final = "v2-errors20-slow30x300"
ENVOY: Final = ("envoy_cluster_upstream_rq_xx", "envoy_cluster_upstream_rq_time")
FLUSH_SECONDS: Final = 2.5
"""Envoy merges its histograms once a second."""


def main() -> None:
    """Record the pages of the service and of Envoy anew."""
    for name in ("http", "envoy"):
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


if __name__ == "__main__":
    main()
