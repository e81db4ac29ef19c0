"""The node is asked for logs, commands and ports of its pods, by either API server.

kubectl is the judge where it can be: it knows nothing of who answers.
"""

import io
import os
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from rollout.kube.client import HttpCluster
from rollout.kube.commands import CommandRequest, Streams, run_command
from rollout.kube.errors import Forbidden, NotFound, Refused, ServerFault
from rollout.kube.podlogs import LogRequest, follow_log
from rollout.kube.relay import connect, relay
from rollout.resources.objects import name_of
from rollout.resources.writes import Create, Kind
from rollout.sandbox.agent import ADDRESS_MAP, BackOff, NodeAgent, Settings
from rollout.sandbox.agent.logs import LOOK_SECONDS
from rollout.sandbox.apiserver import ApiServer
from tests.controlplane.access import Access
from tests.sandbox.practice import SERVICE, Shop, deployment, until

pytestmark = [pytest.mark.system, pytest.mark.controlplane]
Kubectl = Callable[..., subprocess.CompletedProcess[str]]
NODE = "node-of-streams"


@pytest.fixture(scope="module", params=["practice", "real"])
def shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Shop, Path]]:
    """A pod that runs and one that crashes, behind each API server, and a kubeconfig."""
    kubeconfig = tmp_path_factory.mktemp("streams") / "kubeconfig"
    if request.param == "practice":
        with ApiServer() as server:
            server.write_kubeconfig(kubeconfig)
            cluster = HttpCluster.for_server(server.url, server.token)
            yield from running(cluster, Settings(node=NODE, namespace="default"), kubeconfig)
    else:
        access: Access = request.getfixturevalue("control_plane")
        cluster = HttpCluster.for_server(access.url, access.token(), str(access.ca_file))
        namespace = fresh_namespace(cluster)
        access.write_kubeconfig(kubeconfig, user="admin", namespace=namespace)
        settings = Settings(node=NODE, namespace=namespace, tls=access.kubelet_tls)
        yield from running(cluster, settings, kubeconfig)


def fresh_namespace(cluster: HttpCluster) -> str:
    name = f"streams-{secrets.token_hex(4)}"
    cluster.apply(Create(Kind.NAMESPACE, "", {"metadata": {"name": name}}))
    accounts = partial(cluster.list, Kind.SERVICE_ACCOUNT, name)
    until(lambda: accounts().items, "the namespace can have pods")
    return name


def running(
    cluster: HttpCluster, settings: Settings, kubeconfig: Path
) -> Iterator[tuple[Shop, Path]]:
    found = Shop(cluster, str(settings.namespace))
    calm = Settings(**{**vars(settings), "back_off": BackOff(0.2, 0.5)})
    with NodeAgent(cluster, calm):
        broken = deployment("v1-crash0.3", name="broken", replicas=1, labels={"tier": "broken"})
        found.create(deployment("v1", replicas=1), broken)
        found.await_ready(SERVICE, 1)
        yield found, kubeconfig
        for name in (SERVICE, "broken"):
            found.delete(Kind.DEPLOYMENT, name)
        until(lambda: not found.pods(app=SERVICE), "all pods are gone")
    cluster.close()


