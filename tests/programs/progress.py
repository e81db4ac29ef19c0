"""Progress of a build that takes minutes, for people and for logs.

On a terminal one line is kept up to date; in a log a line is written at each new stage and at
least every 30 seconds, so that nobody (and no CI that ends silent jobs) takes it for dead.
"""

import threading
import time
from types import TracebackType
from typing import Final, Self, TextIO

LOG_INTERVAL: Final = 30.0
"""Seconds between two lines when the output is not a terminal."""
TERMINAL_INTERVAL: Final = 1.0
"""Seconds between two updates of the line on a terminal."""


def clock(seconds: float) -> str:
    """Elapsed time as minutes and seconds: `6:50`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


class Progress:
    """Shows what is being done and for how long, from a thread of its own.

    Use it as a context manager; `stage()` and `detail()` may be called from any thread.
    """

    def __init__(self, stream: TextIO, *, title: str) -> None:
        self._stream = stream
        self._title = title
        self._terminal = stream.isatty()
        self._started = time.monotonic()
        self._stage = "starting"
        self._detail = ""
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()
        if self._terminal:
            self._stream.write("\n")
            self._stream.flush()

    @property
    def elapsed(self) -> float:
        """Seconds since this progress was made."""
        return time.monotonic() - self._started

    def stage(self, text: str) -> None:
        """Name the next stage and show it at once."""
        with self._lock:
            self._stage, self._detail = text, ""
        self._show()

    def detail(self, text: str) -> None:
        """Say how far the stage is; shown at the next interval."""
        with self._lock:
            self._detail = text

    def _run(self) -> None:
        interval = TERMINAL_INTERVAL if self._terminal else LOG_INTERVAL
        while not self._done.wait(interval):
            self._show()

    def _show(self) -> None:
        with self._lock:
            text = f"[{clock(self.elapsed)}] {self._title}: {self._stage} {self._detail}".rstrip()
            self._stream.write(f"\r\x1b[K{text}" if self._terminal else f"{text}\n")
            self._stream.flush()
