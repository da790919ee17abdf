"""A pasted line is read exactly, or refused with the reason."""

import base64
import binascii
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.line import Line, parse_line

LINE = Line(
    cluster_id="2f6f1a8de0c44c0f",
    addresses=("192.0.2.7:7947", "[2001:db8::7]:7947"),
    fingerprint="ab" * 32,
    invite_id="0123456789abcdef",
    secret=bytes(range(16)),
    expires_us=1_800_000_000_000_000,
    name="lab-2",
)
TEXTS = st.text(max_size=40).filter(lambda text: len(text.encode()) <= 255)
LINES = st.builds(
    Line,
    cluster_id=TEXTS.filter(bool),
    addresses=st.lists(TEXTS.filter(bool), min_size=1, max_size=8).map(tuple),
    fingerprint=st.binary(min_size=32, max_size=32).map(bytes.hex),
    invite_id=st.binary(min_size=8, max_size=8).map(bytes.hex),
    secret=st.binary(min_size=16, max_size=16),
    expires_us=st.integers(0, 1 << 40).map(lambda seconds: seconds * 1_000_000),
    name=TEXTS,
)


def why(text: str) -> Failure:
    with pytest.raises(Failure) as caught:
        parse_line(text)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.path == "$.line"
    return caught.value


def spelled(packed: bytes, version: int = 1) -> str:
    said = f"aim{version}." + base64.b32encode(packed).decode().rstrip("=").lower()
    return f"{said}.{binascii.crc32(said.encode()):08x}"


@given(LINES)
def test_what_was_printed_is_read_back(line: Line) -> None:
    assert parse_line(str(line)) == line


@given(LINES, st.data())
def test_case_and_broken_lines_do_not_matter(line: Line, chosen: st.DataObject) -> None:
    text = str(line)
    at = sorted(chosen.draw(st.lists(st.integers(0, len(text)), max_size=5)), reverse=True)
    for position in at:
        gap = chosen.draw(st.sampled_from([" ", "\n", "\r\n", "\t", "\u00a0"]))
        text = text[:position] + gap + text[position:]
    assert parse_line(text.upper()) == line


@given(st.integers(0, 10_000), st.sampled_from(string.ascii_lowercase + string.digits + "."))
def test_one_wrong_character_is_noticed(where: int, wrong: str) -> None:
    text = str(LINE)
    where %= len(text)
    assume(text[where] != wrong)
    assert why(text[:where] + wrong + text[where + 1 :])


@given(st.integers(0, 10_000))
def test_a_line_that_was_cut_short_is_noticed(length: int) -> None:
    text = str(LINE)
    assert why(text[: length % len(text)])


@given(st.text(max_size=300))
def test_any_other_text_is_refused_and_nothing_worse(text: str) -> None:
    assert why(text)


@given(st.binary(max_size=200))
def test_any_bytes_with_a_good_checksum_are_read_or_refused(packed: bytes) -> None:
    try:
        line = parse_line(spelled(packed))
    except Failure:
        return
    assert parse_line(str(line)) == line


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("  \n ", "it is empty"),
        ("x" * 9000, "longer than 8192"),
        ("SWMTKN-1-abc", "begins with 'swmtkn-1'"),
        (str(LINE).rpartition(".")[0], "its end is missing"),
        (str(LINE)[:40], "its end is missing"),
        (str(LINE)[:-1], "damaged when it was copied"),
        (str(LINE).replace("aim1.", "aim1.1"), "damaged when it was copied"),
        (spelled(b"\x02abc"), "makes no sense"),
        (spelled(b"\x01\x03abc\x00"), "0 addresses"),
        (spelled(b"\x01\xffabc"), "ends too early"),
    ],
)
def test_each_fault_has_its_own_reason(text: str, reason: str) -> None:
    assert reason in why(text).message


def test_a_line_of_a_newer_version_says_which_side_is_behind() -> None:
    failure = why(spelled(b"whatever that may be", version=2))
    assert "version 2" in failure.message
    assert "Bring this machine" in failure.next


def test_bytes_after_the_end_are_refused() -> None:
    text = str(LINE).split(".")[1].upper()
    packed = base64.b32decode(text + "=" * (-len(text) % 8))
    assert spelled(packed) == str(LINE)
    assert "bytes too many" in why(spelled(packed + b"x")).message


def test_the_secret_is_not_shown_by_accident() -> None:
    assert "secret" not in repr(LINE)


def test_whether_it_is_over_depends_on_the_clock_that_is_asked() -> None:
    assert not LINE.is_over(LINE.expires_us - 1)
    assert LINE.is_over(LINE.expires_us)
