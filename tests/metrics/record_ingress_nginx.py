"""Records what the ingress-nginx controller shows of requests, by running its own code.

`python -m tests.metrics.record_ingress_nginx` is run by hand, not in CI: it fetches the module of
the controller from a Go module proxy, builds `ingress_nginx.go` inside a copy of it (two minutes),
and writes two pages and the counts of what was sent between them to tests/metrics/recorded/.

Real, from k8s.io/ingress-nginx at VERSION (8 July 2024: after controller v1.11.0, before v1.11.1;
what the proxy gave as the newest, as the tags of releases are no versions of a module): the flags
with their defaults, the collector that reads nginx's messages from a socket, the labels, buckets
and counters that it makes of them, and the handler of /metrics. Of the page only the two families
that the preset reads are kept, as they are.

Played: nginx and its Lua. Messages have the fields of rootfs/etc/nginx/lua/monitor.lua and are sent
like its own, a JSON list per connection. What is in them is what the template nginx.tmpl and
balancer.lua put there: namespace, ingress, service and path are those of the user's Ingress, also
when the canary gets the request, and `canary` is then the name of its backend, else empty. How many
requests there are, their status and their time are chosen here, and counted here.
"""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeAlias

import httpx

from rollout.sandbox.processes import end, start_bound
from tests import shop
from tests.controlplane.ports import PortLease
from tests.metrics.record import RECORDED
from tests.programs.program import cache_folder
from tests.programs.toolchain import environment, find_go

Message: TypeAlias = dict[str, Any]

VERSION: Final = "v0.0.0-20240708192948-52c50467d67d"
MODULE: Final = f"k8s.io/ingress-nginx@{VERSION}"
GO: Final = "go 1.22.0"
"""What go.mod of the module asks for."""
PROGRAM: Final = Path(__file__).with_name("ingress_nginx.go")
SOCKET: Final = Path("/tmp/nginx/prometheus-nginx.socket")  # noqa: S108 - the controller's choice
POD: Final = "ingress-nginx-controller-6bf7bc7f94-zgms5"
START_TIMEOUT: Final = 20.0

REQUESTS: Final = "nginx_ingress_controller_requests"
SECONDS: Final = "nginx_ingress_controller_request_duration_seconds"
BOUNDS: Final = (0.25, 1.0)


def main() -> None:
    """Record the pages anew."""
    with TemporaryDirectory() as name, exporter(Path(name)) as address:
        deliver(before())
        save(address, 1)
        sent = after()
        deliver(sent)
        save(address, 2)
    counts = json.dumps(counted(sent), indent=1) + "\n"
    (RECORDED / "ingress-nginx" / "counted.json").write_text(counts)


# --- what is sent


@dataclass(frozen=True)
class Route:
    """A backend behind an Ingress, which bears the name of its Service; or its canary's."""

    namespace: str
    service: str
    host: str
    canary: str = ""

    def requests(
        self, count: int, status: int, seconds: float, method: str = "GET", *, upstream: bool = True
    ) -> list[Message]:
        """Give what nginx says of some requests; without `upstream` no pod has seen them."""
        message = {
            "host": self.host,
            "namespace": self.namespace,
            "ingress": self.service,
            "service": self.service,
            "canary": self.canary,
            "path": "/",
            "method": method,
            "status": str(status),
            "requestLength": 79,
            "requestTime": seconds,
            "responseLength": 214,
            "upstreamLatency": 0.001 if upstream else -1,
            "upstreamHeaderTime": seconds if upstream else -1,
            "upstreamResponseTime": seconds if upstream else -1,
            "upstreamResponseLength": 3 if upstream else -1,
        }
        return [message] * count


STABLE: Final = Route("shop", "web", shop.HOST)
CANARY: Final = Route("shop", "web", shop.HOST, "shop-web-candidate-http")
NEIGHBOURS: Final = (
    Route("shop", "webshop", "webshop.example.com"),
    Route("other", "web", "other.example.com"),
    Route("other", "web", "other.example.com", "other-web-candidate-http"),
)
WILDCARD: Final = Route("shop", "web", "some.wildcard.example.com")
"""By another rule of the same Ingress, for `*.wildcard.example.com`."""
HOSTS: Final = (shop.HOST, "*.wildcard.example.com", "webshop.example.com", "other.example.com")


