"""The sample service's NetworkPolicy lets through what its own objects need, and little else."""

from pathlib import Path

import pytest

from tests.charts.helm import AGENT, Helm, Release, Tree
from tests.charts.trees import TWINS, Twin
from tests.examples.trees import build, one, values
from tests.install.policies import Peer, Pod, Policy

pytestmark = pytest.mark.controlplane
HELM = Helm()
PORTS = {"http": 8080}
OTHERS = {1, 22, 6380, 8081, 65535}
INTERNET = "198.51.100.7"
PRIVATE = ("10.8.0.3", "172.16.4.4", "192.168.1.9")
NODE_CACHE = "169.254.20.10"


@pytest.fixture(scope="module", params=["kustomize", "helm"])
def maker(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=TWINS)
def twin(request: pytest.FixtureRequest) -> Twin:
    return TWINS[str(request.param)]


@pytest.fixture(scope="module")
def tree(twin: Twin, maker: str, kubectl_program: Path) -> Tree:
    return HELM.template(twin.release) if maker == "helm" else build(kubectl_program, twin.folder)


@pytest.fixture
def policy(tree: Tree, twin: Twin) -> Policy:
    return of_agent(tree, twin.overlay.service)


def of_agent(tree: Tree, name: str) -> Policy:
    return Policy(one(tree, "NetworkPolicy", name), PORTS)


def reached(policy: Policy, side: str, peer: Peer) -> set[int]:
    """Give the TCP ports that are open, of those that a rule names and of some that none does."""
    named = {one["port"] for ports in values(policy.body, "ports") for one in ports}
    tried = {PORTS.get(port, port) for port in named} | OTHERS
    return {port for port in tried if policy.allows(side, peer, port)}


def test_only_who_must_comes_in_and_at_one_port(policy: Policy, twin: Twin) -> None:
    for namespace in ("ingress-nginx", "monitoring", "rollout-system"):
        assert reached(policy, "ingress", Pod(namespace)) == {8080}
    for other in (Pod("default"), Pod(twin.overlay.namespace), INTERNET):
        assert not reached(policy, "ingress", other)


@pytest.mark.parametrize("protocol", ["UDP", "TCP"])
def test_names_are_found_wherever_they_are_answered(policy: Policy, protocol: str) -> None:
    dns = Pod("kube-system", {"k8s-app": "kube-dns"})
    for where in (dns, NODE_CACHE, "10.96.0.10"):
        assert policy.allows("egress", where, 53, protocol)


def test_workload_identity_is_given_to_whom_the_account_names(policy: Policy, tree: Tree) -> None:
    (account,) = [body for body in tree if body["kind"] == "ServiceAccount"]
    assert "iam.gke.io/gcp-service-account" in account["metadata"]["annotations"]
    assert reached(policy, "egress", "169.254.169.254") == {53, 80}
    assert reached(policy, "egress", "169.254.169.252") == {53, 988}


def test_the_database_is_reached_here_and_at_a_private_address(policy: Policy, twin: Twin) -> None:
    for where in (Pod(twin.overlay.namespace, {"app": "postgres"}), *PRIVATE):
        assert reached(policy, "egress", where) == {53, 5432}
    assert reached(policy, "egress", Pod("elsewhere")) == {53}


def test_what_is_outside_is_reached_by_tls_alone(policy: Policy) -> None:
    assert reached(policy, "egress", INTERNET) == {53, 443}


def test_the_redis_of_the_config_can_be_reached(policy: Policy, tree: Tree, twin: Twin) -> None:
    (host,) = values([body for body in tree if body["kind"] == "ConfigMap"], "REDIS_HOST")
    (port,) = values([body for body in tree if body["kind"] == "ConfigMap"], "REDIS_PORT")
    services = [b for b in tree if b["kind"] == "Service" and b["metadata"]["name"] == host]
    if twin.overlay.name == "production":  # the cloud's, at an address
        assert policy.allows("egress", host, int(port))
    elif services:
        pods = Pod(twin.overlay.namespace, services[0]["spec"]["selector"])
        assert policy.allows("egress", pods, 6379)
    else:
        assert twin.overlay.name == "base", "it leaves Redis to an overlay"


def rendered(*options: str) -> Policy:
    return of_agent(HELM.template(Release(AGENT, "prod", "shop", options)), "prod-gemini-agent")


def test_an_empty_list_of_namespaces_lets_nobody_in() -> None:
    policy = rendered("--set-json", "networkPolicy.fromNamespaces=[]")
    for somebody in (Pod("ingress-nginx"), Pod("shop"), INTERNET):
        assert not reached(policy, "ingress", somebody)


def test_another_port_of_redis_is_that_of_its_service_and_not_of_its_pods() -> None:
    release = Release(AGENT, "prod", "shop", ("--set", "redis.port=6380"))
    tree = HELM.template(release)
    service = one(tree, "Service", "prod-redis-master")["spec"]
    (port,) = service["ports"]
    (config,) = [body for body in tree if body["kind"] == "ConfigMap"]
    assert (port["port"], config["data"]["REDIS_PORT"]) == (6380, "6380")
    (container,) = one(tree, "Deployment", "prod-redis")["spec"]["template"]["spec"]["containers"]
    (listening,) = [one for one in container["ports"] if one["name"] == port["targetPort"]]
    redis = Pod("shop", service["selector"])
    agent = of_agent(tree, "prod-gemini-agent")
    assert agent.allows("egress", redis, listening["containerPort"])
    of_redis = Policy(
        one(tree, "NetworkPolicy", "prod-redis"), {port["targetPort"]: listening["containerPort"]}
    )
    caller = Pod("shop", agent.body["spec"]["podSelector"]["matchLabels"])
    assert of_redis.allows("ingress", caller, listening["containerPort"])


def test_what_a_cluster_does_not_have_is_closed() -> None:
    closed = rendered("--set-json", 'networkPolicy={"metadataServer":false,"database":null}')
    assert reached(closed, "egress", "169.254.169.254") == {53}
    assert reached(closed, "egress", PRIVATE[0]) == {53}
