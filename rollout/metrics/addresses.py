"""Where a pod's address is reached from here.

In a cluster that is the address itself. In the practice cluster pods are local processes: the
API shows addresses of a pod network, because EndpointSlices refuse loopback, while the processes
listen on loopback. The rule lives here once, so that nobody connects to the shown address.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address


def _network(text: str, whole: str) -> IPv4Network:
    try:
        return IPv4Network(text)
    except ValueError as error:
        raise ValueError(
            f"address map {whole!r}: {text!r} is not an IPv4 network: write one such as "
            "10.244.0.0/16, with no host bits set"
        ) from error


@dataclass(frozen=True)
class AddressMap:
    """Maps the addresses of one network to those of another, host by host."""

    shown: IPv4Network | None = None
    reached: IPv4Network | None = None

    @classmethod
    def identity(cls) -> "AddressMap":
        """Give the map that changes nothing: addresses are reached as they are shown."""
        return cls()

    @classmethod
    def parse(cls, text: str) -> "AddressMap":
        """Read `shown=reached`, two IPv4 networks of one size; empty text maps nothing.

        Raises ValueError, with the text and the fix, when it cannot be read.
        """
        if not text:
            return cls.identity()
        shown, equals, reached = text.partition("=")
        if not equals:
            raise ValueError(
                f"address map {text!r}: write two networks, as in 10.244.0.0/16=127.244.0.0/16"
            )
        one = cls(_network(shown, text), _network(reached, text))
        one._refuse_unequal_sizes(text)
        return one

    def _refuse_unequal_sizes(self, text: str) -> None:
        if self.shown and self.reached and self.shown.prefixlen != self.reached.prefixlen:
            raise ValueError(
                f"address map {text!r}: networks differ in size: give both the same /length"
            )

    def reach(self, ip: str) -> str:
        """Give the address to connect to for an address shown by the API.

        Addresses outside the mapped network stay as they are. Raises ValueError for text that
        is no IP address.
        """
        try:
            address: IPv4Address | IPv6Address = ip_address(ip)
        except ValueError as error:
            raise ValueError(f"pod address {ip!r} is not an IP address") from error
        if self.shown is None or self.reached is None or address not in self.shown:
            return ip
        return str(self.reached[int(address) - int(self.shown.network_address)])
