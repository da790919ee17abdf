"""Where others reach this machine, and how addresses are written."""

import socket

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.addresses import (
    PROBES,
    first_ones,
    is_usable,
    join_address,
    own_address,
    own_host,
    split_address,
)


def routes(known: dict[str, str]):  # type: ignore[no-untyped-def]
    def route(_family: socket.AddressFamily, far: str) -> str:
        if far not in known:
            raise OSError(101, "Network is unreachable")
        return known[far]

    return route


def test_the_interface_of_the_default_route_is_taken() -> None:
    ways = {far: f"192.0.2.{n}" for n, (_, far) in enumerate(PROBES, start=10)}
    assert own_address(7946, route=routes(ways)) == "192.0.2.10:7946"


def test_a_private_network_without_a_way_out_is_found() -> None:
    assert own_host(routes({"192.168.254.254": "192.168.1.5"})) == "192.168.1.5"


def test_an_ipv6_address_is_put_in_brackets() -> None:
    assert own_address(7946, route=routes({"2001:db8::1": "2001:db8::7"})) == "[2001:db8::7]:7946"


def test_loopback_is_used_if_nothing_else_is_there() -> None:
    assert own_address(7946, route=routes({})) == "127.0.0.1:7946"
    assert own_address(7946, route=routes({"192.0.2.1": "127.0.0.1"})) == "127.0.0.1:7946"


def test_what_somebody_says_overrides_what_is_found() -> None:
    assert own_address(7946, "lab-1.example", routes({})) == "lab-1.example:7946"


def test_this_machine_has_some_address() -> None:
    host, port = split_address(own_address(7946))
    assert port == 7946
    assert is_usable(host) or host == "127.0.0.1"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("lab-2.example:7946", ("lab-2.example", 7946)),
        ("192.0.2.7:1", ("192.0.2.7", 1)),
        ("[2001:db8::7]:65535", ("2001:db8::7", 65535)),
    ],
)
def test_an_address_is_split_and_joined_again(text: str, parts: tuple[str, int]) -> None:
    assert split_address(text) == parts
    assert join_address(*parts) == text


@pytest.mark.parametrize(
    "text",
    ["", "lab", "lab:", ":7946", "lab:0", "lab:65536", "lab:7x", "a b:1", "::1:7946", "lab:٣",
     "[lab]:1", "x" * 300 + ":1", "lab:0000001"],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Failure, match="is not host:port") as caught:
        split_address(text)
    assert caught.value.code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1.1.1", "0.0.0.0", "169.254.9.9", "fe80::1", ""]
)
def test_what_no_other_machine_could_dial_is_not_usable(host: str) -> None:
    assert not is_usable(host)


def test_the_first_different_ones_are_kept_in_order() -> None:
    assert first_ones(["b:1", "a:1", "b:1", "c:1"], 2) == ("b:1", "a:1")
