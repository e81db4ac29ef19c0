"""A real Prometheus behind a guard: who may ask, how refusals read, and what is never done."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final

import pytest

from rollout.analysis.counts import Failed, Missing, Outcome, Reading
from rollout.analysis.signals import Track
from rollout.metrics import door
from rollout.metrics.addresses import AddressMap
from rollout.metrics.bounded import LARGEST
from rollout.metrics.credentials import (
    CredentialError,
    Keys,
    SecretError,
    SecretUnavailableError,
    basic,
    read_access,
)
from rollout.metrics.provider import Ask, MetricsProvider
from rollout.metrics.registry import provider
from rollout.resources.duration import seconds
from rollout.resources.metric import RatioMetric, ValueMetric
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.provider import PrometheusProvider
from tests.metrics.test_prometheus import QUERY, vector
from tests.prometheus.certificates import Authority
from tests.prometheus.proxy import Guard, Misbehaviour, Proxy, say
from tests.prometheus.server import Prometheus as Server

pytestmark = pytest.mark.system
SECRET: Final = {"secretRef": {"name": "prometheus", "key": "value"}}
TOKEN: Final[dict[str, Any]] = {"bearerToken": SECRET}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("prometheus")) as running:
        yield running


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "monitoring")


def policy(address: str, timeout: float = 5, **settings: Any) -> RolloutPolicySpec:
    chosen = {"address": address, "timeout": seconds(timeout), **settings}
    return RolloutPolicySpec(
        provider=PrometheusProvider.model_validate(chosen),
        metrics=(
            RatioMetric(name="errors"),
            ValueMetric(name="seven", query="vector(7)", max=9),
        ),
    )


def secret(data: Mapping[str, bytes]) -> Keys:
    return Keys(lambda _, __: data)


def value(text: str) -> Keys:
    return secret({"value": text.encode()})


@contextmanager
def asking(spec: RolloutPolicySpec, keys: Keys | None = None) -> Iterator[Callable[[], Outcome]]:
    """Give a function that asks by one provider, as a release does again and again."""
    asked: MetricsProvider = provider(spec, AddressMap.identity(), keys)
    try:
        yield lambda: asked.sample([Ask(spec, QUERY)], datetime.now(UTC))[0]
    finally:
        asked.close()


def ask(spec: RolloutPolicySpec, keys: Keys | None = None) -> Outcome:
    with asking(spec, keys) as once:
        return once()


def is_read(outcome: Outcome) -> bool:
    return isinstance(outcome, Reading) and outcome.values == {"seven": 7}


def why(outcome: Outcome) -> str:
    assert isinstance(outcome, Failed), outcome
    return outcome.reason


# --- headers


@pytest.mark.parametrize(
    ("settings", "sent"),
    [
        (
            {"basicAuth": {"username": "rollout", "password": SECRET}},
            {"Authorization": basic("rollout", "sésame")},
        ),
        (TOKEN, {"Authorization": "Bearer sésame"}),
        ({"headers": {"X-Team": "shop"}}, {"X-Team": "shop"}),
        ({"secretHeaders": {"X-Api-Key": SECRET}}, {"X-Api-Key": "sésame"}),
        ({"tenant": "shop"}, {"X-Scope-OrgID": "shop"}),
        ({"tenant": "shop", "tenantHeader": "X-Tenant"}, {"X-Tenant": "shop"}),
    ],
)
def test_who_asks_is_said_in_headers(
    server: Server, settings: dict[str, Any], sent: dict[str, str]
) -> None:
    sent = {name: text.replace("é", "e") for name, text in sent.items()}
    if "basicAuth" in settings:
        sent = {"Authorization": basic("rollout", "sesame")}
    with Proxy(server.address, Guard(headers=sent)) as proxy:
        assert is_read(ask(policy(proxy.address, **settings), value("sesame\n")))
        refused = why(ask(policy(proxy.address)))
    assert "refuses the query: HTTP status 401 (who are you?): check spec.provider's" in refused


def test_a_path_prefix_is_kept(server: Server) -> None:
    with Proxy(server.address, Guard(prefix="/a/b")) as proxy:
        assert is_read(ask(policy(proxy.address)))
        assert is_read(ask(policy(f"{proxy.address}/")))
        wrong = why(ask(policy(proxy.address.removesuffix("/b"))))
    assert "HTTP status 404" in wrong
    assert wrong.endswith("check the path of spec.provider.address")


def test_a_long_query_is_a_form_and_a_short_one_is_not(server: Server) -> None:
    with Proxy(server.address) as proxy:
        spec = policy(proxy.address)
        long = ValueMetric(name="long", query=f"vector(1) # {'x' * 3970}", max=9)
        spec = spec.model_copy(update={"metrics": (*spec.metrics, long)})
        outcome = ask(spec)
        assert isinstance(outcome, Reading)
        assert outcome.values == {"seven": 7, "long": 1}
        assert [one.method for one in proxy.asked] == ["GET", "GET", "POST"]


# --- TLS


@pytest.fixture
def guarded(server: Server, authority: Authority) -> Iterator[Proxy]:
    with Proxy(server.address, Guard(certificate=authority.issue("prometheus"))) as proxy:
        yield proxy


def test_an_own_authority_is_trusted_when_it_is_named(guarded: Proxy, authority: Authority) -> None:
    keys = secret({"value": authority.pem})
    assert is_read(ask(policy(guarded.address, tls={"ca": SECRET}), keys))


@pytest.mark.parametrize("settings", [{}, {"tls": {"serverName": "prometheus"}}])
def test_an_unknown_authority_is_refused(guarded: Proxy, settings: dict[str, Any]) -> None:
    refused = why(ask(policy(guarded.address, **settings)))
    assert "CERTIFICATE_VERIFY_FAILED" in refused
    assert "set spec.provider.tls.ca to the authority of its certificate" in refused
    assert guarded.asked == []


def test_another_authority_is_refused(guarded: Proxy, tmp_path: Path) -> None:
    keys = secret({"value": Authority(tmp_path, "somebody else").pem})
    refused = why(ask(policy(guarded.address, tls={"ca": SECRET}), keys))
    assert "CERTIFICATE_VERIFY_FAILED" in refused
    assert guarded.asked == []


def test_certificates_go_unchecked_only_when_that_is_said(guarded: Proxy) -> None:
    assert is_read(ask(policy(guarded.address, tls={"insecureSkipVerify": True})))


def test_the_name_in_the_certificate_counts(server: Server, authority: Authority) -> None:
    named = authority.issue("named", also="DNS:prometheus.monitoring")
    keys = secret({"value": authority.pem})
    with Proxy(server.address, Guard(certificate=named)) as proxy:
        wrong = why(ask(policy(proxy.address, tls={"ca": SECRET}), keys))
        tls = {"ca": SECRET, "serverName": "prometheus.monitoring"}
        assert is_read(ask(policy(proxy.address, tls=tls), keys))
    assert "IP address mismatch" in wrong


MUTUAL: Final = {
    "ca": {"secretRef": {"name": "prometheus", "key": "ca.crt"}},
    "certificate": {"secretRef": {"name": "prometheus", "key": "tls.crt"}},
    "key": {"secretRef": {"name": "prometheus", "key": "tls.key"}},
}


@pytest.fixture
def mutual(server: Server, authority: Authority) -> Iterator[Proxy]:
    guard = Guard(certificate=authority.issue("both"), clients=authority.own.certificate)
    with Proxy(server.address, guard) as proxy:
        yield proxy


def test_a_client_certificate_is_shown(mutual: Proxy, authority: Authority) -> None:
    keys = secret({"ca.crt": authority.pem, **authority.issue("us").data()})
    assert is_read(ask(policy(mutual.address, tls=MUTUAL), keys))


def test_without_a_client_certificate_there_is_no_answer(
    mutual: Proxy, authority: Authority
) -> None:
    refused = why(ask(policy(mutual.address, tls={"ca": SECRET}), secret({"value": authority.pem})))
    assert "does not answer" in refused
    assert "set spec.provider.tls.certificate and key, to a pair that it trusts" in refused
    assert mutual.asked == []


def test_a_client_certificate_of_another_authority_is_refused(
    mutual: Proxy, authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "somebody else").issue("us").data()
    refused = why(
        ask(policy(mutual.address, tls=MUTUAL), secret({"ca.crt": authority.pem, **stranger}))
    )
    assert "does not answer" in refused
    assert mutual.asked == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"ca.crt": b"none"}, "spec.provider.tls.ca: there is no certificate in PEM in it"),
        ({"tls.key": b"none"}, "spec.provider.tls.certificate and key: they are no pair in PEM"),
    ],
)
def test_what_is_no_certificate_is_told_by_its_field(
    mutual: Proxy, authority: Authority, data: dict[str, bytes], said: str
) -> None:
    good = {"ca.crt": authority.pem, **authority.issue("us").data()}
    assert said in why(ask(policy(mutual.address, tls=MUTUAL), secret({**good, **data})))


def test_plain_http_where_tls_is_expected_is_told(server: Server) -> None:
    address = server.address.replace("http://", "https://")
    assert "it speaks no TLS: write http:// in spec.provider.address" in why(ask(policy(address)))


# --- credentials that change, or cannot be read


class Vault:
    """A Secret that is renewed, and how often it was read."""

    def __init__(self, text: str) -> None:
        self.text: str | SecretError = text
        self.reads = 0

    def __call__(self, _namespace: str, _name: str) -> Mapping[str, bytes]:
        self.reads += 1
        if isinstance(self.text, SecretError):
            raise self.text
        return {"value": self.text.encode()}


def test_a_renewed_token_is_used_at_once_when_the_old_one_is_refused(server: Server) -> None:
    vault = Vault("old")
    guard = Guard(headers={"Authorization": "Bearer old"})
    with (
        Proxy(server.address, guard) as proxy,
        asking(policy(proxy.address, **TOKEN), Keys(vault)) as once,
    ):
        assert all(is_read(once()) for _ in range(3))
        assert vault.reads == 1, "it is not read for each query"
        time.sleep(door.AGAIN_SECONDS)
        vault.text, guard.headers = "new", {"Authorization": "Bearer new"}
        assert is_read(once())
        assert vault.reads == 2


def test_a_token_that_stays_wrong_is_not_read_again_and_again(server: Server) -> None:
    vault = Vault("wrong")
    with (
        Proxy(server.address, Guard(headers={"Authorization": "Bearer right"})) as proxy,
        asking(policy(proxy.address, **TOKEN), Keys(vault)) as once,
    ):
        assert all("HTTP status 401" in why(once()) for _ in range(5))
    assert vault.reads == 1


def test_a_renewed_certificate_is_used(mutual: Proxy, authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "somebody else").issue("us").data()
    data = {"ca.crt": authority.pem, **stranger}
    with asking(policy(mutual.address, tls=MUTUAL), secret(data)) as once:
        assert "does not answer" in why(once())
        data |= authority.issue("renewed").data()
        time.sleep(door.AGAIN_SECONDS)
        assert is_read(once())


def test_a_known_token_outlives_an_api_server_that_is_away(server: Server) -> None:
    vault = Vault("sesame")
    guard = Guard(headers={"Authorization": "Bearer sesame"})
    with (
        Proxy(server.address, guard) as proxy,
        asking(policy(proxy.address, **TOKEN), Keys(vault)) as once,
    ):
        assert is_read(once())
        vault.text = SecretUnavailableError("no answer")
        guard.headers = {"Authorization": "Bearer other"}
        time.sleep(door.AGAIN_SECONDS)
        assert "HTTP status 401" in why(once())
        guard.headers = {"Authorization": "Bearer sesame"}
        assert is_read(once())


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (SecretError("there is no Secret shop/prometheus: create it"), "there is no Secret"),
        (SecretUnavailableError("Secret shop/prometheus cannot be read now"), "cannot be read now"),
    ],
)
def test_a_secret_that_cannot_be_read_is_a_failure_that_names_the_field(
    server: Server, trouble: SecretError, said: str
) -> None:
    vault = Vault("")
    vault.text = trouble
    with Proxy(server.address) as proxy:
        refused = why(ask(policy(proxy.address, **TOKEN), Keys(vault)))
        assert proxy.asked == []
    assert "is not asked: spec.provider.bearerToken: " in refused
    assert said in refused


def access(settings: dict[str, Any], keys: Keys) -> None:
    read_access(
        PrometheusProvider.model_validate({"address": "https://p", **settings}), "shop", keys
    )


BASIC: Final[dict[str, Any]] = {"basicAuth": {"username": "rollout", "password": SECRET}}


@pytest.mark.parametrize(
    ("settings", "data", "said"),
    [
        (
            BASIC,
            {"user": b"a", "pass": b"b"},
            "basicAuth.password: Secret shop/prometheus has no key value; it has: pass, user",
        ),
        (BASIC, {}, "has no key value; it has: nothing"),
        (TOKEN, {"value": b" \n"}, "spec.provider.bearerToken: the value is empty: correct it"),
        (TOKEN, {"value": b"a\r\nX-Evil: b"}, "the value is more than one line of text"),
        (TOKEN, {"value": b"\xff\xfe"}, "spec.provider.bearerToken: the value is no text"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_by_field_and_secret(
    settings: dict[str, Any], data: dict[str, bytes], said: str
) -> None:
    with pytest.raises(CredentialError, match=re.escape(said)):
        access(settings, secret(data))


def test_a_token_never_shows_when_access_is_printed() -> None:
    given = PrometheusProvider.model_validate({"address": "https://p", **TOKEN})
    assert "sesame" not in repr(read_access(given, "shop", value("sesame")))


# --- files


def test_a_token_comes_from_a_file_as_kubernetes_mounts_it(server: Server, tmp_path: Path) -> None:
    (tmp_path / "..data-1").mkdir()
    (tmp_path / "..data-1" / "token").write_text("sesame\n")
    (tmp_path / "..data").symlink_to("..data-1")
    (tmp_path / "token").symlink_to("..data/token")
    spec: dict[str, Any] = {"bearerTokenFile": f"{tmp_path}/token"}
    with Proxy(server.address, Guard(headers={"Authorization": "Bearer sesame"})) as proxy:
        assert is_read(ask(policy(proxy.address, **spec), Keys(folder=tmp_path)))


def test_an_authority_comes_from_a_file(guarded: Proxy, authority: Authority) -> None:
    spec = policy(guarded.address, tls={"caFile": str(authority.own.certificate)})
    assert is_read(ask(spec, Keys(folder=authority.own.certificate.parent)))


def test_files_are_read_only_from_the_operators_folder(tmp_path: Path) -> None:
    outside, folder = tmp_path / "token", tmp_path / "folder"
    folder.mkdir()
    outside.write_text("the controller's own")
    (folder / "link").symlink_to(outside)
    for name in (str(outside), f"{folder}/../token", f"{folder}/link"):
        with pytest.raises(CredentialError, match=r"is not under .*folder, the only folder"):
            access({"bearerTokenFile": name}, Keys(folder=folder))
    with pytest.raises(CredentialError, match="bearerTokenFile: files are not read: start the"):
        access({"bearerTokenFile": str(outside)}, Keys())
    with pytest.raises(CredentialError, match="cannot be read: No such file"):
        access({"tls": {"caFile": f"{folder}/none"}}, Keys(folder=folder))


# --- servers that misbehave


def misbehaving(server: Server, how: Misbehaviour, timeout: float = 5, **settings: Any) -> Outcome:
    with Proxy(server.address) as proxy:
        proxy.misbehave = how
        return ask(policy(proxy.address, timeout, **settings), value("sesame"))


def answers(status: int, body: bytes, kind: str = "application/json", **headers: str) -> Any:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        say(handler, status, body, kind, **headers)

    return answer


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_no_credential_follows_it(server: Server, status: int) -> None:
    with Proxy(server.address) as elsewhere:
        away = answers(status, b"", Location=f"{elsewhere.address}/api/v1/query")
        refused = why(misbehaving(server, away, **TOKEN))
        assert elsewhere.asked == []
    assert f"it redirects ({status}) to {elsewhere.address}/api/v1/query" in refused
    assert "write the address that it means" in refused


def test_an_answer_without_end_is_cut_off(server: Server) -> None:
    sent = 0

    def flood(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.end_headers()
        piece = b'{"status": "success", ' + b" " * (1 << 20)
        with suppress(OSError):
            for _ in range(200):
                handler.wfile.write(piece)
                sent += len(piece)

    refused = why(misbehaving(server, flood, timeout=30))
    assert "answers too much: the answer is longer than 16 MiB" in refused
    assert sent < 4 * LARGEST, "it was read to its end"


def test_a_compressed_answer_is_refused(server: Server) -> None:
    packed = answers(200, b"\x1f\x8b", Content_Encoding="gzip")
    assert "it compresses (gzip) though it was not asked to" in why(misbehaving(server, packed))


@pytest.mark.parametrize("part", ["headers", "body"])
def test_an_answer_that_trickles_ends_at_the_timeout(part: str) -> None:
    start = b"HTTP/1.1 200 OK\r\n" + (b"Content-Length: 999\r\n\r\n" if part == "body" else b"")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ended = threading.Event()

        def trickle() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(start)
                while not ended.wait(0.05):
                    connection.sendall(b"X-Header: 1\r\n" if part == "headers" else b" ")

        thread = threading.Thread(target=_until_it_hangs_up, args=(trickle,))
        thread.start()
        began = time.monotonic()
        refused = why(ask(policy(f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=0.5)))
        took = time.monotonic() - began
        ended.set()
        thread.join(5)
    assert "no whole answer within 0.5s: timed out" in refused
    assert took < 2


def _until_it_hangs_up(work: Callable[[], None]) -> None:
    try:
        work()
    except OSError:
        return


ENVELOPE: Final = '{"status": "success", "data": {"resultType": "%s", "result": %s}}'


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (answers(200, b"<html>Sign in", "text/html"), "no query result (text/html, it begins with"),
        (answers(200, b"[" * 100_000), "something that is no query result"),
        (
            answers(200, b'{"status": "error", "errorType": "internal", "error": "out of sorts"}'),
            "refuses the query: status error (out of sorts)",
        ),
        (
            answers(
                200,
                vector().replace('"data"', '"warnings": ["store a is down"], "data"').encode(),
            ),
            "answers with a warning, so that it may be a part only: store a is down",
        ),
        (
            answers(200, (ENVELOPE % ("matrix", "[]")).encode()),
            "the result is a matrix",
        ),
        (
            answers(200, (ENVELOPE % ("scalar", '[1, "2"]')).encode()),
            "answers with a scalar where a vector is asked for",
        ),
        (
            answers(200, (ENVELOPE % ("vector", '[{"metric": {}, "histogram": []}]')).encode()),
            "a series is a native histogram; name its classic buckets instead",
        ),
        (answers(403, b"forbidden", "text/plain"), "HTTP status 403 (it begins with 'forbidden')"),
        (answers(502, b"<html>", "text/html"), "HTTP status 502"),
    ],
)
def test_what_is_no_whole_result_is_a_failure_with_its_reason(
    server: Server, answer: Misbehaviour, said: str
) -> None:
    assert said in why(misbehaving(server, answer))


def test_notes_on_a_whole_answer_are_no_warning(server: Server) -> None:
    noted = vector(({"rollout_counter": "9"}, "1")).replace('"data"', '"infos": ["a"], "data"')
    assert isinstance(misbehaving(server, answers(200, noted.encode())), Reading | Missing)


def test_a_number_that_is_none_is_told(server: Server) -> None:
    spec = policy(server.address)
    broken = ValueMetric(name="ratio", query="vector(0) / 0", max=1)
    outcome = ask(spec.model_copy(update={"metrics": (*spec.metrics, broken)}))
    assert isinstance(outcome, Reading)
    assert "the query of ratio gives nan, which is no number" in outcome.remarks[Track.CANDIDATE]
    assert outcome.values == {"seven": 7}
