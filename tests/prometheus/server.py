"""A Prometheus process: starts on a free loopback port, scrapes each second, ends with us."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx
import yaml

from rollout.sandbox.processes import Program, end, start_bound
from tests.controlplane.ports import PortLease
from tests.debian import PROMETHEUS
from tests.prometheus.config import Target, from_file, write_targets

START_TIMEOUT: Final = 20.0
REQUEST_TIMEOUT: Final = 2.0


class Prometheus:
    """A real Prometheus. Use it as a context, or start and stop it to play an outage.

    Its port and its data stay the same over a restart.
    """

    def __init__(self, folder: Path, config: dict[str, Any] | None = None) -> None:
        """Prepare it in a folder of its own; without a configuration it scrapes `set_targets`."""
        self._folder = folder
        self._lease = PortLease(1)
        self._targets = folder / "targets.yml"
        self._process: Program | None = None
        # The process dies with the thread that starts it, so that thread lives as long as we do.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="prometheus")
        folder.mkdir(parents=True, exist_ok=True)
        self.set_targets([])
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config or from_file(self._targets)))

    @property
    def address(self) -> str:
        """Base URL of its API."""
        return f"http://127.0.0.1:{self._lease.ports[0]}"

    def set_targets(self, targets: list[Target]) -> None:
        """Choose what is scraped; it takes about a second to have an effect."""
        write_targets(self._targets, targets)

    def start(self) -> None:
        """Start it and wait until it answers; raises RuntimeError, with its log, if it does not."""
        command = [
            str(PROMETHEUS.program("prometheus")),
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address={self.address.removeprefix('http://')}",
            "--storage.tsdb.retention.time=1d",
        ]
        started = self._starter.submit(start_bound, command, self._log)
        self._process = started.result(timeout=START_TIMEOUT)
        self._wait_until_ready()

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self._process is not None:
            end(self._process)
            self._process = None

    def close(self) -> None:
        """Stop it for good and give its port back."""
        self.stop()
        self._starter.shutdown()
        self._lease.release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _log(self) -> Path:
        return self._folder / "prometheus.log"

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.address}/-/ready", timeout=REQUEST_TIMEOUT).is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"Prometheus did not start:\n{self._log.read_text()[-2000:]}")
