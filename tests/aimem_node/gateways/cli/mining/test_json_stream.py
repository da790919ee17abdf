"""Whatever the pieces in which a file comes, the values are the same."""

import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_node.gateways.cli.mining.json_stream import Broken, Reader, Value

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=4), JSON, max_size=4)
CHUNKS = st.integers(1, 40)
SPACES = st.sampled_from(["", " ", "\n", "\r\n\t"])


def read(text: str | bytes, chunk: int = 7, *members: str, value_max: int = 1 << 20) -> list[Any]:
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return list(Reader(io.BytesIO(raw), chunk, value_max).values(*members))


def values(found: list[Any]) -> list[Any]:
    assert not [one for one in found if isinstance(one, Broken)]
    return [one.value for one in found]


@given(st.lists(JSON, max_size=6), CHUNKS, SPACES, st.booleans())
def test_an_array_is_its_elements_whatever_the_pieces(wanted, chunk, space, escaped) -> None:
    inner = f",{space}".join(json.dumps(one, ensure_ascii=escaped) for one in wanted)
    assert values(read(f"{space}[{space}{inner}{space}]{space}", chunk)) == wanted


@given(st.lists(OBJECTS, max_size=6), CHUNKS, st.sampled_from(["\n", "\r\n", "\n\n", " "]))
def test_a_sequence_is_its_values_whatever_the_pieces(wanted, chunk, between) -> None:
    text = between.join(json.dumps(one) for one in wanted)
    assert values(read(text, chunk)) == wanted


@given(st.lists(JSON, max_size=5), OBJECTS, CHUNKS, st.sampled_from([None, 2]))
def test_a_list_that_an_object_wraps_is_read_like_one_by_itself(
    wanted, beside, chunk, indent
) -> None:
    beside = {f"_{name}": one for name, one in beside.items()}
    text = json.dumps(beside | {"memories": wanted, "_after": 1}, indent=indent)
    assert values(read(text, chunk, "memories")) == wanted


@given(st.lists(OBJECTS, min_size=1, max_size=5), st.data(), CHUNKS)
def test_a_broken_element_of_an_array_costs_only_itself(wanted, data, chunk) -> None:
    texts = [json.dumps(one) for one in wanted]
    at = data.draw(st.integers(0, len(texts)))
    texts.insert(
        at, data.draw(st.sampled_from(['{"a": tru}', "[1,,2]", '{"a" 1}', "nope", "[01]"]))
    )
    found = read(f"[{', '.join(texts)}]", chunk)
    assert [one.where for one in found if isinstance(one, Broken)] == [f"index {at}"]
    assert [one.value for one in found if isinstance(one, Value)] == wanted


@given(st.lists(OBJECTS, min_size=1, max_size=5), st.data(), CHUNKS)
def test_a_broken_line_costs_only_itself(wanted, data, chunk) -> None:
    rows = [json.dumps(one) for one in wanted]
    at = data.draw(st.integers(0, len(rows)))
    rows.insert(at, data.draw(st.sampled_from(['{"a": "cut', "{", '{"a": [1, 2', "word"])))
    found = read("\n".join(rows) + "\n", chunk)
    assert [one.where for one in found if isinstance(one, Broken)] == [f"line {at + 1}"]
    assert [one.value for one in found if isinstance(one, Value)] == wanted


@given(st.binary(max_size=80), CHUNKS)
def test_any_bytes_come_to_an_end(raw, chunk) -> None:
    for members in ((), ("memories",)):
        assert len(read(raw, chunk, *members)) <= len(raw) + 1
        assert len(read(b"[" + raw, chunk, *members)) <= len(raw) + 2


@pytest.mark.parametrize("cut", range(1, 12))
def test_an_array_that_ends_early_says_so_after_what_is_whole(cut: int) -> None:
    whole = '[{"a":1},{"b":"x"}]'
    found = read(whole[:-cut])
    assert isinstance(found[-1], Broken)
    assert "ends" in found[-1].reason
    assert all(isinstance(one, Value) for one in found[:-1])


def test_an_element_beyond_the_bound_is_passed_by() -> None:
    text = json.dumps([{"n": 1}, {"s": "x" * 5_000 + '\\"{['}, {"n": 2}])
    found = read(text, 100, value_max=1_000)
    assert [type(one) for one in found] == [Value, Broken, Value]
    assert "larger" in found[1].reason


def test_a_line_beyond_the_bound_is_passed_by() -> None:
    rows = [{"n": 1}, {"s": "x" * 5_000}, {"n": 2}]
    found = read("\n".join(map(json.dumps, rows)), 100, value_max=1_000)
    assert [type(one) for one in found] == [Value, Broken, Value]
    assert found[1].where == "line 2"


def test_what_is_nested_too_deeply_is_broken_and_no_more() -> None:
    deep = "[" * 200_000 + "]" * 200_000
    found = read(f'[{deep}, {{"n": 1}}]', 65_536)
    assert isinstance(found[0], Broken)
    assert found[1].value == {"n": 1}


def test_a_number_is_not_cut_where_a_piece_ends() -> None:
    for chunk in range(1, 12):
        assert values(read("[12345.678e2, -7, 1e5]", chunk)) == [1234567.8, -7, 1e5]


def test_a_mark_of_the_byte_order_and_bytes_that_are_no_text_do_not_matter() -> None:
    found = read(b'\xef\xbb\xbf[{"a": "\xff"}]')
    assert values(found) == [{"a": "\ufffd"}]


def test_a_large_array_is_never_held_whole() -> None:
    class Endless:
        """40 MB of small objects, made while they are read."""

        def __init__(self) -> None:
            self.left = 40

        def read(self, size: int, /) -> bytes:
            self.left -= 1
            if self.left < 0:
                return b"]"[: self.left + 2]
            begin = b"[" if self.left == 39 else b""
            return begin + b'{"text": "%s"},' % (b"x" * 1_000) * 1_000

    tracemalloc.start()
    count = sum(1 for _ in Reader(Endless()).values())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count >= 39_000
    assert peak < 16_000_000
