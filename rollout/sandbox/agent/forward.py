"""`portforward` on the practice node: bytes between a WebSocket and ports of a pod.

Two streams a port, as with Kubernetes: `2 * n` carries the bytes of the port, `2 * n + 1` says what
went wrong. The first message of each names its port.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

from rollout.sandbox.agent.channels import CHUNK, Channels


async def forward(host: str, ports: Sequence[int], channels: Channels) -> None:
    """Carry bytes until the client leaves, or all ports have closed."""
    writers: dict[int, asyncio.StreamWriter] = {}
    readers: dict[int, asyncio.StreamReader] = {}
    for channel, port in zip(range(0, 2 * len(ports), 2), ports, strict=True):
        named = port.to_bytes(2, "little")
        await channels.send(channel, named)
        await channels.send(channel + 1, named)
        try:
            readers[channel], writers[channel] = await asyncio.open_connection(host, port)
        except OSError as error:
            said = f"failed to connect to port {port} of the pod: {error}"
            await channels.send(channel + 1, said.encode())
    carrying = asyncio.create_task(_carry(readers, channels))
    listening = asyncio.create_task(_listen(channels, writers))
    try:
        await asyncio.wait({listening, carrying}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (listening, carrying):
            task.cancel()
        await asyncio.gather(listening, carrying, return_exceptions=True)
        for writer in writers.values():
            writer.close()


async def _carry(readers: Mapping[int, asyncio.StreamReader], channels: Channels) -> None:
    """Send on what the ports say, to the end of all of them."""
    async with asyncio.TaskGroup() as group:
        for channel, reader in readers.items():
            group.create_task(_read(channel, reader, channels))


async def _read(channel: int, reader: asyncio.StreamReader, channels: Channels) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            await channels.send(channel, data)


async def _listen(channels: Channels, writers: Mapping[int, asyncio.StreamWriter]) -> None:
    while (message := await channels.receive()) is not None:
        channel, data = message
        if channel in writers:
            with suppress(ConnectionError):
                writers[channel].write(data)
                await writers[channel].drain()
