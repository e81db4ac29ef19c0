"""As much of SPDY/3.1 as `kubectl port-forward` speaks, inside a WebSocket: frames, no I/O.

kubectl knows no other way to forward several connections over one. A frame is a control frame (the
top bit of the first byte is set) or data of a stream; headers are compressed, with one memory for
the whole connection and a dictionary that both sides know.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

_WORDS: Final = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language "
    "accept-ranges age allow authorization cache-control connection content-base content-encoding "
    "content-language content-length content-location content-md5 content-range content-type date "
    "etag expect expires from host if-match if-modified-since if-none-match if-range "
    "if-unmodified-since last-modified location max-forwards pragma proxy-authenticate "
    "proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url "
    "public set-cookie keep-alive origin"
)
_REST: Final = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request"
    "401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented"
    "503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, "
    "Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,"
    "application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,"
    "sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def _sized(word: str) -> bytes:
    return struct.pack(">I", len(word)) + word.encode()


DICTIONARY: Final = (
    b"".join(_sized(word.replace("_", " ")) for word in _WORDS.split()) + _REST.encode()
)

_CONTROL: Final = 0x8003
_SYN_REPLY: Final = 2
_PING: Final = 6
_END: Final = 1
_HEAD: Final = 8
_PING_BODY: Final = 4


@dataclass(frozen=True)
class Opened:
    """The other side has begun a stream."""

    stream: int
    headers: Mapping[str, str]
    ended: bool


@dataclass(frozen=True)
class Data:
    """Bytes of a stream; `ended`: the last ones."""

    stream: int
    data: bytes
    ended: bool


@dataclass(frozen=True)
class Reset:
    """A stream was given up."""

    stream: int


@dataclass(frozen=True)
class Ping:
    """Wants to come back as it is."""

    number: bytes


@dataclass(frozen=True)
class GoAway:
    """The other side is about to leave."""


Frame: TypeAlias = Opened | Data | Reset | Ping | GoAway


class Frames:
    """Reads and writes the frames of one connection."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Give the frames that are whole now; what is neither understood nor needed is left out."""
        self._rest += data
        while len(self._rest) >= _HEAD:
            first, second, length = _head(self._rest)
            if len(self._rest) < _HEAD + length:
                return
            body, self._rest = self._rest[_HEAD : _HEAD + length], self._rest[_HEAD + length :]
            frame = self._read(first, second, body)
            if frame is not None:
                yield frame

    def reply(self, stream: int) -> bytes:
        """Accept a stream."""
        block = self._deflate.compress(struct.pack(">I", 0))
        block += self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return _control(_SYN_REPLY, struct.pack(">I", stream) + block)

    @staticmethod
    def data(stream: int, data: bytes, *, ended: bool = False) -> bytes:
        """Say bytes on a stream."""
        return struct.pack(">II", stream, (_END if ended else 0) << 24 | len(data)) + data

    @staticmethod
    def pong(ping: Ping) -> bytes:
        """Give a ping back."""
        return _control(_PING, ping.number)

    def _read(self, first: int, flags: int, body: bytes) -> Frame | None:
        ended = bool(flags & _END)
        if not first >> 31:
            return Data(first, body, ended)
        match first & 0xFFFF:
            case 1:
                return Opened(_number(body), self._headers(body[10:]), ended)
            case 3:
                return Reset(_number(body))
            case 6:
                return Ping(body[:_PING_BODY])
            case 7:
                return GoAway()
            case _:
                return None

    def _headers(self, block: bytes) -> dict[str, str]:
        text = self._inflate.decompress(block)
        words, at = list[str](), 4
        while at < len(text):
            size = _number(text[at:])
            words.append(text[at + 4 : at + 4 + size].decode())
            at += 4 + size
        return dict(zip(words[::2], words[1::2], strict=True))


def _head(data: bytes) -> tuple[int, int, int]:
    first, second = struct.unpack(">II", data[:_HEAD])
    return first, second >> 24, second & 0xFFFFFF


def _number(data: bytes) -> int:
    return int(struct.unpack(">I", data[:4])[0]) & 0x7FFFFFFF


def _control(kind: int, body: bytes) -> bytes:
    return struct.pack(">HHI", _CONTROL, kind, len(body)) + body
