"""The sample service counts clients and not the proxy through which they come."""

import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from rollout.sandbox.processes import end, start_bound
from tests.controlplane.ports import PortLease
from tests.examples.trees import EXAMPLE

pytestmark = pytest.mark.system
PROXY = "127.0.0.2"
"""An address of this machine that uvicorn by itself would not trust."""
MOST = 3


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Speak with the program as a proxy does, from the address of one."""
    settings = {"HOST": PROXY, "RATE_LIMIT_REQUESTS": str(MOST), "RATE_LIMIT_WINDOW": "86400"}
    with PortLease(1) as lease:
        (port,) = lease.ports
        known = {"PYTHONPATH": str(EXAMPLE / "service"), "PORT": str(port), **settings}
        words = [f"{name}={value}" for name, value in known.items()]
        command = ["/usr/bin/env", *words, sys.executable, "-m", "gemini_agent"]
        process = start_bound(command, tmp_path_factory.mktemp("service") / "log")
        transport = httpx.HTTPTransport(local_address=PROXY)
        with httpx.Client(transport=transport, base_url=f"http://{PROXY}:{port}") as client:
            await_service(client)
            yield client
        end(process)


def await_service(client: httpx.Client) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            client.get("/health").raise_for_status()
        except httpx.HTTPError:
            assert time.monotonic() < deadline, "the service does not answer"
            time.sleep(0.05)
        else:
            return


def asked(service: httpx.Client, forwarded: str) -> int:
    """Ask once for somebody; gives the status."""
    headers = {"x-forwarded-for": forwarded}
    return service.post("/v1/generate", json={"prompt": "x"}, headers=headers).status_code


def test_clients_of_one_proxy_are_limited_each_by_itself(service: httpx.Client) -> None:
    clients = [f"198.51.100.{number}" for number in range(2 * MOST)]
    assert {asked(service, client) for client in clients} == {200}
    again = [asked(service, clients[0]) for _ in range(MOST)]
    assert again == [200] * (MOST - 1) + [429]


def test_what_a_client_claims_of_itself_makes_it_nobody_else(service: httpx.Client) -> None:
    """A proxy appends whom it sees; what stands before that anybody may have written."""
    claimed = [f"203.0.113.{number}, 198.51.100.77, 10.4.0.9" for number in range(MOST + 1)]
    assert [asked(service, forwarded) for forwarded in claimed] == [200] * MOST + [429]
