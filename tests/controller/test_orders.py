"""Orders to end are heard, also where the system wakes nobody for them."""

import signal
import subprocess
import sys
import threading
import time

import pytest

from rollout.controller.orders import HEARD_WITHIN, SIGNALS, Orders

ELSEWHERE = """
import signal, threading, time
from rollout.controller.orders import Orders

def other():
    time.sleep(0.3)  # the main thread waits by now, and stays asleep: the signal is not for it
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    time.sleep(60)

orders = Orders()
with orders.heeded():
    threading.Thread(target=other, daemon=True).start()
    print(orders.wait())
"""


def test_a_signal_that_another_thread_gets_is_heard() -> None:
    command = [sys.executable, "-c", ELSEWHERE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (done.stdout, done.stderr) == ("SIGTERM\n", "")


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_is_an_order_and_the_handlers_are_put_back(number: signal.Signals) -> None:
    before = [signal.getsignal(one) for one in SIGNALS]
    orders = Orders()
    with orders.heeded():
        signal.raise_signal(number)
        assert orders.wait() == number.name
    assert [signal.getsignal(one) for one in SIGNALS] == before


def test_a_thread_can_order_the_end_and_is_heard_at_once() -> None:
    orders = Orders()
    threading.Timer(0.1, orders.give, ("the lease was lost",)).start()
    began = time.monotonic()
    assert orders.wait() == "the lease was lost"
    assert time.monotonic() - began < HEARD_WITHIN
