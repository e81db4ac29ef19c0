"""Addresses of pods.

EndpointSlices refuse loopback addresses, so a pod's `status.podIP` is taken from 10.244.0.0/16
while its process listens on the same place in 127.244.0.0/16. Several practice clusters can run
on one machine: each claims a block of its own, and the claim ends with the process that holds it.
"""

import ipaddress
import socket
from collections.abc import Iterator
from itertools import chain
from typing import Final

from rollout.metrics.addresses import AddressMap

POD_NETWORK: Final = ipaddress.IPv4Network("10.244.0.0/16")
ADDRESS_MAP_TEXT: Final = f"{POD_NETWORK}=127.244.0.0/16"
"""The mapping in the form that `rollout controller --pod-address-map` takes."""

ADDRESS_MAP: Final = AddressMap.parse(ADDRESS_MAP_TEXT)
"""Where pods listen, by the address that the API shows."""

_CLAIM_PORT: Final = 10250
_BLOCK_PREFIX: Final = 24


class NetworkError(Exception):
    """No addresses can be given out; the message says what to change."""


class PodNetwork:
    """Gives out pod addresses of one block, the longest unused first, and holds the claim to it.

    Raises NetworkError when the block lies outside 10.244.0.0/16 or is claimed by another
    practice cluster. Without a block, the first free /24 is claimed.
    """

    def __init__(self, block: str | None = None) -> None:
        self.block, self._claim = _claim(_parse(block)) if block else _claim_any()
        self._free = {str(host): None for host in self.block.hosts()}

    @property
    def node(self) -> str:
        """The address on which the node itself may listen: the block's last one."""
        return ADDRESS_MAP.reach(str(self.block.broadcast_address))

    def allocate(self) -> str:
        """Take an address. Raises NetworkError when all are in use."""
        address = next(iter(self._free), None)
        if address is None:
            raise NetworkError(f"every address of {self.block} is in use; give a larger --pod-cidr")
        del self._free[address]
        return address

    def take(self, address: str) -> bool:
        """Take this very address; False when it is not free or not of this block."""
        if address not in self._free:
            return False
        del self._free[address]
        return True

    def release(self, address: str) -> None:
        """Give an address back; it goes to the end, so that stale clients do not meet it soon."""
        self._free[address] = None

    def close(self) -> None:
        """Give up the claim."""
        self._claim.close()


def _parse(block: str) -> ipaddress.IPv4Network:
    try:
        network = ipaddress.IPv4Network(block)
    except ValueError as cause:
        raise NetworkError(f"pod CIDR {block!r}: {cause}; write 10.244.7.0/24") from cause
    if not network.subnet_of(POD_NETWORK):
        raise NetworkError(f"pod CIDR {block!r} must lie in {POD_NETWORK}, as in 10.244.7.0/24")
    return network


def _claim(block: ipaddress.IPv4Network) -> tuple[ipaddress.IPv4Network, socket.socket]:
    # A bound socket is a lock that no crash can leave behind.
    claim = socket.socket()
    try:
        claim.bind((ADDRESS_MAP.reach(str(block.broadcast_address)), _CLAIM_PORT))
    except OSError as cause:
        claim.close()
        raise NetworkError(
            f"pod CIDR {block} is in use by another practice cluster; "
            "choose another /24 or leave it out"
        ) from cause
    return block, claim


def _claim_any() -> tuple[ipaddress.IPv4Network, socket.socket]:
    for block in _blocks():
        try:
            return _claim(block)
        except NetworkError:
            continue
    raise NetworkError(f"every /{_BLOCK_PREFIX} of {POD_NETWORK} is in use")


def _blocks() -> Iterator[ipaddress.IPv4Network]:
    first, *others = POD_NETWORK.subnets(new_prefix=_BLOCK_PREFIX)
    return chain(others, [first])
