"""Whatever an address is wrapped in, what counts is where a packet would go."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_node.contract.errors import Code, Failure
from aimem_node.outbound.reachable import Allowed, connectable, embedded, refusal, unwrapped

NOTHING = Allowed()
PRIVATE = [10 << 24 | 1, 127 << 24 | 1, 0xC0A80101, 0xAC100001, 0x64400001, 0xA9FEA9FE, 0xE0000001]
PUBLIC = 0x5DB8D70E
WRAPS = {
    "compatible": lambda v4: v4,
    "mapped": lambda v4: 0xFFFF << 32 | v4,
    "translated": lambda v4: 0xFFFF << 48 | v4,
    "nat64": lambda v4: 0x64FF9B << 96 | v4,
    "6to4": lambda v4: 0x2002 << 112 | v4 << 80 | 1,
    "teredo server": lambda v4: 0x20010000 << 96 | v4 << 64 | PUBLIC ^ 0xFFFFFFFF,
    "teredo client": lambda v4: 0x20010000 << 96 | PUBLIC << 64 | (v4 ^ 0xFFFFFFFF),
    "isatap": lambda v4: 0x26062800 << 96 | 0x5EFE << 32 | v4,
    "isatap, universal": lambda v4: 0x26062800 << 96 | 0x02005EFE << 32 | v4,
    "private nat64": lambda v4: 0x64FF9B0001 << 80 | v4,
    "private nat64, /48": lambda v4: 0x64FF9B0001 << 80 | (v4 >> 16) << 64 | (v4 & 0xFFFF) << 40,
}


def v6(number: int) -> str:
    return str(ip_address(number.to_bytes(16, "big")))


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("inside", PRIVATE)
def test_a_private_address_is_found_in_every_wrapping(wrap: str, inside: int) -> None:
    text = v6(WRAPS[wrap](inside))
    assert refusal(text, "x.example", NOTHING) != ""
    assert ip_address(inside) in {*embedded(ip_address(text)), unwrapped(ip_address(text))}


def test_a_public_address_may_be_mapped_or_behind_nat64_but_in_no_tunnel() -> None:
    reached = {wrap for wrap in WRAPS if not refusal(v6(WRAPS[wrap](PUBLIC)), "x", NOTHING)}
    assert reached == {"mapped", "nat64", "isatap", "isatap, universal"}


def test_the_reason_names_what_is_inside() -> None:
    assert refusal("::ffff:10.0.0.1", "x", NOTHING) == "it leads to 10.0.0.1, which is private"
    assert refusal("10.0.0.1", "x", NOTHING) == "it is private"


@given(st.integers(0, 2**32 - 1))
def test_an_ipv4_address_is_called_only_if_python_too_thinks_it_global(number: int) -> None:
    address = ip_address(number)
    if not refusal(str(address), "x", NOTHING):
        assert address.is_global
        assert not address.is_multicast


@given(st.integers(0, 2**128 - 1))
def test_an_ipv6_address_is_called_only_if_python_too_thinks_it_global(number: int) -> None:
    address = ip_address(number.to_bytes(16, "big"))
    if not refusal(str(address), "x", NOTHING) and unwrapped(address) == address:
        assert address.is_global
        assert str(address)[0] in "23"


def test_metadata_services_stay_closed_whatever_is_allowed() -> None:
    everything = Allowed.parse(["0.0.0.0/0", "::/0", "x.example"], loopback=True)
    for text in ("169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
                 "2002:a9fe:a9fe::1", "fd00:ec2::254", "168.63.129.16", "100.100.100.200",
                 "0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255"):  # fmt: skip
        assert refusal(text, "x.example", everything) != ""
    assert refusal("10.0.0.1", "x.example", everything) == ""


def test_loopback_is_allowed_by_its_own_switch_only() -> None:
    for text in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"):
        assert refusal(text, "x", NOTHING) != ""
        assert refusal(text, "x", Allowed(loopback=True)) == ""
    assert refusal("10.0.0.1", "x", Allowed(loopback=True)) != ""


@pytest.mark.parametrize(
    "entry",
    ["", " ", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/8 # office", "10.0.0", "10.0.0.256", "::/129",
     "Hooks.example", "hooks_1.example", "*.example", "https://hooks.example", "hooks.example:443",
     "0x7f.1", "a..b", "-a.example", "a" * 64],
)  # fmt: skip
def test_an_entry_that_is_not_understood_is_refused_by_name(entry: str) -> None:
    with pytest.raises(Failure) as caught:
        Allowed.parse(["10.0.0.0/8", entry])
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert repr(entry[:80]) in caught.value.message


def test_single_addresses_networks_and_names_are_understood() -> None:
    allowed = Allowed.parse(["10.0.0.1", "fd12::/32", "hooks.corp.example", "intranet"])
    assert len(allowed.networks) == 2
    assert allowed.hosts == {"hooks.corp.example", "intranet"}


def test_a_mapped_address_is_called_as_what_it_is() -> None:
    assert connectable("::ffff:1.1.1.1") == "1.1.1.1"
    assert connectable("2606:4700:0:0::1111") == "2606:4700::1111"
