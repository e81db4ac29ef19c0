"""A WebSocket to a pod, by way of the API server: several streams, told by the first byte.

The official client has helpers for this; they wait for ever while they connect, keep all that comes
in memory, and report a refusal as a text without its status. What is taken from them is what they
are made of: the library `websocket`, and how a proxy is worded. Credentials and TLS are those of
every other call, also a token that is renewed.
"""

import json
import select
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import urlencode

from kubernetes.client import Configuration
from kubernetes.stream.ws_client import websocket_proxycare
from websocket import (
    ABNF,
    WebSocket,
    WebSocketBadStatusException,
    WebSocketConnectionClosedException,
    WebSocketException,
)

from rollout.kube.errors import ClusterError, Unreachable, refusal

V4: Final = "v4.channel.k8s.io"
V5: Final = "v5.channel.k8s.io"
CLOSE: Final = 255
"""In V5: the stream whose number follows has ended."""

NOTHING: Final = -1
MESSAGES: Final = frozenset({ABNF.OPCODE_BINARY, ABNF.OPCODE_TEXT})
CONNECT_SECONDS: Final = 10.0
SEND_SECONDS: Final = 30.0
"""How long the other side may take nothing before the connection counts as dead."""
CHUNK: Final = 1 << 15


@dataclass
class PodSocket:
    """An open connection to a pod. One thread at a time; raises only ClusterError."""

    name: str
    _socket: WebSocket
    _unsent: bytes = field(default=b"", init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def can_end_streams(self) -> bool:
        """Whether one stream can be ended and the others go on."""
        return bool(self._socket.subprotocol == V5)

    def fileno(self) -> int:
        """Return the descriptor to wait on; see `waiting` first."""
        return self._line.fileno()

    @property
    def waiting(self) -> bool:
        """Whether something has come that the descriptor no longer tells of."""
        line = self._line
        return isinstance(line, ssl.SSLSocket) and line.pending() > 0

    @property
    def unsent(self) -> bool:
        """Whether something offered has yet to be taken by the network: `flush` when writable."""
        return bool(self._unsent)

    @property
    def _line(self) -> socket.socket:
        line = self._socket.sock
        if line is None:
            raise Unreachable(f"the connection to {self.name} has ended")
        return line

    def receive(self) -> tuple[int, bytes] | None:
        """Give the next message: stream and data, or None at the end. Waits for all of it.

        What only keeps the connection alive is of the stream `NOTHING`.
        """
        try:
            operation, frame = self._socket.recv_data_frame(control_frame=True)
        except (WebSocketConnectionClosedException, ConnectionError):
            return None
        except (WebSocketException, OSError) as error:
            raise Unreachable(f"the connection to {self.name} broke: {error}") from error
        if operation == ABNF.OPCODE_CLOSE:
            return None
        data = bytes(frame.data) if operation in MESSAGES else b""
        return (data[0], data[1:]) if data else (NOTHING, b"")

    def offer(self, stream: int, data: bytes) -> None:
        """Begin to send: what the network does not take at once waits for `flush`."""
        frame = ABNF.create_frame(bytes([stream]) + data, ABNF.OPCODE_BINARY)
        self._unsent += frame.format()
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as the network takes it."""
        line = self._line
        try:
            while self._unsent and select.select([], [line], [], 0)[1]:
                self._unsent = self._unsent[line.send(self._unsent[:CHUNK]) :]
        except OSError as error:
            raise Unreachable(f"the connection to {self.name} broke: {error}") from error

    def send(self, stream: int, data: bytes) -> None:
        """Send, and wait until the network has taken it."""
        self.offer(stream, data)
        while self._unsent:
            if not select.select([], [self._line], [], SEND_SECONDS)[1]:
                raise Unreachable(f"{self.name} has taken nothing for {SEND_SECONDS:g} s")
            self.flush()

    def end(self, stream: int) -> None:
        """Tell that no more comes on a stream; where that cannot be told, nothing."""
        if self.can_end_streams:
            self.send(CLOSE, bytes([stream]))

    def close(self) -> None:
        """End the connection, without waiting for the other side."""
        line = self._socket.sock
        if line is not None:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            self._socket.shutdown()


def open_socket(
    configuration: Configuration,
    path: str,
    query: Sequence[tuple[str, str]],
    protocols: Sequence[str],
) -> PodSocket:
    """Connect, in bounded time. Raises ClusterError."""
    host = str(configuration.host)
    name = f"{host}{path}"
    url = f"{name}?{urlencode(query)}".replace("http", "ws", 1)
    made = WebSocket(sslopt=_tls(configuration), skip_utf8_validation=True)
    try:
        made.connect(url, **_options(configuration, url, protocols))
    except WebSocketBadStatusException as error:
        raise _refused(path, error) from error
    except (WebSocketException, OSError, ValueError) as error:
        raise Unreachable(f"no answer from {host} to {path}: {error}") from error
    made.settimeout(SEND_SECONDS)
    return PodSocket(path, made)


def _options(configuration: Configuration, url: str, protocols: Sequence[str]) -> dict[str, Any]:
    bearer = configuration.auth_settings().get("BearerToken")
    token = bearer["value"] if bearer is not None else None
    headers = [f"authorization: {token}"] if token else []
    options: dict[str, Any] = {
        "header": headers,
        "subprotocols": list(protocols),
        "timeout": CONNECT_SECONDS,
        "suppress_origin": True,  # that is for browsers
    }
    if configuration.proxy or configuration.proxy_headers:
        found: dict[str, Any] = websocket_proxycare(options, configuration, url, None)
        return found
    return {**options, "http_no_proxy": ["*"]}  # the configuration has decided about proxies


def _tls(configuration: Configuration) -> dict[str, Any]:
    if not str(configuration.host).startswith("https"):
        return {}
    chosen: dict[str, Any] = {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}
    if configuration.verify_ssl:
        chosen = {
            "cert_reqs": ssl.CERT_REQUIRED,
            "check_hostname": configuration.assert_hostname is not False,
        }
    named = {
        "ca_certs": configuration.ssl_ca_cert,
        "certfile": configuration.cert_file,
        "keyfile": configuration.key_file,
        "server_hostname": configuration.tls_server_name,
    }
    return {**chosen, **{key: value for key, value in named.items() if value}}


def _refused(path: str, error: WebSocketBadStatusException) -> ClusterError:
    text = (error.resp_body or b"").decode(errors="replace")
    try:
        payload: Mapping[str, Any] = json.loads(text)
    except ValueError:
        payload = {}
    said = payload if "message" in payload else {"message": f"{path}: {text.strip()[:500]}"}
    return refusal(error.status_code, said)
