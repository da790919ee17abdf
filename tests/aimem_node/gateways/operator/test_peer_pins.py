"""Pins as text: what is written is read back, and a line that cannot be read refuses the file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_node.gateways.cli.failures import CallFailure
from aimem_node.gateways.operator.peer_pins import PeerPin, differences, parse, write

A, B = "a1" * 32, "b2" * 32
words = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)
pins = st.lists(
    st.builds(
        PeerPin,
        fingerprint=st.binary(min_size=32, max_size=32).map(bytes.hex),
        role=st.sampled_from(["voter", "learner"]),
        name=words,
        node_id=st.text("0123456789abcdef", min_size=1, max_size=16),
        address=words,
    ),
    unique_by=(lambda pin: pin.fingerprint, lambda pin: pin.node_id),
)


@given(pins)
def test_what_is_written_is_read_back(some: list[PeerPin]) -> None:
    text = write([*some, PeerPin("0f" * 32, "revoked")])
    assert text.isascii()
    read = parse(f"# a comment\n\n{text}".encode(), "pins")
    assert list(read) == sorted([*some, PeerPin("0f" * 32, "revoked")])


def test_a_node_with_two_keys_has_two_lines() -> None:
    both = [PeerPin(key, "voter", "lab 1", "n1", "h:1") for key in (A, B)]
    assert write(both).splitlines()[0] == f"sha256:{A}  voter  lab%201  n1  h:1"
    assert list(parse(write(both).encode(), "pins")) == both


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (f"sha256:{A} voter n1 h:1", "expected"),
        (f"sha256:{A[:-1]} voter lab n1 h:1", "64 small hex digits"),
        (f"sha256:{A.upper()} voter lab n1 h:1", "64 small hex digits"),
        (f"sha256:{A} admin lab n1 h:1", "'admin' is no role"),
        (f"sha256:{A} voter la/b n1 h:1", "must be written as %XX"),
        (f"sha256:{A} voter la%62 n1 h:1", "should be written 'lab'"),
        (f"sha256:{A} voter %FF n1 h:1", "not UTF-8"),
        (f"sha256:{A} voter lab - h:1", "a voter's key needs a node id"),
        (f"sha256:{A} revoked - n1 -", "a revoked key has no node id"),
        (f"sha256:{B} voter lab n2 h:1", "stands in line 2 already"),
        (f"sha256:{A} learner lab n0 h:0", "node n0 is said otherwise in line 2"),
        ("é", "plain ASCII"),
    ],
)
def test_a_bad_line_refuses_the_whole_text_with_its_number(line: str, why: str) -> None:
    good = f"# first\nsha256:{B}  voter  lab-0  n0  h:0\n"
    assert len(parse(good.encode(), "kept.txt")) == 1
    with pytest.raises(CallFailure, match=r"kept\.txt, line 3: ") as raised:
        parse(f"{good}{line}\n".encode(), "kept.txt")
    assert why in raised.value.message
    assert raised.value.path == "kept.txt:3"
    assert raised.value.exit_code == 2


def test_bytes_that_are_no_text_and_too_many_of_them_are_refused() -> None:
    with pytest.raises(CallFailure, match="line 2: is not UTF-8"):
        parse(b"\n\xff\n", "kept.txt")
    with pytest.raises(CallFailure, match="larger than"):
        parse(b"#" * (1 << 20) + b"#", "kept.txt")


def test_differences_name_what_went_and_what_came() -> None:
    old, new = PeerPin(A, "voter", "lab", "n1", "h:1"), PeerPin(B, "voter", "lab", "n1", "h:1")
    assert differences([old], [old]) == []
    assert differences([old], [new]) == [
        f"- sha256:{A}  voter  lab  n1  h:1",
        f"+ sha256:{B}  voter  lab  n1  h:1",
    ]
