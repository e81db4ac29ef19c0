"""What a NetworkPolicy lets through, as the API defines it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any, Final, TypeAlias

NAME: Final = "kubernetes.io/metadata.name"
"""The label that every namespace has, with its name."""
Spec: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Pod:
    """A pod of the cluster. Its address is left out: networks differ in whether a block has it."""

    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)


Peer: TypeAlias = Pod | str
"""A pod, or the address of something that is none."""


@dataclass(frozen=True)
class Policy:
    """A policy, and the ports of the pods that it is for, by name."""

    body: Spec
    ports: Mapping[str, int]

    def allows(self, side: str, peer: Peer, port: int, protocol: str = "TCP") -> bool:
        """Whether something may come in from a peer (`ingress`), or go out to it (`egress`).

        A rule without peers is for all, one without ports for all ports.
        """
        peers = {"ingress": "from", "egress": "to"}[side]
        return any(
            self._reaches(rule.get(peers), peer) and self._opens(rule.get("ports"), port, protocol)
            for rule in self.body["spec"].get(side) or ()
        )

    def _reaches(self, peers: list[Spec] | None, peer: Peer) -> bool:
        return not peers or any(self._is(one, peer) for one in peers)

    def _is(self, said: Spec, peer: Peer) -> bool:
        assert said.keys() <= {"ipBlock", "namespaceSelector", "podSelector"}, said
        if isinstance(peer, str):
            return "ipBlock" in said and _holds(said["ipBlock"], peer)
        if "ipBlock" in said:
            return False
        own = {NAME: self.body["metadata"]["namespace"]}
        there = _selects(
            said.get("namespaceSelector", {"matchLabels": own}), {NAME: peer.namespace}
        )
        return there and _selects(said.get("podSelector", {}), peer.labels)

    def _opens(self, ports: list[Spec] | None, port: int, protocol: str) -> bool:
        assert all(one.keys() <= {"port", "protocol"} for one in ports or ()), ports
        return not ports or any(
            one.get("protocol", "TCP") == protocol
            and ("port" not in one or self.ports.get(one["port"], one["port"]) == port)
            for one in ports
        )


def _holds(block: Spec, address: str) -> bool:
    found = ip_address(address)
    left_out = any(found in ip_network(one) for one in block.get("except") or ())
    return found in ip_network(block["cidr"]) and not left_out


def _selects(selector: Spec, labels: Mapping[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels"}, f"teach tests/install to read {selector}"
    wanted: Mapping[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()
