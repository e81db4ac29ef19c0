"""What Prometheus is asked with: read as a person, and asked for as the controller."""

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from rollout.commands.doctor.credentials import wanted
from rollout.commands.doctor.examine import Visit, examine
from rollout.commands.doctor.finding import Finding, Level
from rollout.controller.secrets import PERSON, secrets_of
from rollout.kube.client import HttpCluster
from rollout.metrics.credentials import Keys, SecretForbiddenError, SecretUnavailableError
from rollout.resources.writes import BY_KIND_NAME, Create, Delete, Kind
from tests import build
from tests.commands.people import bind, doctor_of_bob, peopled
from tests.commands.ward import NOW, Ward, inline, one, prometheus, ward
from tests.controlplane.access import Access as ControlPlane
from tests.defined import define
from tests.install.installed import ACCOUNT, give_rights, install_rights
from tests.metrics.pods import SamplePod
from tests.prometheus.proxy import Guard, Proxy
from tests.prometheus.server import Prometheus
from tests.sandbox.practice import until

__all__ = ["peopled", "prometheus", "ward"]
pytestmark = pytest.mark.system
NOWHERE: Final = "http://127.0.0.1:1"
TOKEN: Final = {"secretRef": {"name": "prometheus", "key": "token"}}


def secret(**data: str) -> dict[str, Any]:
    coded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "prometheus"},
        "data": coded,
    }


def policy(name: str, **settings: Any) -> dict[str, Any]:
    return {
        "apiVersion": "rollout.dev/v1alpha1",
        "kind": "RolloutPolicy",
        "metadata": {"name": name},
        "spec": {"provider": {"kind": "Prometheus", "address": NOWHERE, **settings}},
    }


# --- read with a person's rights


def test_a_secret_is_read_by_its_key_in_the_namespace_of_the_policy(
    ward: Ward, prometheus: Prometheus
) -> None:
    ward.create(secret(token="sesame", password="another"))
    ward.cluster.apply(Create(Kind.SECRET, "kube-system", secret(token="that of others")))
    keys = Keys(secrets_of(ward.cluster, PERSON))
    with Proxy(prometheus.address, Guard(headers={"Authorization": "Bearer sesame"})) as proxy:
        ward.patch(Kind.ROLLOUT, "web", {"spec": inline(proxy.address, bearerToken=TOKEN)})
        found = ward.heard("stable: errors, latency are counted", keys=keys)
    assert {finding.level for finding in found} == {Level.OK}
    assert found[1].message == (
        "you may read Secret default/prometheus; `rollout doctor --as-controller` asks whether "
        "the controller may"
    )


def test_a_secret_without_the_key_is_a_problem(ward: Ward) -> None:
    ward.create(secret(password="sesame"))
    ward.patch(Kind.ROLLOUT, "web", {"spec": inline(NOWHERE, bearerToken=TOKEN)})
    (found,) = ward.metrics(keys=Keys(secrets_of(ward.cluster, PERSON)))
    assert found.level is Level.PROBLEM
    assert "Secret default/prometheus has no key token; it has: password" in found.message


def test_a_secret_that_is_not_there_is_a_problem(ward: Ward) -> None:
    ward.patch(Kind.ROLLOUT, "web", {"spec": inline(NOWHERE, bearerToken=TOKEN)})
    (found,) = ward.metrics(keys=Keys(secrets_of(ward.cluster, PERSON)))
    assert found.level is Level.PROBLEM
    assert "there is no Secret default/prometheus: create it" in found.message


def forbidden(namespace: str, name: str) -> Mapping[str, bytes]:
    raise SecretForbiddenError(f"you may not read Secret {namespace}/{name}: give yourself a Role")


def away(namespace: str, name: str) -> Mapping[str, bytes]:
    raise SecretUnavailableError(f"Secret {namespace}/{name} cannot be read now: timed out")


