"""Where a forwarded port listens, and what is said where it cannot."""

import pytest

from rollout.commands.ops.forwarding import ADDRESS_MEND, PORT_MEND, listen, place
from rollout.commands.refusal import CommandRefusedError

pytestmark = pytest.mark.system


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_both_families_of_addresses_are_listened_on(address: str) -> None:
    with listen(address, 0) as at:
        host, port = at.getsockname()[:2]
        assert (host, port > 0) == (address, True)
        with pytest.raises(CommandRefusedError) as refused:
            listen(address, port)
    assert str(refused.value).startswith(f"cannot listen on {place(address, port)}: ")
    assert str(refused.value).endswith(PORT_MEND)


def test_an_address_that_is_not_here_is_no_matter_of_ports() -> None:
    with pytest.raises(CommandRefusedError) as refused:
        listen("192.0.2.1", 0)
    assert str(refused.value).startswith("cannot listen on 192.0.2.1:0: ")
    assert str(refused.value).endswith(ADDRESS_MEND)
