"""Waiting for the order to stop, the same way in every process of the practice cluster."""

import signal
import threading


def wait_for_stop() -> None:
    """Block until SIGTERM or SIGINT. Call it on the main thread."""
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    told.wait()
