"""One container of a pod: start, probe, restart with back-off, stop."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rollout.resources.image import reference_fault
from rollout.sandbox.agent.environment import Found, MissingError, Source, draw, expand
from rollout.sandbox.agent.probes import check, first_pass, verdicts
from rollout.sandbox.agent.processes import Exit, Order, Process, Processes
from rollout.sandbox.agent.spec import ContainerSpec, Image, PodSpec, Probe
from rollout.sandbox.agent.status import ContainerStatus, Running, Terminated, Waiting
from rollout.sandbox.service import programs
from rollout.sandbox.service.dials import DialError, read_dials

_START_FAILED: Final = Exit(128)
_SOURCE_PAUSE: Final = 1.0
"""Seconds between two looks for a ConfigMap or a Secret that is not there yet."""


@dataclass(frozen=True)
class BackOff:
    """Pause before a restart, in seconds: none the first time, then `first`, doubled to `most`.

    A container that ran for twice the most starts over, as the kubelet has it.
    """

    first: float = 1.0
    most: float = 30.0

    def pause(self, crashes: int) -> float:
        """Pause after this many crashes in a row."""
        return 0.0 if crashes <= 1 else min(self.most, self.first * 2.0 ** (crashes - 2))


@dataclass(frozen=True)
class Runtime:
    """What the containers of a node share.

    `sources` reads ConfigMaps and Secrets of a namespace, `names` gives the file in which
    programs find Services. `programs` are the images that exist; None: all.
    """

    processes: Processes
    logs: Path
    back_off: BackOff
    sources: Callable[[str, frozenset[Source]], Awaitable[Found]]
    names: Callable[[], Awaitable[Path]]
    programs: frozenset[str] | None = None


class Container:
    """Keeps one container running until it is told to stop."""

    def __init__(
        self,
        spec: ContainerSpec,
        pod: PodSpec,
        host: str,
        runtime: Runtime,
        changed: Callable[[], None],
        *,
        initial: bool = False,
    ) -> None:
        """Prepare it. `initial`: it runs until it has succeeded once."""
        self._initial = initial
        self.status = ContainerStatus(spec.name, spec.image)
        self._spec = spec
        self._pod = pod
        self._host = host
        self._runtime = runtime
        self._changed = changed
        self._told = asyncio.Event()
        self._process: Process | None = None
        self._given: Mapping[str, str] = spec.environment
        self._crashes = 0

    async def run(self) -> None:
        """Run until told to stop, or until the pod's restart policy says that was all."""
        fault = self._fault()
        if fault is not None:
            self._set(replace(self.status, state=fault))
            await self._told.wait()
            return
        if self._initial and not self._program.ends:
            self._end_at_once()
            return
        while (order := await self._ordered()) is not None:
            outcome = await self._once(order)
            if not self._restarts(outcome):
                return
            await self._hold_back()

    @property
    def succeeded(self) -> bool:
        """Whether it has run to a good end."""
        return isinstance(self.status.state, Terminated) and self.status.state.code == 0

    @property
    def process(self) -> Process | None:
        """The process, while it runs."""
        return self._process

    @property
    def environment(self) -> Mapping[str, str]:
        """What its process finds in its environment."""
        return self._given

    def log(self, *, previous: bool = False) -> Path | None:
        """Where its output is, or that of the run before; None when it never ran."""
        ran = not isinstance(self.status.state, Waiting) or self.status.last is not None
        before = previous and not isinstance(self.status.state, Waiting)
        attempt = self.status.restarts - before
        return self._log(attempt) if ran and attempt >= 0 else None

    async def stop(self) -> None:
        """Tell it to stop: `preStop`, then SIGTERM."""
        self._told.set()
        if self._process is not None:
            await asyncio.sleep(self._spec.stop_delay)
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it."""
        self._told.set()
        self._signal(signal.SIGKILL)

    def _fault(self) -> Waiting | None:
        """Say why this image cannot be run at all, in the kubelet's words."""
        named = self._spec.image
        if reference_fault(named):
            said = f'couldn\'t parse image name "{named}": invalid reference format'
            return Waiting(
                "InvalidImageName", f'Failed to apply default image tag "{named}": {said}'
            )
        image = Image.parse(named)
        programs = self._runtime.programs
        if programs is not None and image.program not in programs:
            reason = f'Back-off pulling image "{named}"'
            return Waiting("ImagePullBackOff", f"{reason}: known are {', '.join(sorted(programs))}")
        try:
            read_dials(image.version, self._spec.environment)
        except DialError as error:
            return Waiting("CreateContainerConfigError", str(error))
        return None

    @property
    def _program(self) -> programs.Program:
        return programs.find(Image.parse(self._spec.image).program)

    def _end_at_once(self) -> None:
        """Count as done: the image stands for a service, which has no end."""
        now = datetime.now(UTC)
        done = Terminated(0, now, now)
        self._set(replace(self.status, state=done, ready=True, container_id="none://done"))

    async def _ordered(self) -> Order | None:
        """Wait for what the environment is drawn from; None when told to stop meanwhile."""
        while not self._told.is_set():
            try:
                return await self._order()
            except MissingError as missing:
                waiting = Waiting("CreateContainerConfigError", str(missing))
                self._set(replace(self.status, state=waiting))
            await self._pause(_SOURCE_PAUSE)
        return None

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._told.wait(), seconds)

    async def _once(self, order: Order) -> Exit:
        began = datetime.now(UTC)
        try:
            process = await self._runtime.processes.start(order)
        except (OSError, ChildProcessError):
            outcome = _START_FAILED
        else:
            outcome = await self._follow(process, began)
        ended = Terminated(outcome.code, began, datetime.now(UTC))
        self._crashes = 1 if self._was_long(ended) else self._crashes + 1
        done = self._initial and outcome.code == 0
        self._set(replace(self.status, state=ended, started=False, ready=done))
        return outcome

    async def _follow(self, process: Process, began: datetime) -> Exit:
        self._process = process
        self._set(
            replace(
                self.status,
                state=Running(began),
                started=self._spec.startup is None,
                ready=self._spec.startup is None and self._spec.readiness is None,
                container_id=f"process://{process.pid}",
            )
        )
        if self._told.is_set():
            self._signal(signal.SIGTERM)
        probing = asyncio.create_task(self._probe())
        try:
            return await asyncio.shield(process.exited)
        finally:
            self._process = None
            probing.cancel()
            with suppress(asyncio.CancelledError):
                await probing

    async def _probe(self) -> None:
        startup = self._spec.startup
        if startup is not None:
            await asyncio.sleep(startup.initial_delay)
            if not await first_pass(startup, self._check):
                await self._restart()
                return
            unprobed = self._spec.readiness is None
            self._set(replace(self.status, started=True, ready=unprobed))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._probe_readiness())
            group.create_task(self._probe_liveness())

    async def _probe_readiness(self) -> None:
        if self._spec.readiness is not None:
            async for passed in verdicts(self._spec.readiness, self._check):
                self._set(replace(self.status, ready=passed))

    async def _probe_liveness(self) -> None:
        if self._spec.liveness is not None:
            async for passed in verdicts(self._spec.liveness, self._check):
                if not passed:
                    await self._restart()

    async def _check(self, probe: Probe) -> bool:
        return await check(probe, self._host)

    async def _restart(self) -> None:
        """Stop a process that failed its probe; what follows is an ordinary restart."""
        self._signal(signal.SIGTERM)
        await asyncio.sleep(self._pod.grace)
        self._signal(signal.SIGKILL)

    async def _hold_back(self) -> None:
        pause = self._runtime.back_off.pause(self._crashes)
        ended = self.status.state
        last = ended if isinstance(ended, Terminated) else self.status.last
        if pause:
            message = f"back-off {pause:g}s restarting failed container={self._spec.name}"
            self._set(replace(self.status, state=Waiting("CrashLoopBackOff", message), last=last))
            await self._pause(pause)
        self.status = replace(self.status, last=last, restarts=self.status.restarts + 1)

    def _restarts(self, outcome: Exit) -> bool:
        if self._told.is_set():
            return False
        policy = self._pod.restart_policy
        if self._initial:
            return policy != "Never" and outcome.code != 0
        return policy == "Always" or (policy == "OnFailure" and outcome.code != 0)

    def _was_long(self, ended: Terminated) -> bool:
        ran = (ended.finished - ended.started).total_seconds()
        return ran > 2 * self._runtime.back_off.most

    def _log(self, attempt: int) -> Path:
        name = f"{self._pod.namespace}_{self._pod.name}_{self._spec.name}_{attempt}.log"
        return self._runtime.logs / name

    async def _order(self) -> Order:
        spec, pod, image = self._spec, self._pod, Image.parse(self._spec.image)
        attempt = self.status.restarts
        self._log(attempt - 2).unlink(missing_ok=True)  # this run and the one before are kept
        self._given = {**await self._drawn(), **spec.environment}
        return Order(
            program=image.program,
            version=image.version,
            namespace=pod.namespace,
            pod=pod.name,
            host=self._host,
            port=spec.port,
            log=str(self._log(attempt)),
            environment=self._given,
            command=spec.command,
            arguments=tuple(expand(argument, self._given) for argument in spec.arguments),
            names=str(await self._runtime.names()) if self._program.calls else "",
        )

    async def _drawn(self) -> dict[str, str]:
        drawn, namespace = self._spec.drawn, self._pod.namespace
        if not drawn.sources:
            return {}
        return draw(drawn, await self._runtime.sources(namespace, drawn.sources), namespace)

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._runtime.processes.signal(self._process, number)

    def _set(self, status: ContainerStatus) -> None:
        self.status = status
        self._changed()
