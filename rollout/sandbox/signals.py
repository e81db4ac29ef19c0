"""Waiting for the order to stop, the same way in every process of the practice cluster."""

import signal

from rollout.controller.orders import SIGNALS, Orders


def wait_for_stop() -> None:
    """Block until SIGTERM or SIGINT; more of them do not disturb what is done then.

    Call it on the main thread.
    """
    orders = Orders()
    for number in SIGNALS:
        signal.signal(number, orders.signalled)
    orders.wait()
