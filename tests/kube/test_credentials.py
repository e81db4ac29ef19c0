from pathlib import Path

import pytest
import yaml

from rollout.kube.client import connect
from rollout.kube.credentials import TokenFile, from_kubeconfig, from_server
from rollout.kube.errors import NotConfigured


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)


def write(path: Path, *contexts: str, current: str | None = None, namespace: str = "") -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": c, "cluster": {"server": f"http://{c}.test"}} for c in contexts],
        "users": [{"name": c, "user": {"token": f"token-{c}"}} for c in contexts],
        "contexts": [
            {
                "name": c,
                "context": {"cluster": c, "user": c}
                | ({"namespace": namespace} if namespace else {}),
            }
            for c in contexts
        ],
        **({"current-context": current} if current else {}),
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(document))
    return path


def test_without_any_cluster_the_error_names_what_was_tried_and_the_fix() -> None:
    with pytest.raises(NotConfigured) as caught:
        connect()
    for word in ("~/.kube/config", "not a pod", "KUBECONFIG", "--kubeconfig", "rollout sandbox up"):
        assert word in str(caught.value)


def test_the_current_context_of_the_default_file_is_used(tmp_path: Path) -> None:
    write(tmp_path / ".kube/config", "a", "b", current="b", namespace="shop")
    configuration, namespace = from_kubeconfig(None, None)
    assert (configuration.host, namespace) == ("http://b.test", "shop")
    assert configuration.get_api_key_with_prefix("BearerToken") == "Bearer token-b"
    assert connect().namespace == "shop"


def test_a_context_without_a_namespace_means_default(tmp_path: Path) -> None:
    file = write(tmp_path / "config", "a", current="a")
    assert from_kubeconfig(str(file), None)[1] == "default"


def test_a_context_can_be_chosen_also_where_none_is_current(tmp_path: Path) -> None:
    file = write(tmp_path / "config", "a", "b")
    assert from_kubeconfig(str(file), "b")[0].host == "http://b.test"
    with pytest.raises(NotConfigured, match=r"no current-context is set in .*it has: a, b"):
        from_kubeconfig(str(file), None)


def test_an_unknown_context_is_answered_with_those_there_are(tmp_path: Path) -> None:
    file = write(tmp_path / "config", "a", "b", current="a")
    with pytest.raises(NotConfigured, match=r"context 'c' is not in .*it has: a, b"):
        from_kubeconfig(str(file), "c")


def test_of_several_files_the_first_decides_as_with_kubectl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = write(tmp_path / "one", "a", current="a")
    second = write(tmp_path / "two", "b", current="b")
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/none:{first}:{second}")
    assert from_kubeconfig(None, None)[0].host == "http://a.test"
    assert from_kubeconfig(None, "b")[0].host == "http://b.test"


def test_a_file_that_was_named_but_does_not_exist_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / ".kube/config", "a", current="a")
    with pytest.raises(NotConfigured, match="no such file"):
        from_kubeconfig(str(tmp_path / "other"), None)


def test_a_home_that_nobody_has_is_a_file_that_is_not_there() -> None:
    with pytest.raises(NotConfigured, match="no such file"):
        connect(kubeconfig="~no-such-user/.kube/config")


@pytest.mark.parametrize("text", ["{", "[]", "a", "contexts: 7", "contexts: [{}]"])
def test_a_file_that_is_no_kubeconfig_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(NotConfigured, match=str(file)):
        from_kubeconfig(str(file), None)


def test_in_a_pod_its_service_account_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {"token": "abc", "ca.crt": "PEM", "namespace": "shop\n"}.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    loader = "kubernetes.config.incluster_config"
    monkeypatch.setattr(f"{loader}.SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(f"{loader}.SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    monkeypatch.setattr("rollout.kube.credentials.POD_NAMESPACE_FILE", tmp_path / "namespace")
    configuration, namespace = from_kubeconfig(None, None)
    assert (configuration.host, namespace) == ("https://10.0.0.1:443", "shop")
    assert configuration.get_api_key_with_prefix("BearerToken") == "Bearer abc"
    (tmp_path / "token").write_text("renewed")
    assert configuration.get_api_key_with_prefix("BearerToken") == "Bearer renewed"


def test_a_token_in_a_file_beside_the_kubeconfig_is_read_again_when_it_is_renewed(
    tmp_path: Path,
) -> None:
    file = write(tmp_path / "config", "a", current="a")
    document = yaml.safe_load(file.read_text())
    document["users"][0]["user"] = {"tokenFile": "token"}
    file.write_text(yaml.safe_dump(document))
    token = tmp_path / "token"
    token.write_text("old\n")
    configuration, _ = from_kubeconfig(str(file), None)
    assert configuration.get_api_key_with_prefix("BearerToken") == "Bearer old"
    (tmp_path / "renewed").write_text("new")
    (tmp_path / "renewed").replace(token)
    assert configuration.get_api_key_with_prefix("BearerToken") == "Bearer new"


def test_a_token_that_is_away_for_a_moment_or_empty_is_kept(tmp_path: Path) -> None:
    configuration, token = from_server("http://a.test", None, None, verify=True), tmp_path / "token"
    token.write_text("old")
    TokenFile(token).renew(configuration)
    token.unlink()
    assert configuration.get_api_key_with_prefix("BearerToken") == "Bearer old"
    token.write_text("")
    assert configuration.get_api_key_with_prefix("BearerToken") == "Bearer old"
    token.write_text("new")
    assert configuration.get_api_key_with_prefix("BearerToken") == "Bearer new"


def test_a_token_file_that_was_never_there_is_named(tmp_path: Path) -> None:
    file = write(tmp_path / "config", "a", current="a")
    document = yaml.safe_load(file.read_text())
    document["users"][0]["user"] = {"tokenFile": "nowhere/token"}
    file.write_text(yaml.safe_dump(document))
    with pytest.raises(NotConfigured, match="nowhere/token"):
        from_kubeconfig(str(file), None)


def test_a_server_can_be_used_without_a_token() -> None:
    configuration = from_server("http://127.0.0.1:1/", None, None, verify=False)
    assert (configuration.host, configuration.api_key) == ("http://127.0.0.1:1", {})
    assert not configuration.verify_ssl


def test_this_machine_is_reached_without_the_proxy_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:3128")
    assert from_server("http://cluster.test", "t", None, verify=True).proxy
    for url in ("http://127.0.0.1:8001", "http://localhost:8001", "http://[::1]:8001"):
        assert from_server(url, "t", None, verify=True).proxy is None
    file = write(tmp_path / "config", "a", current="a")
    chosen = yaml.safe_load(file.read_text())
    chosen["clusters"][0]["cluster"] = {
        "server": "http://127.0.0.1:8001",
        "proxy-url": "http://chosen.test",
    }
    file.write_text(yaml.safe_dump(chosen))
    assert from_kubeconfig(str(file), None)[0].proxy == "http://chosen.test"