SETTINGS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "bearerToken": ("http", {"bearerToken": TOKEN}),
    "basicAuth.password": ("http", {"basicAuth": {"username": "rollout", "password": TOKEN}}),
    "secretHeaders.X-Key": ("http", {"secretHeaders": {"X-Key": TOKEN}}),
    "tls.ca": ("https", {"tls": {"ca": TOKEN}}),
    "tls.certificate": ("https", {"tls": {"certificate": TOKEN, "key": TOKEN}}),
}


@pytest.mark.parametrize("field", SETTINGS)
def test_a_secret_that_only_the_controller_may_read_is_a_warning_that_says_what_was_not_done(
    ward: Ward, field: str
) -> None:
    scheme, settings = SETTINGS[field]
    address = f"{scheme}://127.0.0.1:1"
    ward.patch(Kind.ROLLOUT, "web", {"spec": inline(address, **settings)})
    found = one(ward.bad(keys=Keys(forbidden)), Level.WARNING, "web: metrics")
    assert found.message == (
        f"{address} was not asked from here: spec.provider.{field}: you may not read Secret "
        "default/prometheus"
    )
    assert found.mend == (
        "`rollout doctor --as-controller` asks whether the controller may; to look at the metrics "
        "from here, give yourself a Role"
    )


def test_a_secret_that_cannot_be_read_now_is_a_warning(ward: Ward) -> None:
    ward.patch(Kind.ROLLOUT, "web", {"spec": inline(NOWHERE, bearerToken=TOKEN)})
    found = one(ward.bad(keys=Keys(away)), Level.WARNING, "web: metrics")
    assert "cannot be read now: timed out" in found.message


@pytest.mark.parametrize(
    ("field", "settings"),
    [
        ("bearerTokenFile", {"bearerTokenFile": "/etc/metrics/token"}),
        ("tls.caFile", {"address": "https://127.0.0.1:1", "tls": {"caFile": "/etc/metrics/token"}}),
    ],
)
def test_a_file_of_the_controllers_pod_is_a_warning(
    ward: Ward, field: str, settings: dict[str, Any]
) -> None:
    given = {"address": NOWHERE, **settings}
    ward.patch(Kind.ROLLOUT, "web", {"spec": inline(**given)})
    found = one(ward.bad(), Level.WARNING, "web: metrics")
    assert found.message == (
        f"{given['address']} was not asked from here: spec.provider.{field}: /etc/metrics/token is "
        "a file in the controller's pod"
    )
    assert "see that the controller runs with --credentials-folder" in found.mend


