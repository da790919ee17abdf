"""A delivery is known by its signature: ours, whole, and of now. The page's verifier agrees."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_node.outbound.signing import DELIVERY, SIGNATURE, TIMESTAMP, TOLERANCE_S, sign, verify

PAGE = Path(__file__).resolve().parents[3] / "docs/webhooks.md"
SECRET, ID, BODY, NOW_S = b"correct horse", "d-1", b'{"event":"memory_store"}', 1_700_000_000
HEADERS = sign(SECRET, ID, BODY, NOW_S)

VECTORS = [
    (b"correct horse", "d-1", b'{"event":"memory_store"}', 1_700_000_000,
     "9f1878222bf9b7716caaa1af8069d007f80e51c5c62a24ff870cf26af499100a"),
    (b"k", "0", b"", 0, "ead63e0e95d45fc981c106f967f0c12258fc60c35e3311c7c2c08e6174539500"),
    ("schlüssel".encode(), "sub:42_x", bytes(range(256)), 2_000_000_000,
     "8b3a7f8acc4586ac3aaac83b1601d1077ebe5c1e65d52d739c420bc1d2a5eacf"),
]  # fmt: skip
"""Computed with openssl dgst -sha256 -hmac over timestamp.id.body; receivers rely on them."""


def documented() -> Callable[..., bool]:
    """The verifier, as a reader would copy it from the page."""
    block = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    assert len(block[1].strip().splitlines()) <= 20
    room: dict[str, Any] = {}
    exec(compile(block[1], str(PAGE), "exec"), room)
    return room["is_ours"]


def ours(secret: bytes, headers: dict[str, str], body: bytes, now_s: int) -> bool:
    return verify(secret, headers, body, now_s)


def theirs(secret: bytes, headers: dict[str, str], body: bytes, now_s: int) -> bool:
    return documented()(secret.decode(), headers, body, now_s)


BOTH = pytest.mark.parametrize("check", [ours, theirs])


@pytest.mark.parametrize(("secret", "delivery_id", "body", "now_s", "mac"), VECTORS)
def test_the_vectors(secret: bytes, delivery_id: str, body: bytes, now_s: int, mac: str) -> None:
    assert sign(secret, delivery_id, body, now_s) == {
        "X-Aimem-Timestamp": str(now_s),
        "X-Aimem-Delivery": delivery_id,
        "X-Aimem-Signature": f"v1={mac}",
    }


def test_the_page_gives_the_first_vector() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert HEADERS[SIGNATURE] in text
    assert all(
        f"`{part}`" in text for part in ("correct horse", "1700000000", "d-1", BODY.decode())
    )
    assert all(name in text for name in HEADERS)


@BOTH
def test_what_was_signed_is_ours(check: Callable[..., bool]) -> None:
    assert check(SECRET, HEADERS, BODY, NOW_S)
    assert check(SECRET, {name.upper(): text for name, text in HEADERS.items()}, BODY, NOW_S)
    both = {**HEADERS, SIGNATURE: f"v2=abc, {HEADERS[SIGNATURE]}"}
    assert check(SECRET, both, BODY, NOW_S)


@BOTH
def test_nothing_of_it_can_be_changed(check: Callable[..., bool]) -> None:
    assert not check(b"another", HEADERS, BODY, NOW_S)
    assert not check(SECRET, HEADERS, BODY + b" ", NOW_S)
    assert not check(SECRET, HEADERS, b"", NOW_S)
    for name, text in (
        (TIMESTAMP, str(NOW_S + 1)), (DELIVERY, "d-2"), (SIGNATURE, "v1=" + "0" * 64),
        (SIGNATURE, HEADERS[SIGNATURE].upper()), (SIGNATURE, HEADERS[SIGNATURE][3:]),
        (SIGNATURE, HEADERS[SIGNATURE][:-1]), (SIGNATURE, "v2" + HEADERS[SIGNATURE][2:]),
        (SIGNATURE, ""), (SIGNATURE, "v1=é"), (TIMESTAMP, ""), (TIMESTAMP, "soon"),
        (TIMESTAMP, f"{NOW_S}.0"), (TIMESTAMP, f"-{NOW_S}"), (TIMESTAMP, "١٧٠٠٠٠٠٠٠٠"),
        (DELIVERY, ""), (DELIVERY, "d.1"),
    ):  # fmt: skip
        assert not check(SECRET, {**HEADERS, name: text}, BODY, NOW_S), (name, text)
    for name in HEADERS:
        assert not check(SECRET, {n: t for n, t in HEADERS.items() if n != name}, BODY, NOW_S)


@BOTH
def test_the_parts_cannot_be_shifted_into_each_other(check: Callable[..., bool]) -> None:
    headers = sign(SECRET, "d", b"1.rest", NOW_S)
    assert check(SECRET, headers, b"1.rest", NOW_S)
    assert not check(SECRET, {**headers, DELIVERY: "d.1"}, b"rest", NOW_S)


@BOTH
def test_an_old_or_a_future_delivery_is_not_of_now(check: Callable[..., bool]) -> None:
    assert check(SECRET, HEADERS, BODY, NOW_S + TOLERANCE_S)
    assert check(SECRET, HEADERS, BODY, NOW_S - TOLERANCE_S)
    assert not check(SECRET, HEADERS, BODY, NOW_S + TOLERANCE_S + 1)
    assert not check(SECRET, HEADERS, BODY, NOW_S - TOLERANCE_S - 1)


def test_the_tolerance_is_the_callers() -> None:
    assert verify(SECRET, HEADERS, BODY, NOW_S + 3600, tolerance_s=3600)
    assert not verify(SECRET, HEADERS, BODY, NOW_S + 1, tolerance_s=0)


@given(st.dictionaries(st.sampled_from(sorted(HEADERS)), st.text(max_size=80)), st.binary())
def test_no_header_makes_it_raise(headers: dict[str, str], body: bytes) -> None:
    assert not verify(SECRET, headers, body, NOW_S)


@pytest.mark.parametrize("delivery_id", ["", "a.b", "a b", "ä", "x" * 129, "a\n"])
def test_an_id_that_could_be_misread_is_never_signed(delivery_id: str) -> None:
    with pytest.raises(AssertionError):
        sign(SECRET, delivery_id, BODY, NOW_S)
