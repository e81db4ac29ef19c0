"""What stands behind an image, what it is told, and how it finds others."""

import json
import socket
import subprocess
from pathlib import Path

import pytest

from rollout.resources.writes import Kind
from rollout.sandbox.agent.environment import (
    MissingError,
    Source,
    draw,
    expand,
    read_drawn,
)
from rollout.sandbox.agent.names import table
from rollout.sandbox.service import lookup
from rollout.sandbox.service.dials import DialError, Dials, read_dials
from rollout.sandbox.service.programs import SAMPLE, agent_variables, find, module_of

CONFIG = Source(Kind.CONFIG_MAP, "config")
SECRET = Source(Kind.SECRET, "secret")
CONTAINER = {
    "envFrom": [{"configMapRef": {"name": "config"}, "prefix": "A_"}],
    "env": [
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "secret", "key": "key"}}},
        {"name": "PLAIN", "value": "x"},
        {
            "name": "MAYBE",
            "valueFrom": {"configMapKeyRef": {"name": "config", "key": "no", "optional": True}},
        },
    ],
}


def test_an_environment_is_drawn_from_its_sources() -> None:
    found = {CONFIG: {"data": {"ONE": "1"}}, SECRET: {"data": {"key": "aGlkZGVu"}}}
    drawn = read_drawn(CONTAINER)
    assert drawn.sources == {CONFIG, SECRET}
    assert draw(drawn, found, "shop") == {"A_ONE": "1", "KEY": "hidden"}


@pytest.mark.parametrize(
    ("config", "secret", "said"),
    [
        (None, {"data": {"key": ""}}, 'configmap "config" not found'),
        ({"data": {}}, None, 'secret "secret" not found'),
        ({}, {"data": {"other": ""}}, "couldn't find key key in Secret shop/secret"),
    ],
)
def test_what_is_missing_is_said_as_the_kubelet_says_it(
    config: dict[str, object] | None, secret: dict[str, object] | None, said: str
) -> None:
    with pytest.raises(MissingError, match=said):
        draw(read_drawn(CONTAINER), {CONFIG: config, SECRET: secret}, "shop")


def test_an_optional_source_may_be_missing() -> None:
    container = {"envFrom": [{"secretRef": {"name": "secret", "optional": True}}]}
    assert draw(read_drawn(container), {SECRET: None}, "shop") == {}


def test_arguments_name_variables_as_the_kubelet_reads_them() -> None:
    known = {"PASSWORD": "open $(SESAME)"}
    assert expand("--requirepass=$(PASSWORD)", known) == "--requirepass=open $(SESAME)"
    assert expand("$$(PASSWORD) $(UNKNOWN) $HOME", known) == "$(PASSWORD) $(UNKNOWN) $HOME"


def test_names_stand_for_the_ready_pods_of_a_service() -> None:
    def piece(address: str, *, ready: bool | None, service: str = "redis") -> dict[str, object]:
        labels = {"kubernetes.io/service-name": service}
        endpoint = {"addresses": [address], "conditions": {"ready": ready}}
        return {"metadata": {"namespace": "shop", "labels": labels}, "endpoints": [endpoint]}

    pieces = (
        piece("10.244.1.2", ready=True),
        piece("10.244.1.3", ready=False),
        piece("10.244.1.4", ready=None),
        {"metadata": {"namespace": "shop"}, "endpoints": None},
    )
    assert table(pieces) == {"redis.shop": ["127.244.1.2", "127.244.1.4"]}


@pytest.mark.parametrize(
    "name", ["redis", "redis.shop", "redis.shop.svc", "redis.shop.svc.cluster.local."]
)
def test_a_service_is_found_by_each_of_its_names(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "names.json"
    file.write_text(json.dumps({"redis.shop": ["127.244.1.2"], "redis.other": ["127.244.9.9"]}))
    monkeypatch.setattr(socket, "getaddrinfo", socket.getaddrinfo)
    lookup.install(file, "shop")
    found = socket.getaddrinfo(name, 6379, type=socket.SOCK_STREAM)
    assert [answer[4] for answer in found] == [("127.244.1.2", 6379)]


def test_what_is_no_service_is_asked_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "names.json"
    file.write_text("{}")
    monkeypatch.setattr(socket, "getaddrinfo", socket.getaddrinfo)
    lookup.install(file, "shop")
    assert socket.getaddrinfo("127.0.0.1", 80)[0][4][0] == "127.0.0.1"
    assert socket.getaddrinfo(None, 80)


def test_images_without_a_program_of_their_own_are_the_sample() -> None:
    assert find("web") is SAMPLE
    assert find("gemini-agent") is not SAMPLE


def test_a_tag_dials_the_agent_by_its_variables() -> None:
    tag = "v2-errors8-slow20x300-startup2-overload20-linger5"
    assert agent_variables(tag, read_dials(tag)) == {
        "APP_VERSION": tag,
        "DIAL_ERRORS": "0.08",
        "DIAL_SLOW_SHARE": "0.2",
        "DIAL_SLOW_SECONDS": "0.3",
        "DIAL_STARTUP_SECONDS": "2",
        "DIAL_NEVER_READY": "false",
        "DIAL_OVERLOAD": "20",
        "DIAL_LINGER_SECONDS": "5",
    }
    assert agent_variables("v2", Dials())["DIAL_OVERLOAD"] == "", "an empty one is none"


def test_a_command_runs_a_module_of_the_image() -> None:
    assert module_of(()) == "gemini_agent.__main__"
    assert module_of(["python", "-m", "gemini_agent.ask"]) == "gemini_agent.ask"
    with pytest.raises(DialError, match="'sh -c true' cannot be run here; write python -m MODULE"):
        module_of(["sh", "-c", "true"])


def test_other_programs_are_told_addresses_instead_of_names(tmp_path: Path) -> None:
    file = tmp_path / "names.json"
    file.write_text(json.dumps({"redis.shop": ["127.244.1.2"]}))
    shim = lookup.shim("echo", file, "shop")
    done = subprocess.run(
        [shim, "-h", "redis", "ping"], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == "-h 127.244.1.2 ping\n"
