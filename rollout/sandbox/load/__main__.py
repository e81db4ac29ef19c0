"""Send load by hand: `python -m rollout.sandbox.load --url URL --host NAME --rate 100`."""

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from rollout.sandbox.load import Load, Plan, Snapshot, TargetError


def main() -> int:
    """Exit 0 when no request was lost, 1 when some were, 2 for a target that is refused."""
    parser = _parser()
    options = parser.parse_args()
    try:
        plan = Plan(
            options.url,
            host=options.host,
            rate=options.rate,
            seconds=options.seconds,
            count=options.count,
            connections=options.connections,
            timeout=options.timeout,
        )
    except TargetError as error:
        parser.error(str(error))
    snapshot = _run(Load(plan))
    _write(snapshot, options.out)
    return 1 if snapshot.lost_count else 0


def _run(load: Load) -> Snapshot:
    """Run to the end, or until SIGTERM or SIGINT."""

    def stop(*_: object) -> None:
        threading.Thread(target=load.stop, daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    with load:
        load.wait()
    return load.tally.snapshot()


def _write(snapshot: Snapshot, out: Path | None) -> None:
    text = json.dumps(snapshot.as_json(), indent=1) + "\n"
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_text(text)


def _parser() -> argparse.ArgumentParser:
    default = Plan("http://127.0.0.1")
    parser = argparse.ArgumentParser(prog="python -m rollout.sandbox.load")
    parser.add_argument("--url", required=True, help="http://127.0.0.1:PORT/path")
    parser.add_argument("--host", help="Host header")
    parser.add_argument("--rate", type=float, default=default.rate, help="requests a second")
    parser.add_argument("--seconds", type=float, default=default.seconds)
    parser.add_argument("--count", type=int, help="stop after so many requests")
    parser.add_argument(
        "--connections",
        type=int,
        default=default.connections,
        help="idle connections kept; 0: a connection for each request",
    )
    parser.add_argument("--timeout", type=float, default=default.timeout, help="seconds")
    parser.add_argument("--out", type=Path, help="write the counts here; default: standard output")
    return parser


if __name__ == "__main__":
    sys.exit(main())
