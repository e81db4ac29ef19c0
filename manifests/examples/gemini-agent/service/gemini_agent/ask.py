"""Ask the service once whether it is ready: `python -m gemini_agent.ask`, the test of the chart."""

import os
import sys
from urllib.error import URLError
from urllib.request import urlopen

TIMEOUT = 5.0
"""Seconds."""


def main() -> int:
    """Exit 0 when ASK_URL answers that it is ready, 1 when not, 2 without an HTTP address."""
    url = os.environ.get("ASK_URL", "")
    if not url.startswith("http://"):
        sys.stderr.write(f"ASK_URL: {url!r} is not an address, such as http://gemini-agent/ready\n")
        return 2
    try:
        with urlopen(url, timeout=TIMEOUT) as answer:  # noqa: S310 - http, see above
            sys.stdout.write(answer.read().decode())
    except (URLError, TimeoutError) as error:
        sys.stderr.write(f"{url}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
