"""The access files are read strictly: one bad line refuses the file and is named."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import Role
from aimem_node.rpc import access_files
from aimem_node.rpc.access_files import (
    FILE_BYTES_MAX,
    Pin,
    Token,
    format_pin,
    format_token,
    parse_pins,
    parse_tokens,
)

A, B = "a" * 64, "b" * 64
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,20}", fullmatch=True)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
roles = st.sampled_from([Role.READER, Role.WRITER, Role.ADMIN])


def test_pins_are_read_in_every_spelling_of_a_fingerprint() -> None:
    colons = ":".join(["BB"] * 32)
    content = f"# team\n\nsha256:{A} laptop writer # Ann\r\n\tsha256:{colons}\tci\n".encode()
    assert parse_pins(content) == {
        A: Pin(A, "laptop", Role.WRITER, 3),
        B: Pin(B, "ci", Role.READER, 4),
    }


def test_a_pin_without_a_role_may_only_read() -> None:
    assert parse_pins(f"sha256:{A} x".encode())[A].role is Role.READER


def test_two_fingerprints_of_one_name_stand_side_by_side_during_a_rotation() -> None:
    pins = parse_pins(f"sha256:{A} x admin\nsha256:{B} x admin\n".encode())
    assert {pin.name for pin in pins.values()} == {"x"}


def test_tokens_are_read_with_their_pattern_and_end() -> None:
    content = (
        f"ci sha256:{A} writer ai:ci-* never\njob sha256:{B} reader * 2027-01-31T02:00:00.5+02:00\n"
    ).encode()
    assert parse_tokens(content) == {
        A: Token("ci", A, Role.WRITER, "ai:ci-*", None, 1),
        B: Token("job", B, Role.READER, "*", 1_801_353_600_500_000, 2),
    }


def test_a_place_stands_behind_all_else() -> None:
    pins = parse_pins(f"sha256:{A} x writer acme/eng\nsha256:{B} y\n".encode())
    assert [pin.place for pin in pins.values()] == ["acme/eng", ""]
    tokens = parse_tokens(f"ci sha256:{A} reader * never acme\n".encode())
    assert tokens[A].place == "acme"
    assert parse_pins(format_pin(A, "x", Role.READER, "acme").encode())[A].place == "acme"
    written = format_token("x", A, Role.READER, "*", None, "acme").encode()
    assert parse_tokens(written)[A].place == "acme"


@pytest.mark.parametrize(
    ("content", "line", "why"),
    [
        (f"\n#\nsha256:{A}", 3, "expected"),
        (f"sha256:{A} a reader x y", 1, "expected"),
        (f"sha256:{A} a reader x//y", 1, "no place"),
        (f"sha256:{A} a reader _messages/x", 1, "no place"),
        (f"{A} a reader", 1, "not sha256:"),
        (f"sha256:{A[1:]} a", 1, "not sha256:"),
        (f"sha256:{A}0 a", 1, "not sha256:"),
        (f"sha1:{A} a", 1, "not sha256:"),
        (f"sha256:{A[:62]}gg a", 1, "not sha256:"),
        (f"sha256:{A} user:ann", 1, "no name"),
        (f"sha256:{A} ../x", 1, "no name"),
        (f"sha256:{A} ann@{'0' * 32}", 1, "taken for one of that node"),
        (f"sha256:{A} {'x' * 65}", 1, "no name"),
        (f"sha256:{A} a root", 1, "no role"),
        (f"sha256:{A} a Reader", 1, "no role"),
        (f"sha256:{A} a\nsha256:{A.upper()} b", 2, "line 1 already"),
        (f"sha256:{A} a reader\nsha256:{B} a writer", 2, "another role"),
        (f"sha256:{A} a reader x\nsha256:{B} a reader y", 2, "another role, place"),
        (f"sha256:{A} a\nsha256:{B} A", 2, "place or spelling"),
        (f"sha256:{A}\u00a0a", 1, "not plain ASCII"),
        (f"\ufeffsha256:{A} a", 1, "not plain ASCII"),
        (f"sha256:{A} a\u2028sha256:{B} b", 1, "not plain ASCII"),
        (f"sha256:{A} a\rsha256:{B} b", 1, "not plain ASCII"),
        (f"# ok\nsha256:{A} a\0", 2, "not plain ASCII"),
    ],
)
def test_a_bad_pin_is_refused_with_the_number_of_its_line(
    content: str, line: int, why: str
) -> None:
    with pytest.raises(Failure, match=why) as caught:
        parse_pins(content.encode())
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.path == f"access/pins.txt:{line}"
    assert f"line {line}" in caught.value.message


@pytest.mark.parametrize(
    ("content", "line", "why"),
    [
        (f"a sha256:{A} reader *", 1, "expected"),
        (f"a sha256:{A} reader * never x y", 1, "expected"),
        (f"ok sha256:{B} reader * never\na sha256:{A} reader * never ../x", 2, "no place"),
        (f"a sha256:{A} reader [a] never", 1, "no pattern"),
        (f"a sha256:{A} reader * forever", 1, "no moment"),
        (f"a sha256:{A} reader * 2027-01-31", 1, "no moment"),
        (f"a sha256:{A} reader * 2027-01-31T00:00:00", 1, "no moment"),
        (f"a sha256:{A} reader * 2027-02-30T00:00:00Z", 1, "no moment"),
        (f"a sha256:{A} reader * never\nA sha256:{B} reader * never", 2, "line 1 already"),
        (f"a sha256:{A} reader * never\nb sha256:{A} admin * never", 2, "line 1 already"),
    ],
)
def test_a_bad_token_is_refused_with_the_number_of_its_line(
    content: str, line: int, why: str
) -> None:
    with pytest.raises(Failure, match=why) as caught:
        parse_tokens(content.encode())
    assert caught.value.path == f"access/tokens.txt:{line}"


def test_a_line_that_is_not_utf_8_is_named() -> None:
    with pytest.raises(Failure, match="not UTF-8") as caught:
        parse_pins(b"# fine\n# \xff\n")
    assert caught.value.path.endswith(":2")


def test_a_comment_may_hold_any_text() -> None:
    assert parse_pins("# Grüße 漢字\n".encode()) == {}


def test_a_file_of_unreasonable_size_is_refused() -> None:
    with pytest.raises(Failure, match="larger than"):
        parse_tokens(b"#" * (FILE_BYTES_MAX + 1))


@given(st.binary(max_size=400))
def test_no_bytes_make_the_parsers_fail_in_any_other_way(content: bytes) -> None:
    for parse in (parse_pins, parse_tokens):
        path = ""
        try:
            parse(content)
        except Failure as failure:
            path = failure.path
        assert re.fullmatch(r"(access/\w+\.txt:[1-9]\d*)?", path)


pin_words = st.sampled_from(
    [f"sha256:{A}", f"sha256:{B}", "sha256:", "a", "b", "reader", "writer", "admin", "#", "never"]
)


@given(st.lists(st.lists(pin_words, max_size=5).map(" ".join), max_size=6))
def test_what_is_accepted_says_the_same_as_its_lines_one_by_one(lines: list[str]) -> None:
    """No line can change what another means, and none is dropped."""
    try:
        pins = parse_pins("\n".join(lines).encode())
    except Failure:
        return
    said = {}
    for number, line in enumerate(lines, start=1):
        for pin in parse_pins(line.encode()).values():
            said[pin.fingerprint] = replace(pin, line=number)
    assert pins == said
    telling = [line for line in lines if line and not line.lstrip().startswith("#")]
    assert len(pins) == len(telling)


@given(digests, names, roles)
def test_a_pin_that_is_written_reads_back(digest: str, name: str, role: Role) -> None:
    assert parse_pins(format_pin(digest, name, role).encode())[digest] == Pin(digest, name, role, 1)


@given(digests, names, roles, st.none() | st.integers(0, 4_000_000_000_000_000))
def test_a_token_that_is_written_reads_back(
    digest: str, name: str, role: Role, expires_us: int | None
) -> None:
    line = format_token(name, digest, role, "ai:*", expires_us)
    assert parse_tokens(line.encode())[digest] == Token(name, digest, role, "ai:*", expires_us, 1)


def test_every_role_has_a_word() -> None:
    assert {role for role in Role if role.name != "UNSPECIFIED"} == set(
        access_files._WORDS.values()
    )
