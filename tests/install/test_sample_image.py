"""The sample service's image: built from its own lock, run as its user on a read-only system."""

import json
import os
from collections.abc import Iterator

import httpx
import pytest

from rollout.sandbox.processes import end, start_bound
from tests.controlplane.ports import ADDRESS, PortLease
from tests.install.grounds import until
from tests.install.image import SAMPLE, Image, build
from tests.install.test_locks import SAMPLES, pinned

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]
USER = "1000"
FREEZE = """
import json
from importlib.metadata import distributions
print(json.dumps({one.name: one.version for one in distributions()}))
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return build(tmp_path_factory.mktemp("sample"), SAMPLE)


@pytest.fixture(scope="module")
def service(image: Image) -> Iterator[httpx.Client]:
    """What the image starts by itself."""
    with PortLease(1) as lease:
        (port,) = lease.ports
        told = {"HOST": ADDRESS, "PORT": str(port)}
        command = image.command(image.stage.words["CMD"], told, {})
        process = start_bound(command, image.folder.parent / "log")
        with httpx.Client(base_url=f"http://{ADDRESS}:{port}", trust_env=False) as client:
            until(lambda: answers(client), "it answers")
            yield client
        end(process)


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/ready").is_success
    except httpx.TransportError:
        return False


def test_it_serves_and_says_its_version(service: httpx.Client, image: Image) -> None:
    answer = service.post("/v1/generate", json={"prompt": "who is there"})
    assert answer.json()["version"] == image.stage.arguments["VERSION"]
    assert "http_requests_total" in service.get("/metrics").text


def test_what_runs_is_what_the_lock_says(image: Image) -> None:
    done = image.run("python", "-c", FREEZE)
    assert done.returncode == 0, done.stderr
    found = {
        name.lower().replace("_", "-"): version for name, version in json.loads(done.stdout).items()
    }
    assert found == pinned(SAMPLES)


def test_its_user_is_no_root_and_can_write_nothing(image: Image) -> None:
    assert image.stage.user.partition(":")[0] == USER
    if os.geteuid() == 0:
        assert image.run("id", "-u").stdout.strip() == USER
    assert "Read-only file system" in image.run("touch", "/opt/agent/x").stderr
    assert not list(image.folder.rglob("pip")), "nothing in it installs anything"
    assert not list((image.folder / "agent" / "app").rglob("__pycache__"))


def test_the_health_check_and_the_charts_test_fail_while_nothing_listens(image: Image) -> None:
    done = image.run(*image.stage.words["HEALTHCHECK"])
    assert (done.returncode, "refused" in done.stderr) == (1, True)
    asked = image.run("env", "ASK_URL=http://127.0.0.1:1/ready", "python", "-m", "gemini_agent.ask")
    assert (asked.returncode, "refused" in asked.stderr) == (1, True)
