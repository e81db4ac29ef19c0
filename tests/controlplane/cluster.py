"""Starts a real Kubernetes control plane: etcd, API server and controllers, each its own process.

There is no scheduler and no kubelet: whoever plays the node creates it, binds pods to it and writes
their status. `python -m tests.controlplane up` starts one by hand.
"""

import json
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx

from tests.controlplane import readiness
from tests.controlplane.access import Access, Call
from tests.controlplane.build import ensure_built
from tests.controlplane.components import (
    ADMINISTRATORS,
    AUDIT_POLICY,
    CONTROLLER_MANAGER_USER,
    Component,
    Layout,
    flags,
    kubeconfig,
    token_lines,
)
from tests.controlplane.ports import PortLease
from tests.controlplane.process import ChildProcess
from tests.prometheus.certificates import Authority

USERS: Final[Mapping[str, Sequence[str]]] = {
    "admin": (ADMINISTRATORS,),
    "controller": (),
    "node-agent": (),
    "edge": (),
    "alice": ("developers",),
    "bob": ("developers",),
    "carol": ("developers",),
}
"""Users of every control plane and their groups; only `admin` may do anything without a role."""

START_TIMEOUT: Final = 120.0
"""Seconds for one component; it takes about 3 on an idle machine."""
KEY_TIMEOUT: Final = 30.0


class ControlPlaneError(Exception):
    """The control plane did not come up; the message has the end of the log that tells why."""


class ControlPlane:
    """A control plane of one's own, that may be frozen and killed in part.

    Use it as a context manager, or call `start()` and `stop()`. Whatever happens to this process,
    its components are gone with it.
    """

    def __init__(
        self, users: Mapping[str, Sequence[str]] = USERS, *, parent: Path | None = None
    ) -> None:
        """Build the program if need be, and take a folder and ports; nothing runs yet.

        `users` maps names to groups; `admin` is always there. The folder with data and logs is
        made in `parent`, by default the system's folder for temporary files.

        Raises:
            BuildError: the program is missing and cannot be built.

        """
        self._groups = {"admin": (ADMINISTRATORS,), **users}
        self._program = ensure_built()
        self._folder = Path(tempfile.mkdtemp(prefix="rollout-controlplane-", dir=parent))
        self._lease = PortLease(3)
        self._layout = Layout(self._folder, *self._lease.ports)
        self._processes = {component: self._process(component) for component in Component}
        tokens = {user: secrets.token_hex(16) for user in self._groups}
        self.access = Access(
            program=self._program,
            folder=self._folder,
            url=self._layout.url,
            ca_file=self._layout.ca_file,
            audit_log=self._layout.audit_log,
            tokens=tokens,
        )
        """What a client needs; it stays valid when a component is restarted."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def kubeconfig(self) -> Path:
        """See `Access.kubeconfig`."""
        return self.access.kubeconfig

    def token(self, user: str = "admin") -> str:
        """See `Access.token()`."""
        return self.access.token(user)

    def kubectl(
        self, *arguments: str, stdin: str | None = None, user: str = "admin"
    ) -> subprocess.CompletedProcess[str]:
        """See `Access.kubectl()`, which has more options."""
        return self.access.kubectl(*arguments, stdin=stdin, user=user)

    def audit(self, since: int = 0) -> Iterable[Call]:
        """See `Access.audit()`."""
        return self.access.audit(since)

    def start(self) -> None:
        """Bring everything up; returns when controllers have been seen at work.

        Raises:
            ControlPlaneError: it did not come up; everything is stopped and removed again.

        """
        try:
            self._write_files()
            for component in Component:
                self._processes[component].start()
                self._wait_ready(component)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all components at once and remove their files; may be called again."""
        for component in reversed(Component):
            self._processes[component].kill()
        self._lease.release()
        shutil.rmtree(self._folder, ignore_errors=True)

    def pid(self, component: Component) -> int | None:
        """Process id of a component, None while it does not run."""
        return self._processes[component].pid

    def pause(self, component: Component) -> None:
        """Freeze a component: its connections stay open and nothing is answered."""
        self._processes[component].send(signal.SIGSTOP)

    def resume(self, component: Component) -> None:
        """Let a frozen component go on."""
        self._processes[component].send(signal.SIGCONT)

    def kill(self, component: Component) -> None:
        """End a component by SIGKILL; its connections are refused until `restart()`."""
        self._processes[component].kill()

    def restart(self, component: Component) -> None:
        """Kill a component if it runs, and bring it up again with the same data and address."""
        self._processes[component].kill()
        self._processes[component].start()
        self._wait_ready(component)

    def _process(self, component: Component) -> ChildProcess:
        command = [self._program, component.value, *flags(component, self._layout)]
        return ChildProcess(component.value, command, self._layout.log(component))

    def _write_files(self) -> None:
        layout, tokens = self._layout, dict(self.access.tokens)
        controllers = {CONTROLLER_MANAGER_USER: secrets.token_hex(16)}
        groups = {**self._groups, CONTROLLER_MANAGER_USER: (ADMINISTRATORS,)}
        layout.tokens.write_text(token_lines({**tokens, **controllers}, groups))
        layout.audit_policy.write_text(json.dumps(AUDIT_POLICY))
        layout.service_account_key.write_text(self._new_key())
        authority = Authority(layout.kubelet_certificates, "nodes")
        authority.issue("apiserver")
        authority.issue("node")
        self.access.kubeconfig.write_text(self._kubeconfig(tokens, "admin"))
        layout.controller_manager_kubeconfig.write_text(
            self._kubeconfig(controllers, CONTROLLER_MANAGER_USER)
        )

    def _new_key(self) -> str:
        command: list[str | Path] = [self._program, "service-account-key"]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=KEY_TIMEOUT, check=True
        )
        return done.stdout

    def _kubeconfig(self, tokens: Mapping[str, str], user: str) -> str:
        layout = self._layout
        return kubeconfig(url=layout.url, ca_file=layout.ca_file, tokens=tokens, user=user)

    def _wait_ready(self, component: Component) -> None:
        match component:
            case Component.ETCD:
                address = f"http://127.0.0.1:{self._layout.etcd_port}/health"
                self._wait(component, lambda: readiness.etcd_is_healthy(address))
            case Component.API_SERVER:
                self._wait(component, lambda: readiness.is_certificate(self._layout.ca_file))
                with self.access.client() as client:
                    self._wait(component, lambda: readiness.api_server_is_ready(client))
            case Component.CONTROLLER_MANAGER:
                with self.access.client() as client, readiness.Probe(client) as probe:
                    self._wait(component, probe.controllers_are_at_work)

    def _wait(self, component: Component, is_ready: Callable[[], bool]) -> None:
        process = self._processes[component]
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if not process.is_running():
                raise self._failure(component, f"ended with exit code {process.exit_code()}")
            try:
                if is_ready():
                    return
            except httpx.HTTPError:
                pass  # not listening yet, or frozen for a moment on a busy machine
            time.sleep(0.05)
        raise self._failure(component, f"was not ready after {START_TIMEOUT:.0f} s")

    def _failure(self, component: Component, what: str) -> ControlPlaneError:
        tail = self._processes[component].tail()
        return ControlPlaneError(f"{component.value} {what}; the end of its log:\n{tail}")
