"""Pytest's way to the control plane: fixtures `control_plane`, `own_control_plane`, `namespace`.

`kubectl_program` is kubectl for tests that speak to another API server.
Building and starting take longer than any single test may, so they happen after collection and
before the first test, once per run, and only when a collected test needs them. When they fail, the
tests that need them fail; none is skipped.
"""

import os
import secrets
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.controlplane.access import Access
from tests.controlplane.build import ensure_built
from tests.controlplane.cluster import ControlPlane, ControlPlaneError
from tests.controlplane.namespaces import leave
from tests.controlplane.shared import SharedControlPlane
from tests.programs.toolchain import BuildError

_SHARED: Final = pytest.StashKey[SharedControlPlane]()
_WORKER_INPUT: Final = "rollout_control_plane"
_ACCOUNT_TIMEOUT: Final = 20.0


def pytest_configure(config: pytest.Config) -> None:
    """Own a control plane, or share that of the main process when this is a worker of xdist."""
    worker_input: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker_input is None:
        config.stash[_SHARED] = SharedControlPlane.owned()
    else:
        folder, owner = worker_input[_WORKER_INPUT]
        config.stash[_SHARED] = SharedControlPlane(Path(folder), owner)
        threading.Thread(target=_end_with, args=(owner,), name="owner", daemon=True).start()


def _end_with(owner: int) -> None:
    """End this worker, and so all it has started, when the main process was killed."""
    watched = os.pidfd_open(owner)
    select.select([watched], [], [])
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of xdist, before it starts, whose control plane it shares."""
    shared = node.config.stash[_SHARED]
    node.workerinput[_WORKER_INPUT] = (str(shared.folder), shared.owner)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the control plane with the run."""
    shared = config.stash.get(_SHARED, None)
    if shared is not None and shared.owner == os.getpid():
        shared.release()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build and start what the collected tests need, outside of any test's time limit."""
    if session.config.option.collectonly:
        return
    needed = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    if not needed & {"control_plane", "own_control_plane", "kubectl_program"}:
        return
    with _capture_off(session.config):
        _prepare(session.config.stash[_SHARED], start="control_plane" in needed)


def _prepare(shared: SharedControlPlane, *, start: bool) -> None:
    """Failures are kept for the tests that need the control plane; others can still run."""
    try:
        ensure_built(sys.stderr)
        if start:
            shared.acquire()
    except BuildError as error:
        shared.fail(error)
    except ControlPlaneError:
        pass  # kept by shared


@contextmanager
def _capture_off(config: pytest.Config) -> Iterator[None]:
    """Let the progress of a build through to the terminal."""
    manager = config.pluginmanager.getplugin("capturemanager")
    with nullcontext() if manager is None else manager.global_and_fixture_disabled():
        yield


@pytest.fixture(scope="session")
def control_plane(request: pytest.FixtureRequest) -> Access:
    """Access to the control plane that all tests of this run share: freeze and kill your own."""
    return request.config.stash[_SHARED].acquire()


@pytest.fixture
def own_control_plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """A control plane for one test alone, to be frozen, killed and restarted (4 s to start)."""
    with ControlPlane(parent=request.config.stash[_SHARED].folder) as control_plane:
        yield control_plane


@pytest.fixture(scope="session")
def kubectl_program() -> Path:
    """Return the control plane program, which is kubectl as well, for any API server."""
    return ensure_built(sys.stderr)


@pytest.fixture
def namespace(control_plane: Access) -> Iterator[str]:
    """Name of a fresh namespace in which pods can be created at once."""
    name = f"test-{secrets.token_hex(5)}"
    with control_plane.client() as client:
        body = {"metadata": {"name": name}}
        client.post("/api/v1/namespaces", json=body).raise_for_status()
        _await_account(client, name)
        yield name
        leave(client, name)


def _await_account(client: httpx.Client, namespace: str) -> None:
    """Wait for the service account without which the API refuses pods."""
    deadline = time.monotonic() + _ACCOUNT_TIMEOUT
    while not client.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/default").is_success:
        if time.monotonic() > deadline:
            raise ControlPlaneError(f"namespace {namespace} got no default service account")
        time.sleep(0.02)
