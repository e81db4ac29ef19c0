import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.metrics.addresses import AddressMap

PRACTICE = AddressMap.parse("10.244.0.0/16=127.244.0.0/16")


@given(third=st.integers(0, 255), fourth=st.integers(0, 255))
def test_host_part_is_kept(third: int, fourth: int) -> None:
    assert PRACTICE.reach(f"10.244.{third}.{fourth}") == f"127.244.{third}.{fourth}"


@pytest.mark.parametrize("ip", ["10.245.0.1", "192.168.1.1", "fd00::1"])
def test_other_networks_are_reached_as_they_are_shown(ip: str) -> None:
    assert PRACTICE.reach(ip) == ip


@pytest.mark.parametrize("nothing", [AddressMap.identity(), AddressMap.parse("")])
def test_identity_changes_nothing(nothing: AddressMap) -> None:
    assert nothing.reach("10.244.0.1") == "10.244.0.1"


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("10.244.0.0/16", "write two networks"),
        ("10.244.0.0/16=127.244.0.0/24", "both the same /length"),
        ("10.244.0.1/16=127.244.0.0/16", "no host bits"),
        ("pods=127.244.0.0/16", "is not an IPv4 network"),
        ("10.244.0.0/16=", "is not an IPv4 network"),
    ],
)
def test_map_that_cannot_be_read_is_refused_with_a_fix(text: str, fix: str) -> None:
    with pytest.raises(ValueError, match=fix):
        AddressMap.parse(text)


def test_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="'web-1' is not an IP address"):
        PRACTICE.reach("web-1")