@pytest.fixture
def kubectl(shop: tuple[Shop, Path], kubectl_program: Path) -> Kubectl:
    def call(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [kubectl_program, "kubectl", "--kubeconfig", shop[1], *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    return call


def pod_of(shop: tuple[Shop, Path], name: str = SERVICE) -> str:
    """The pod that was not told to stop."""
    hash_ = shop[0].hash_of(name, "v1" if name == SERVICE else "v1-crash0.3")
    return name_of(shop[0].pods(**{"pod-template-hash": hash_})[0])


def test_kubectl_reads_a_log(shop: tuple[Shop, Path], kubectl: Kubectl) -> None:
    said = kubectl("logs", pod_of(shop), "--timestamps", "--since=1h")
    stamp, _, text = said.stdout.partition(" ")
    assert text.startswith("listening on 127.244."), said.stderr
    assert stamp.endswith("Z")
    assert kubectl("logs", pod_of(shop), "--tail=0").stdout == ""


def test_the_run_before_a_crash_is_kept(shop: tuple[Shop, Path], kubectl: Kubectl) -> None:
    refused = kubectl("logs", pod_of(shop), "--previous")
    assert "previous terminated container" in refused.stderr
    broken = pod_of(shop, "broken")
    until(lambda: "crashing" in kubectl("logs", broken, "--previous").stdout, "it has crashed")


def test_kubectl_runs_a_command_with_the_pods_environment(
    shop: tuple[Shop, Path], kubectl: Kubectl
) -> None:
    done = kubectl("exec", pod_of(shop), "--", "sh", "-c", "echo $HOSTNAME; echo no >&2; exit 3")
    assert (done.returncode, done.stdout) == (3, f"{pod_of(shop)}\n")
    assert "no\n" in done.stderr
    assert kubectl("exec", "-i", pod_of(shop), "--", "cat", stdin="a\nb").stdout == "a\nb"
    assert kubectl("exec", pod_of(shop), "--", "nonsense").returncode == 127


def test_an_output_of_many_messages_comes_whole(shop: tuple[Shop, Path]) -> None:
    code, said, _ = ours(shop, "head", "-c", "3000000", "/dev/zero")
    assert (code, len(said)) == (0, 3000000)


def ours(
    shop: tuple[Shop, Path], *command: str, stdin: bytes = b"", tty: bool = False
) -> tuple[int, bytes, bytes]:
    """Run a command with our own client."""
    request = CommandRequest(
        shop[0].namespace, pod_of(shop), "web", command, stdin=bool(stdin), tty=tty
    )
    with open_files(3) as (read, out, err):
        os.write(read, stdin)
        os.lseek(read, 0, os.SEEK_SET)
        code = run_command(shop[0].cluster, request, Streams(read, out, err, lambda: (77, 11)))
        return code, content(out), content(err)


class open_files:  # noqa: N801 - reads as what it does
    def __init__(self, count: int) -> None:
        self.numbers = [os.memfd_create(str(n)) for n in range(count)]

    def __enter__(self) -> list[int]:
        return self.numbers

    def __exit__(self, *_: object) -> None:
        for number in self.numbers:
            os.close(number)


def content(number: int) -> bytes:
    os.lseek(number, 0, os.SEEK_SET)
    with io.FileIO(number, closefd=False) as file:
        return file.readall()


def test_our_input_and_its_end_reach_a_command(shop: tuple[Shop, Path]) -> None:
    assert ours(shop, "wc", "-c", stdin=b"x" * 200000) == (0, b"200000\n", b"")


def test_a_command_in_a_terminal_knows_its_size(shop: tuple[Shop, Path]) -> None:
    code, said, _ = ours(shop, "sh", "-c", "sleep 0.3; stty size; test -t 0", tty=True)
    assert (code, said) == (0, b"11 77\r\n")


def test_a_command_ends_with_its_client(shop: tuple[Shop, Path], tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    request = CommandRequest(
        shop[0].namespace, pod_of(shop), "web", ("sh", "-c", f"echo $$ > {mark}; exec sleep 100")
    )
    connection = shop[0].cluster.socket(
        request.namespace, request.pod, "exec", request.query(), ("v5.channel.k8s.io",)
    )
    pid = int(until(lambda: mark.exists() and mark.read_text(), "it runs"))
    connection.close()
    until(lambda: not Path(f"/proc/{pid}").exists(), "it has ended")


def test_what_cannot_be_reached_is_refused_with_its_status(shop: tuple[Shop, Path]) -> None:
    cluster = shop[0].cluster
    with pytest.raises(NotFound, match="nobody"):
        connect(cluster, shop[0].namespace, "nobody", 8080)
    with pytest.raises(Refused, match="container nope is not valid for pod"):
        list(
            follow_log(cluster, LogRequest(shop[0].namespace, pod_of(shop), "nope"), lambda: False)
        )
    with pytest.raises(Refused) as refused:
        cluster.socket(
            shop[0].namespace, pod_of(shop), "exec", [("container", "nope")], ("v4.channel.k8s.io",)
        )
    assert refused.value.status == 400


@pytest.fixture
def local(shop: tuple[Shop, Path]) -> Iterator[tuple[str, int]]:
    """A local port that leads to the pod's, over the API server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=carry, args=(client,), daemon=True).start()

        def carry(client: socket.socket) -> None:
            with (
                client,
                connect(shop[0].cluster, shop[0].namespace, pod_of(shop), 8080) as connection,
            ):
                relay(client, connection)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()
        listener.shutdown(socket.SHUT_RDWR)


def test_many_requests_at_once_go_through_a_port(local: tuple[str, int]) -> None:
    url = f"http://{local[0]}:{local[1]}/"
    with httpx.Client(trust_env=False) as first, httpx.Client(trust_env=False) as second:
        for client in (first, second) * 10:
            assert client.get(url, timeout=5.0).headers["x-version"] == "v1"


@pytest.mark.parametrize("half", [True, False], ids=["half-closed", "closed"])
def test_a_client_that_has_said_its_last_word_gets_its_answer_and_is_let_go(
    shop: tuple[Shop, Path],
    half: bool,  # noqa: FBT001
) -> None:
    ours_, theirs = socket.socketpair()
    with ours_, theirs, connect(shop[0].cluster, shop[0].namespace, pod_of(shop), 8080) as reached:
        thread = threading.Thread(target=relay, args=(theirs, reached))
        thread.start()
        ours_.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
        if half:
            ours_.shutdown(socket.SHUT_WR)
        assert ours_.recv(1 << 16).startswith(b"HTTP/1.1 200 OK")
        if not half:
            ours_.close()
        thread.join(3)
        assert not thread.is_alive()


def test_kubectl_forwards_a_port(shop: tuple[Shop, Path], kubectl_program: Path) -> None:
    command = ["kubectl", "--kubeconfig", str(shop[1]), "port-forward", pod_of(shop), ":8080"]
    with subprocess.Popen(
        [kubectl_program, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = f"http://{line.split()[2]}/"
        try:
            with httpx.Client(trust_env=False) as first, httpx.Client(trust_env=False) as second:
                for client in (first, second) * 5:
                    assert client.get(url, timeout=5.0).headers["x-version"] == "v1"
                assert "http_requests_total" in httpx.get(f"{url}metrics", trust_env=False).text
        finally:
            process.terminate()


def test_kubectl_is_told_of_a_port_that_nobody_listens_on(
    shop: tuple[Shop, Path], kubectl_program: Path
) -> None:
    command = ["kubectl", "--kubeconfig", str(shop[1]), "port-forward", pod_of(shop), ":1"]
    with subprocess.Popen(
        [kubectl_program, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        url = f"http://{process.stdout.readline().split()[2]}/"
        with pytest.raises(httpx.TransportError):
            httpx.get(url, timeout=5.0, trust_env=False)
        said = iter(process.stdout.readline, "")
        assert any("failed to connect to the pod" in line for line in said)
        process.terminate()


def test_a_flood_both_ways_at_once_neither_stops_nor_loses_a_byte(
    shop: tuple[Shop, Path],
) -> None:
    """An echo of more than all buffers between: whoever only writes would wait for ever."""
    pod = shop[0].get(Kind.POD, pod_of(shop))
    echo = socket.create_server((ADDRESS_MAP.reach(str(pod["status"]["podIP"])), 0))
    connection = connect(shop[0].cluster, shop[0].namespace, pod_of(shop), echo.getsockname()[1])
    ours_, theirs = socket.socketpair()
    flood, back = os.urandom(1 << 20) * 16, bytearray()
    with echo, connection, ours_, theirs:
        threads = [
            threading.Thread(target=echoing, args=(echo, len(flood))),
            threading.Thread(target=relay, args=(theirs, connection)),
            threading.Thread(target=ours_.sendall, args=(flood,)),
        ]
        for thread in threads:
            thread.start()
        while len(back) < len(flood):
            back += ours_.recv(1 << 16)
        for thread in threads:
            thread.join(10)
    assert bytes(back) == flood


def echoing(listener: socket.socket, left: int) -> None:
    client, _ = listener.accept()
    with client:
        while left:
            data = client.recv(1 << 16)
            client.sendall(data)
            left -= len(data)


def test_a_port_that_nobody_listens_on_is_said(shop: tuple[Shop, Path]) -> None:
    ours_, theirs = socket.socketpair()
    reached = connect(shop[0].cluster, shop[0].namespace, pod_of(shop), 1)
    said = pytest.raises(ServerFault, match="failed to connect to port 1 of the pod")
    with ours_, theirs, reached as connection, said:
        relay(theirs, connection)


def test_a_log_that_is_followed_ends_with_its_container(shop: tuple[Shop, Path]) -> None:
    lines = until(lambda: followed(shop), "a run of the pod that crashes is seen to its end")
    assert lines[-1] == "crashing, as dialled"


def test_a_reader_who_has_left_is_no_error(
    shop: tuple[Shop, Path], caplog: pytest.LogCaptureFixture
) -> None:
    found = shop[0]
    found.create(deployment("v1", name="brief", replicas=1, labels={"tier": "brief"}))
    found.await_ready("brief", 1)
    (pod,) = found.pods(tier="brief")
    request = LogRequest(found.namespace, name_of(pod), "web", follow=True)
    reading = follow_log(found.cluster, request, lambda: False)
    assert next(reading).text.startswith("listening on")
    reading.close()
    found.delete(Kind.DEPLOYMENT, "brief")
    until(lambda: not found.pods(tier="brief"), "its pod is gone")
    time.sleep(5 * LOOK_SECONDS)  # the node has looked, and ended what nobody reads
    assert [one.getMessage() for one in caplog.records if one.name == "aiohttp.server"] == []


def followed(shop: tuple[Shop, Path]) -> list[str]:
    request = LogRequest(shop[0].namespace, pod_of(shop, "broken"), "web", follow=True)
    try:
        return [line.text for line in follow_log(shop[0].cluster, request, lambda: False)]
    except Refused:
        return []


def test_the_node_lets_in_nobody_else(shop: tuple[Shop, Path]) -> None:
    status = shop[0].cluster.get(Kind.NODE, "", NODE)["status"]
    host = status["addresses"][0]["address"]
    port = status["daemonEndpoints"]["kubeletEndpoint"]["Port"]
    path = f"{host}:{port}/containerLogs/{shop[0].namespace}/{pod_of(shop)}/web"
    if shop[0].cluster._wire.configuration.host.startswith("https"):
        with pytest.raises(httpx.TransportError):
            httpx.get(f"https://{path}", verify=False, trust_env=False)  # noqa: S501
    else:
        header = {"Authorization": "Bearer guessed"}
        assert httpx.get(f"http://{path}", headers=header, trust_env=False).status_code == 401
    assert status["declaredFeatures"] == ["ExtendWebSocketsToKubelet"]


def test_who_may_not_is_told_so_in_the_clusters_words(control_plane: Access) -> None:
    bob = control_plane.token("bob")
    with HttpCluster.for_server(control_plane.url, bob, str(control_plane.ca_file)) as cluster:
        with pytest.raises(Forbidden, match=r'"bob" cannot get resource "pods/portforward"'):
            connect(cluster, "default", "web", 8080)
        with pytest.raises(Forbidden, match='"pods/log"'):
            list(follow_log(cluster, LogRequest("default", "web", "web"), lambda: False))
