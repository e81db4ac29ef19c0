"""The API as a service: where it listens, TLS, and options that do not go together."""

import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from rollout.cli.cluster_commands import _api
from rollout.controller.caches import Caches
from rollout.kube.client import HttpCluster
from rollout.sandbox.apiserver import ApiServer
from rollout.server.parts import Parts
from rollout.server.service import Api
from rollout.server.settings import ApiSettings
from tests.server.certificates import certificate

pytestmark = pytest.mark.system


@pytest.fixture
def parts() -> Iterator[Parts]:
    with ApiServer() as server, HttpCluster.for_server(server.url, server.token) as cluster:
        caches = Caches(cluster, None, lambda _: None)
        yield Parts(cluster, caches, None, lambda: datetime.now(UTC))


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return certificate(tmp_path)


def test_with_a_certificate_it_speaks_tls(parts: Parts, pair: tuple[Path, Path]) -> None:
    api = Api(ApiSettings(certificate=pair[0], key=pair[1]), parts, CollectorRegistry())
    api.start()
    trusting = ssl.create_default_context(cafile=str(pair[0]))
    assert api.url.startswith("https://127.0.0.1:")
    answer = httpx.get(f"{api.url}/api/v1/openapi.json", verify=trusting, trust_env=False)
    assert answer.status_code == 200
    with pytest.raises(httpx.ConnectError, match="certificate"):
        httpx.get(f"{api.url}/api/v1/openapi.json", trust_env=False)
    api.stop()


def shown(api: Api, trusted: Path) -> str:
    """Connect, and give the name in the certificate that is shown."""
    trusting = ssl.create_default_context(cafile=str(trusted))
    with (
        socket.create_connection(("127.0.0.1", api.port), timeout=5) as plain,
        trusting.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        subject: Any = connection.getpeercert()
        return str(subject["subject"][0][0][1])


@pytest.fixture
def secured(parts: Parts, pair: tuple[Path, Path]) -> Iterator[Api]:
    api = Api(ApiSettings(certificate=pair[0], key=pair[1]), parts, CollectorRegistry())
    api.start()
    yield api
    api.stop()


def test_new_connections_have_the_renewed_certificate(
    secured: Api, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    context = ssl.create_default_context(cafile=str(pair[0]))
    with httpx.Client(base_url=secured.url, verify=context, trust_env=False) as kept:
        assert kept.get("/api/v1/openapi.json").status_code == 200
        assert shown(secured, pair[0]) == "rollout"
        fresh = certificate(tmp_path / "fresh", "renewed")
        for new, old in zip(fresh, pair, strict=True):
            new.rename(old)
        assert shown(secured, pair[0]) == "renewed"
        assert shown(secured, pair[0]) == "renewed"
        assert kept.get("/api/v1/openapi.json").status_code == 200, "who is connected stays so"


def test_in_the_middle_of_a_renewal_the_earlier_certificate_is_kept(
    secured: Api, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    earlier = tmp_path / "earlier.pem"
    shutil.copy(pair[0], earlier)
    fresh = certificate(tmp_path / "fresh", "renewed")
    shutil.copy(fresh[0], pair[0])
    assert shown(secured, earlier) == "rollout", "the key is not that of the certificate"
    pair[1].unlink()
    assert shown(secured, earlier) == "rollout", "there is no key"
    shutil.copy(fresh[1], pair[1])
    assert shown(secured, fresh[0]) == "renewed"


def test_a_certificate_that_is_none_is_said_before_anything_runs(
    parts: Parts, tmp_path: Path
) -> None:
    broken = tmp_path / "cert.pem"
    broken.write_text("nothing")
    with pytest.raises(ValueError, match=r"--api-tls-cert .*cert\.pem with --api-tls-key"):
        Api(ApiSettings(certificate=broken, key=broken), parts, CollectorRegistry())


def test_a_port_that_is_taken_is_an_error_at_once(parts: Parts) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = ApiSettings(port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            Api(settings, parts, CollectorRegistry())


def test_an_api_that_has_ended_is_a_problem_of_the_daemon(parts: Parts) -> None:
    api = Api(ApiSettings(), parts, CollectorRegistry())
    assert api.problems() == []
    api.start()
    assert api.problems() == []
    api.stop()
    assert api.problems() == ["the API has ended"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--api-tls-cert", "a"], "--api-tls-cert and --api-tls-key, both or none"),
        (["--api-tls-cert", "a", "--api-tls-key", "b"], "without --api-port"),
        (["--api-audience", "rollout"], "--api-audience without --api-port"),
        (["--api-port", "many"], "'many' is no whole number"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    options: list[str], said: str, tmp_path: Path
) -> None:
    with ApiServer() as server:
        kubeconfig = server.write_kubeconfig(tmp_path / "kubeconfig")
        command = [sys.executable, "-m", "rollout", "--kubeconfig", str(kubeconfig), "controller"]
        done = subprocess.run(
            [*command, *options], capture_output=True, text=True, timeout=40, check=False
        )
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())


def test_an_audience_that_was_given_is_used() -> None:
    settings = _api(0, "127.0.0.1", None, None, "rollout")
    assert settings is not None
    assert settings.audience == "rollout"
