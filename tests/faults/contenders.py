"""Two controllers for one Lease: real processes, each with a user of its own.

So the audit log of the API server tells who has written what, and may judge between them.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from sys import executable
from typing import Final, Self

from rollout.resources.writes import Kind
from rollout.sandbox.practice import ADDRESSES
from rollout.sandbox.processes import Program, end, start_bound
from tests.controlplane.access import Access, Call
from tests.scenarios.gate import Gate
from tests.scenarios.stage import Stage

LEASE: Final = "rollout-controller"
NO_STEPS: Final = frozenset({"events", "leases"})
CHANGES: Final = frozenset({"patch", "update", "delete", "deletecollection"})


def allow(access: Access, namespace: str, *users: str) -> None:
    """Let users do everything in a namespace."""
    api = "rbac.authorization.k8s.io"
    body = {
        "metadata": {"name": "controllers"},
        "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": api, "kind": "User", "name": user} for user in users],
    }
    with access.client() as client:
        path = f"/apis/{api}/v1/namespaces/{namespace}/rolebindings"
        client.post(path, json=body).raise_for_status()


@dataclass
class Contender:
    """One controller process."""

    user: str
    kubeconfig: Path
    namespace: str
    log: Path
    lease_seconds: float
    starter: ThreadPoolExecutor
    process: Program | None = None

    def start(self) -> None:
        """Start it; returns at once."""
        command = [
            *(executable, "-m", "rollout", "-n", self.namespace),
            *("--kubeconfig", str(self.kubeconfig), "controller"),
            *("--pod-address-map", ADDRESSES, "--log-format", "json"),
            *("--lease-seconds", str(self.lease_seconds)),
        ]
        # A program ends with the thread that started it.
        self.process = self.starter.submit(start_bound, command, self.log).result(timeout=10)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None
        os.kill(self.process.pid, number)

    def exit_code(self, seconds: float) -> int:
        """Wait for its end."""
        assert self.process is not None
        return self.process.wait(seconds)

    def said(self, words: str) -> bool:
        """Whether its log has said something."""
        return self.log.exists() and words in self.log.read_text()

    def close(self) -> None:
        """End it, frozen or not."""
        if self.process is not None and self.process.poll() is None:
            self.send(signal.SIGCONT)
            end(self.process, 10.0)


@dataclass
class Duel:
    """A stage, and two controllers that contend for its Lease. Use as a context manager."""

    access: Access
    stage: Stage
    folder: Path
    lease_seconds: float = 3.0
    since: int = 0
    first: Contender = field(init=False)
    second: Contender = field(init=False)
    gate: Gate = field(init=False)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        stack, access = self._stack, self.access
        starter = ThreadPoolExecutor(1, "controllers")
        stack.callback(starter.shutdown)
        allow(access, self.stage.namespace, "alice", "bob")
        self.since = access.audit_position()
        token, ca_file = access.token("alice"), str(access.ca_file)
        self.gate = stack.enter_context(Gate(access.url, token, ca_file))
        self.first = self._contender("alice", self._through_the_gate(), starter)
        file = self.folder / "bob.kubeconfig"
        access.write_kubeconfig(file, user="bob", namespace=self.stage.namespace)
        self.second = self._contender("bob", file, starter)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _contender(self, user: str, kubeconfig: Path, starter: ThreadPoolExecutor) -> Contender:
        log = self.folder / f"{user}.log"
        space = self.stage.namespace
        made = Contender(user, kubeconfig, space, log, self.lease_seconds, starter)
        self._stack.callback(made.close)
        return made

    def _through_the_gate(self) -> Path:
        parts = {
            "clusters": [{"name": "gate", "cluster": {"server": self.gate.url}}],
            "users": [{"name": "gate", "user": {"token": "the-gate-has-its-own"}}],
            "contexts": [{"name": "gate", "context": {"cluster": "gate", "user": "gate"}}],
        }
        file = self.folder / "alice.kubeconfig"
        file.write_text(json.dumps({"current-context": "gate", **parts}))
        return file

    def begin(self) -> None:
        """Have the first one lead while the second one stands by."""
        self.first.start()
        self.wait(lambda: self.holder() != "", "the first one leads")
        self.second.start()
        self.wait(lambda: self.second.said('"started"'), "the second one stands by")
        time.sleep(1.0)  # its caches fill meanwhile
        assert self.stage.cli("start", "v2", "--rollout", "web").returncode == 0

    def holder(self) -> str:
        """Who holds the Lease; "" for nobody."""
        found = self.stage.get(Kind.LEASE, LEASE)
        return str(found["spec"].get("holderIdentity") or "") if found else ""

    def wait(self, until: Callable[[], object], what: str, seconds: float = 60.0) -> float:
        """Wait until something holds; gives the seconds that it took."""
        began = time.monotonic()
        while not until():
            took = time.monotonic() - began
            assert took < seconds, f"not in {seconds:g} s: {what}\n{self.logs()}"
            time.sleep(0.01)
        return time.monotonic() - began

    def taken_from(self, holder: str, seconds: float = 60.0) -> float:
        """Wait until somebody else holds the Lease; gives the seconds that it took."""
        return self.wait(lambda: self.holder() not in {"", holder}, "another one leads", seconds)

    def stamped(self) -> bool:
        """Whether the second one has stamped the target, which comes late in its row of stamps.

        Asked of the audit log: near the end of a release the stamp is gone again in a moment.
        """
        return any(
            (call.user, call.verb, call.resource, call.name)
            == ("bob", "patch", "deployments", "web")
            and call.code < 300
            for call in self.calls()
        )

    def calls(self) -> Iterator[Call]:
        """Give what the audit log has of this namespace, in order."""
        found = self.access.audit(self.since)
        return (call for call in found if call.namespace == self.stage.namespace)

    def logs(self) -> str:
        """Give the ends of both logs."""
        logs = (self.first.log, self.second.log)
        return "\n".join(log.read_text()[-3000:] for log in logs if log.exists())


@dataclass(frozen=True)
class Judgement:
    """What the first leader wrote to objects that the second one had stamped."""

    done: list[Call]
    refused: list[Call]


def judge(calls: Iterator[Call]) -> Judgement:
    """Judge by the audit log: the second leader's first patch of an object is its stamp.

    Creates are left out, which are harmless, and so are events and leases.
    """
    stamped, done, refused = set[tuple[str, str]](), list[Call](), list[Call]()
    for call in calls:
        thing = (call.resource, call.name)
        if call.verb not in CHANGES or call.resource in NO_STEPS:
            continue
        if call.user == "bob" and call.code < 300 and not call.subresource:
            stamped.add(thing)
        if call.user == "alice" and thing in stamped:
            (done if call.code < 300 else refused).append(call)
    return Judgement(done, refused)
