"""Each verb of the controller's roles is one that it uses: the audit log of a few flows names all.

A release by the HTTP API, taken back; one that is refused; one tried again, after which the first
is beyond the history; one that is deleted while it runs; a second replica that stands by.
"""

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import httpx
import pytest

from rollout.cli.manifests import objects
from rollout.resources.writes import Kind
from rollout.sandbox.processes import end
from tests import shop
from tests.controlplane.access import Access, Call
from tests.controlplane.cluster import ControlPlane
from tests.install.grounds import HOME, SHOP, at, ended, install, open_shop, stage, story, until
from tests.install.installed import ACCOUNT
from tests.scenarios.stage import Stage

RELEASES: Final = f"/api/v1/namespaces/{SHOP}/releases"
NO_RELEASE_OF_API: Final = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-release-of-api}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [rollout.dev], apiVersions: ["*"], operations: [CREATE], resources: [releases]}
  validations: [{expression: object.spec.rollout != 'api', message: not of this one}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-release-of-api}
spec: {policyName: no-release-of-api, validationActions: [Deny]}
"""


class Verb(NamedTuple):
    """One verb on one resource."""

    group: str
    resource: str
    verb: str
    name: str = ""
    """The one object that it is about; empty for all."""


def granted(bodies: Iterable[dict[str, Any]]) -> set[Verb]:
    """Every verb that the roles of the controller give."""
    roles = [one for one in bodies if one["kind"] in {"ClusterRole", "Role"}]
    ours = [one for one in roles if one["metadata"]["name"].startswith("rollout-controller")]
    return {
        Verb(group, resource, verb, name)
        for role in ours
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames") or [""]
    }


def used(calls: Iterable[Call]) -> set[Verb]:
    """Every verb that the controller's account has used, and was let; by the object's name too."""
    return {
        Verb(group_of(call), whole_resource(call), call.verb, name)
        for call in calls
        if call.user == ACCOUNT and call.code < HTTPStatus.BAD_REQUEST and call.resource
        for name in {"", call.name}
    }


def whole_resource(call: Call) -> str:
    return "/".join(filter(None, (call.resource, call.subresource)))


def group_of(call: Call) -> str:
    root, name, *_ = urlsplit(call.address).path.strip("/").split("/")
    return name if root == "apis" else ""


def another() -> tuple[dict[str, Any], ...]:
    """A service whose Deployment has no Rollout yet."""
    bodies = [shop.deployment("v1", 1), shop.service()]
    return tuple(json.loads(json.dumps(bodies).replace('"web"', '"api"')))


def call_of(verb: str, address: str, **said: Any) -> Call:
    resource = address.rpartition("/")[2]
    whole = {"user": ACCOUNT, "code": 200, "subresource": "", "namespace": "", "name": "", **said}
    return Call(
        verb=verb, address=address, resource=resource, stage="", at="", user_agent="", **whole
    )


def test_a_right_that_nothing_uses_is_found() -> None:
    role = {
        "kind": "ClusterRole",
        "metadata": {"name": "rollout-controller"},
        "rules": [
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "get"]},
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["patch"]},
            {
                "apiGroups": [""],
                "resources": ["secrets"],
                "verbs": ["get"],
                "resourceNames": ["token", "other"],
            },
        ],
    }
    calls = [
        call_of("get", "/api/v1/secrets", name="token"),
        call_of("get", "/api/v1/secrets", name="another"),
        call_of("list", "/api/v1/pods"),
        call_of("get", "/api/v1/pods", code=403),
        call_of("get", "/api/v1/pods", user="alice"),
        call_of("patch", "/apis/other/v1/deployments"),
    ]
    unused = granted([role]) - used(calls)
    assert unused == {
        Verb("", "pods", "get"),
        Verb("apps", "deployments", "patch"),
        Verb("", "secrets", "get", "other"),
    }


@pytest.mark.system
@pytest.mark.controlplane
@pytest.mark.timeout(180)
def test_the_controller_uses_every_verb_that_it_has(
    own_control_plane: ControlPlane, tmp_path: Path
) -> None:
    plane = own_control_plane.access
    open_shop(plane)
    installed = list(objects(watched=SHOP))
    since, account = plane.audit_position(), install(plane, installed)
    also = story("rights", version="v2", also=another(), rollout={"historyLimit": 1}, rate=0)
    with stage(plane, account, also, tmp_path) as found:
        found.options = ("--lease-namespace", HOME, "--api-port", "0")
        found.start_controller()
        with api(found) as client:
            stand_by(found, plane, since)
            first = at_once(found, client.post(RELEASES, json={"version": "v2", "rollout": "web"}))
            refuse_one(found, plane, client)
            retried = client.post(f"{RELEASES}/{first}/retry", json={})
            second = at_once(found, retried)
        until(lambda: not is_there(found, first), "the first is beyond the history")
        delete_one(found, second)
        assert found.stop_controller() == 0, found.log()
    assert unused(installed, plane, since) == set()


def unused(installed: list[dict[str, Any]], plane: Access, since: int) -> set[Verb]:
    """The verbs that were not used; the last entries of the log may lack for a moment."""
    deadline = time.monotonic() + 5
    while (left := granted(installed) - used(plane.audit(since))) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


@contextmanager
def api(found: Stage) -> Iterator[httpx.Client]:
    """Speak to the HTTP API as somebody who may everything."""
    url = until(lambda: address(found), "the API is up", on=found)
    headers = {"Authorization": f"Bearer {found.server.token}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=20) as client:
        until(lambda: client.get(RELEASES).is_success, "it has read the cluster")
        yield client


def address(found: Stage) -> str:
    lines = [json.loads(line) for line in found.log().splitlines() if line.startswith("{")]
    return next((str(line["api"]) for line in lines if line["event"] == "started"), "")


def stand_by(found: Stage, plane: Access, since: int) -> None:
    """Have a second replica stand by for a while."""
    leads, found.controller = found.controller, None
    found.start_controller()
    watched = Verb("coordination.k8s.io", "leases", "watch")
    until(lambda: watched in used(plane.audit(since)), "it watches the Lease", on=found)
    assert found.controller is not None
    end(found.controller)
    found.controller = leads


def at_once(found: Stage, started: httpx.Response) -> str:
    """Pause a release at its first step, twice; take it back, and wait for its end."""
    assert started.status_code == HTTPStatus.CREATED, started.text
    name = str(started.json()["release"]["metadata"]["name"])
    at(found, 20)
    for command in ("pause", "resume", "pause", "rollback"):
        ask(found, name, command)
    ended(found, name)
    return name


def ask(found: Stage, name: str, command: str) -> None:
    """Ask something of a release, and wait until it is carried out."""
    done = found.cli(command, name)
    assert done.returncode == 0, done.stderr

    def taken() -> bool:
        status = found.cluster.get(Kind.RELEASE, SHOP, name)["status"]
        return bool(status["actions"]) and status["actions"][-1]["type"] == command

    until(taken, f"{command} is carried out", on=found)


def is_there(found: Stage, release: str) -> bool:
    return found.get(Kind.RELEASE, release) is not None


def delete_one(found: Stage, known: str) -> None:
    """Delete a release that runs: it goes back first, unless its namespace goes as well."""
    assert found.cli("start", "v2", "--rollout", "web").returncode == 0
    running = at(found, 20).metadata.name
    assert running != known
    found.delete(Kind.RELEASE, running)
    until(lambda: not is_there(found, running), "it went back", on=found)


def refuse_one(found: Stage, plane: Access, client: httpx.Client) -> None:
    """Start a release of a Deployment without a Rollout: the Release is refused by the cluster."""
    plane.kubectl("apply", "-f", "-", stdin=NO_RELEASE_OF_API)
    probe = {
        "apiVersion": "rollout.dev/v1alpha1",
        "kind": "Release",
        "metadata": {"name": "probe"},
        "spec": {"rollout": "api", "version": "v1"},
    }
    dry = ("create", "--dry-run=server", "-f", "-")

    def in_force() -> bool:
        done = plane.kubectl(*dry, stdin=json.dumps(probe), namespace=SHOP, check=False)
        return "not of this one" in done.stderr

    until(in_force, "the policy is in force")
    said = {"version": "v2", "deployment": "api", "strategy": "blue-green"}
    answer = client.post(RELEASES, json=said)
    assert answer.status_code >= HTTPStatus.BAD_REQUEST
    assert "not of this one" in answer.text
    assert found.get(Kind.ROLLOUT, "api") is None