def before() -> list[Message]:
    """Before the release: no canary."""
    sent = STABLE.requests(50, 200, 0.02) + STABLE.requests(5, 503, 0.3)
    for route in (*NEIGHBOURS, WILDCARD):
        sent += route.requests(50, 200, 0.02)
    return sent


def after() -> list[Message]:
    """During the release: the canary's series did not exist before."""
    sent = STABLE.requests(100, 200, 0.02) + STABLE.requests(20, 200, 0.02, "POST")
    sent += STABLE.requests(6, 200, 0.3) + STABLE.requests(2, 200, 3.0)
    sent += STABLE.requests(1, 503, 0.001, upstream=False)
    sent += CANARY.requests(30, 200, 0.02) + CANARY.requests(4, 200, 0.7)
    sent += CANARY.requests(5, 500, 0.02) + CANARY.requests(2, 500, 1.5, "POST")
    sent += CANARY.requests(1, 404, 0.02)
    for route in (*NEIGHBOURS, WILDCARD):
        sent += route.requests(40, 500, 5.0)
    return sent


def counted(sent: list[Message]) -> dict[str, Any]:
    """Count the requests of both tracks; a wildcard's host is none that the controller counts."""
    counts = {}
    for track, route in (("stable", STABLE), ("candidate", CANARY)):
        same = {"namespace": route.namespace, "host": route.host, "canary": route.canary}
        mine = [message for message in sent if same.items() <= message.items()]
        slower = [sum(one["requestTime"] > bound for one in mine) for bound in BOUNDS]
        counts[track] = {
            "bad": sum(message["status"] >= "500" for message in mine),
            "total": len(mine),
            "slower": {f"{bound:g}": count for bound, count in zip(BOUNDS, slower, strict=True)},
        }
    return counts


def deliver(messages: list[Message]) -> None:
    """Send messages and wait until they are counted: then the controller closes the connection."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(SOCKET))
        connection.sendall(json.dumps(messages).encode())
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""


# --- what is recorded


@contextmanager
def exporter(folder: Path) -> Iterator[str]:
    """Build and run the controller's metrics; gives the address of their page."""
    program = build(folder)
    SOCKET.parent.mkdir(exist_ok=True)
    with PortLease(1) as lease:
        unused = ("http", "https", "default-server", "status", "stream", "profiler")
        process = start_bound(
            [
                str(program),
                "--healthz-host=127.0.0.1",
                f"--healthz-port={lease.ports[0]}",
                *(f"--{name}-port=0" for name in unused),
                "--pod-namespace=ingress-nginx",
                f"--pod-name={POD}",
                f"--hosts={','.join(HOSTS)}",
            ],
            folder / "log",
        )
        address = f"http://127.0.0.1:{lease.ports[0]}/metrics"
        try:
            await_answer(address, folder / "log")
            yield address
        finally:
            end(process)
            SOCKET.unlink(missing_ok=True)


def build(folder: Path) -> Path:
    """Build the program inside a copy of the module: only there it may import internal packages."""
    go = find_go(GO, cache_folder())
    module = json.loads(run([go, "mod", "download", "-json", MODULE], folder))
    source = folder / "module"
    shutil.copytree(module["Dir"], source)
    (source / "cmd").chmod(0o755)  # The module cache is read-only, and so is its copy.
    (source / "cmd" / "record").mkdir()
    shutil.copy(PROGRAM, source / "cmd" / "record" / "main.go")
    run([go, "build", "-o", folder / "exporter", "./cmd/record"], source)
    return folder / "exporter"


def run(command: list[str | Path], folder: Path) -> str:
    return subprocess.run(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def await_answer(address: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            httpx.get(address, timeout=5)
        except httpx.TransportError as error:
            if time.monotonic() > deadline:
                raise AssertionError(f"{address} does not answer: {log.read_text()}") from error
            time.sleep(0.1)
        else:
            return


def save(address: str, number: int) -> None:
    page = httpx.get(address, timeout=5).raise_for_status().text
    kept = [line for line in page.splitlines() if any(name in line for name in (REQUESTS, SECONDS))]
    file = RECORDED / "ingress-nginx" / f"controller.{number}.txt"
    file.write_text("\n".join(kept) + "\n")


if __name__ == "__main__":
    main()
