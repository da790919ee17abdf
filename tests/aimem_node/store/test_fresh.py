"""The short way to a new record ends where the long way does."""

from hypothesis import given, settings
from hypothesis import strategies as st

from aimem_node.store.fresh import fresh
from aimem_sync.change import Change
from aimem_sync.digest import record_hash
from aimem_sync.display import display
from aimem_sync.edit import Edit
from aimem_sync.merge import state_of
from aimem_sync.op import Kind, Op
from aimem_sync.state import encode_state
from tests.aimem_node.store.scribes import Scribe, history

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 70), 1 << 70) | TEXTS
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
REGISTERS = st.dictionaries(TEXTS | st.sampled_from(["life", "expires_at"]), VALUES, max_size=5)


def agrees(op: Op) -> bool:
    """Whether the short way was taken; then it ended well."""
    made = fresh(op)
    if made is None:
        return False
    state = state_of(op)
    assert made.type == state.type
    assert made.encoded == encode_state(state)
    assert made.hash == record_hash(state)
    assert made.shown == display(state)
    return True


@settings(max_examples=400, deadline=None)
@given(TEXTS, REGISTERS, st.lists(TEXTS, max_size=4), TEXTS)
def test_whatever_an_edit_sets_both_ways_make_the_same_record(kind, registers, tags, name) -> None:
    scribe = Scribe("a")
    body = Edit(type=kind, set=registers, tag=tuple(tags)).encode()
    agrees(scribe.write(Change(f"r{name}", kind), "", body=body))


def test_an_ordinary_store_goes_the_short_way(pen, bench) -> None:
    wish = pen.memory("m1", 'a "title"\n', "Möwen \u2028", tags=["b", "a"], metadata={"z": [1.0]})
    bench.put(wish)
    (placed,) = bench.see(lambda view: view.ops_after(0, 10))
    assert agrees(placed.op)


def test_what_speaks_of_other_ops_goes_the_long_way() -> None:
    ops = [op for seed in range(20) for op in history(seed, 60)]
    short = [op for op in ops if agrees(op)]
    assert len(short) > 100
    assert all(op.kind == Kind.EDIT and op.body is not None for op in short)
    said = [Edit.decode(op.body) for op in short]
    assert not any(edit.over or edit.untag or edit.count for edit in said)
    assert not any("reason" in edit.set.get("life", {}) for edit in said)
