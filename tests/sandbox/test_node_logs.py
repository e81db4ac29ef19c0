"""Logs of practice pods: stamped as they are written, cut as a kubelet cuts them."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rollout.sandbox.agent.logs import BadOptionError, LogOptions, read_log
from rollout.sandbox.service.logs import LONGEST, StampedLog

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def written(path: Path, *said: bytes) -> Path:
    reading, writing = os.pipe()
    log = StampedLog(reading, str(path))
    for piece in said:
        os.write(writing, piece)
        log.copy()
    os.close(writing)
    log.close()
    return path


def given(path: Path, **options: str) -> bytes:
    async def collect() -> bytes:
        chosen = LogOptions.read(options, NOW)
        return b"".join([piece async for piece in read_log(path, chosen, lambda: True)])

    return asyncio.run(collect())


def test_each_line_bears_its_moment_and_comes_back_as_it_was_said(tmp_path: Path) -> None:
    log = written(tmp_path / "log", b"one\ntw", b"o\n\nthree")
    assert [line.split(b" ")[1:3] for line in log.read_bytes().splitlines()] == [
        [b"stdout", b"F"],
        [b"stdout", b"F"],
        [b"stdout", b"F"],
        [b"stdout", b"P"],
    ]
    assert given(log) == b"one\ntwo\n\nthree"


def test_a_long_line_is_kept_in_pieces_and_read_as_one(tmp_path: Path) -> None:
    long = b"x" * (2 * LONGEST + 5) + b"\n"
    log = written(tmp_path / "log", long[:LONGEST], long[LONGEST:], b"end\n")
    assert max(map(len, log.read_bytes().splitlines())) < LONGEST + 60
    assert given(log) == long + b"end\n"


def test_the_last_lines_and_the_first_bytes(tmp_path: Path) -> None:
    log = written(tmp_path / "log", b"".join(b"%d\n" % n for n in range(10)))
    assert given(log, tailLines="3") == b"7\n8\n9\n"
    assert given(log, tailLines="0") == b""
    assert given(log, limitBytes="5") == b"0\n1\n2"


def test_lines_since_a_moment(tmp_path: Path) -> None:
    log = tmp_path / "log"
    stamps = (NOW - timedelta(seconds=back) for back in (90, 60, 30))
    log.write_text("".join(f"{s:%Y-%m-%dT%H:%M:%S.%fZ} stdout F {s:%S}\n" for s in stamps))
    assert given(log, sinceSeconds="60") == b"00\n30\n"
    assert given(log, sinceTime="2026-11-26T11:59:30Z") == b"30\n"
    assert given(log, sinceSeconds="30", timestamps="true").startswith(b"2026-11-26T11:59:30.0")


def test_a_followed_log_ends_with_its_process(tmp_path: Path) -> None:
    log = written(tmp_path / "log", b"first\n")
    alive = iter((True, True))

    async def follow() -> list[bytes]:
        pieces = []
        options = LogOptions(follow=True)
        async for piece in read_log(log, options, lambda: not next(alive, False)):
            pieces.append(piece)
            if len(pieces) == 1:
                written(log, b"second\n")
        return pieces

    assert asyncio.run(follow()) == [b"first\n", b"second\n"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tailLines": "-1"}, "tailLines: '-1' is not a number of at least 0"),
        ({"sinceTime": "noon"}, "sinceTime: 'noon' is not a time"),
    ],
)
def test_an_option_that_is_none_is_named(options: dict[str, str], said: str) -> None:
    with pytest.raises(BadOptionError, match=said):
        LogOptions.read(options, NOW)