@pytest.mark.controlplane
def test_who_may_read_no_secrets_has_no_problem_on_a_real_control_plane(
    peopled: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    bind(peopled, namespace, "view", "list releases.rollout.dev")
    given = {"spec": inline(NOWHERE, bearerToken=TOKEN)}
    patch = ("patch", "rollout.rollout.dev/web", "--type=merge", f"--patch={json.dumps(given)}")
    peopled.kubectl(*patch, namespace=namespace)
    peopled.kubectl("apply", "-f", "-", stdin=json.dumps(secret(token="x")), namespace=namespace)
    done = doctor_of_bob(peopled, namespace, tmp_path)
    (found,) = [one for one in json.loads(done.stdout) if one["check"] == "web: metrics"]
    assert found["level"] == "warning"
    assert f"you may not read Secret {namespace}/prometheus" in found["message"]
    assert "give yourself a Role" in found["mend"]
    assert done.returncode == 0


# --- asked for as the controller


def test_every_secret_that_a_policy_in_sight_names_is_wanted_once(ward: Ward) -> None:
    def ref(name: str) -> dict[str, Any]:
        return {"secretRef": {"name": name, "key": "token"}}

    pair = {"ca": ref("authority"), "certificate": ref("pair"), "key": ref("pair")}
    ward.create(
        policy("plain"),
        policy("strict", bearerToken=ref("shared")),
        policy("tls", address="https://127.0.0.1:1", tls=pair),
        policy("keys", secretHeaders={"X-Key": ref("header")}),
    )
    ward.patch(
        Kind.ROLLOUT,
        "web",
        {"spec": inline(NOWHERE, basicAuth={"username": "me", "password": ref("shared")})},
    )
    ward.create(build.release("web-v2", overrides=inline(NOWHERE, bearerToken=ref("release"))))
    ward.create(build.release("web-v1", overrides=inline(NOWHERE, bearerToken=ref("ended"))))
    ward.patch(Kind.RELEASE, "web-v1", {"status": {"phase": "Succeeded"}}, "status")
    found = {right.name: right.purpose for right in wanted(ward.cluster, "default")}
    assert found == {
        "header": "read metrics by RolloutPolicy keys",
        "shared": "read metrics by RolloutPolicy strict and Rollout web",
        "authority": "read metrics by RolloutPolicy tls",
        "pair": "read metrics by RolloutPolicy tls",
        "release": "read metrics by Release web-v2",
    }


def test_what_a_release_that_runs_was_frozen_with_counts(ward: Ward) -> None:
    ward.patch(Kind.ROLLOUT, "web", {"spec": inline(NOWHERE, bearerToken=TOKEN)})
    candidate = SamplePod("candidatehash")
    ward.release(candidate)
    candidate.stop()
    ward.patch(Kind.ROLLOUT, "web", {"spec": {"policy": None}})
    found = {right.name: right.purpose for right in wanted(ward.cluster, "default")}
    assert found == {"prometheus": "read metrics by Release web-v2"}


def test_policies_that_cannot_be_listed_are_a_warning_beside_the_other_rights(ward: Ward) -> None:
    ward.cluster.apply(Delete(Kind.CUSTOM_RESOURCE_DEFINITION, "", "rolloutpolicies.rollout.dev"))
    found = [f for f in ward.bad(as_controller=True) if f.check == "controller rights"]
    assert found[0].level is Level.WARNING
    assert "the Secrets that policies name could not be looked for" in found[0].message
    assert len(found) > 1


@pytest.mark.controlplane
def test_the_rule_that_the_controller_lacks_for_a_secret_lets_it_read_that_one(
    control_plane: ControlPlane, namespace: str
) -> None:
    install_rights(control_plane)
    give_rights(control_plane, namespace)
    ca = str(control_plane.ca_file)
    with HttpCluster.for_server(control_plane.url, control_plane.token(), ca) as cluster:
        define(cluster)
        for body in (policy("strict", bearerToken=TOKEN), secret(token="sesame")):
            cluster.apply(Create(BY_KIND_NAME[body["kind"]], namespace, body))

        def problems() -> list[Finding]:
            visit = Visit(namespace, as_controller=True, account=ACCOUNT.partition("account:")[2])
            found = examine(cluster, visit, NOW)
            return [f for f in found if f.check == "controller rights" and f.level != "ok"]

        lacking = until(lambda: (found := problems()) and len(found) == 1 and found, "one problem")
        found = one(lacking, Level.PROBLEM, "controller rights")
        assert found.message == (
            f"{ACCOUNT} may not get secrets prometheus in namespace {namespace}, which is needed "
            "to read metrics by RolloutPolicy strict"
        )
        rule = re.fullmatch(rf"add (.*) to a Role that is bound to {ACCOUNT}", found.mend)
        assert rule is not None
        rules = [yaml.safe_load(rule[1])]
        assert rules == [
            {
                "apiGroups": [""],
                "resources": ["secrets"],
                "verbs": ["get"],
                "resourceNames": ["prometheus"],
            }
        ]
        grant(control_plane, namespace, rules)
        until(lambda: problems() == [], "the rule is heeded")


def grant(plane: ControlPlane, namespace: str, rules: list[dict[str, Any]]) -> None:
    group = "rbac.authorization.k8s.io"
    subject = {"kind": "User", "name": ACCOUNT, "apiGroup": group}
    objects: list[dict[str, Any]] = [
        {"kind": "Role", "rules": rules},
        {
            "kind": "RoleBinding",
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "mended"},
            "subjects": [subject],
        },
    ]
    for body in objects:
        whole = {"apiVersion": f"{group}/v1", "metadata": {"name": "mended"}, **body}
        plane.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(whole), namespace=namespace)
