"""Frames are read however they come in pieces; kubectl itself judges the rest."""

import struct
import zlib

from rollout.sandbox.agent.spdy import DICTIONARY, Data, Frames, GoAway, Opened, Ping, Reset


def block(deflate: "zlib._Compress", **headers: str) -> bytes:
    words = [word for pair in headers.items() for word in pair]
    sized = b"".join(struct.pack(">I", len(word)) + word.encode() for word in words)
    return deflate.compress(struct.pack(">I", len(headers)) + sized) + deflate.flush(
        zlib.Z_SYNC_FLUSH
    )


def control(kind: int, body: bytes, flags: int = 0) -> bytes:
    return struct.pack(">HHI", 0x8003, kind, flags << 24 | len(body)) + body


def test_the_dictionary_is_that_of_the_protocol() -> None:
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, 0xE3C6A7C2)


def test_frames_come_whole_from_any_pieces() -> None:
    deflate = zlib.compressobj(zdict=DICTIONARY)
    said = b"".join(
        [
            control(1, struct.pack(">IIH", 1, 0, 0) + block(deflate, streamtype="error"), 1),
            control(4, b"settings"),
            control(1, struct.pack(">IIH", 3, 0, 0) + block(deflate, streamtype="data", port="80")),
            Frames.data(3, b"hello"),
            Frames.data(3, b"", ended=True),
            control(3, struct.pack(">II", 3, 5)),
            control(6, b"\0\0\0\7"),
            control(7, bytes(8)),
        ]
    )
    for size in (1, 7, len(said)):
        frames = Frames()
        pieces = [said[at : at + size] for at in range(0, len(said), size)]
        assert [frame for piece in pieces for frame in frames.feed(piece)] == [
            Opened(1, {"streamtype": "error"}, ended=True),
            Opened(3, {"streamtype": "data", "port": "80"}, ended=False),
            Data(3, b"hello", ended=False),
            Data(3, b"", ended=True),
            Reset(3),
            Ping(b"\0\0\0\7"),
            GoAway(),
        ]
