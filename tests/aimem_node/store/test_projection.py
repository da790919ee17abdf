"""Whatever an op says, there is a row or there is none, and it can be kept."""

from hypothesis import given, settings
from hypothesis import strategies as st

from aimem_node.store.projection import link_of, memory_of
from aimem_sync.display import Display

REGISTERS = [
    "body", "facts", "namespace", "scope", "tier", "priority", "confidence", "expires_at",
    "updated_at", "accessed_at", "life", "valid_until", "future",
]  # fmt: skip
PARTS = ["title", "content", "metadata", "agent_id", "author", "created_at", "is", "at", "reason"]
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(PARTS), inner, max_size=4)
    ),
    max_leaves=8,
)


def test_any_values_give_a_row_that_the_store_can_keep(bench) -> None:
    from aimem_sync.change import Change

    @settings(max_examples=150, deadline=None)
    @given(st.dictionaries(st.sampled_from(REGISTERS), json_values), st.sampled_from("ml"))
    def keep(registers, kind):
        change = Change("x" + kind, {"m": "memory", "l": "link"}[kind], registers)
        bench.put(change)

    keep()
    assert bench.store.verify(deep=True).problems == []


def test_nothing_is_shown_before_the_creation_has_arrived() -> None:
    assert memory_of(Display("m1", "memory"), 1, 1, "x") is None
    assert link_of(Display("m1", "link"), 1, (5, 6)) is None


def test_one_type_makes_one_kind_of_row() -> None:
    shown = Display("r", "memory", {"body": {}}, life="live")
    assert memory_of(shown, 1, 1, "x") is not None
    assert link_of(shown, 1, (5, 6)) is None
    unknown = Display("r", "hologram", {"body": {}}, life="live")
    assert memory_of(unknown, 1, 1, "x") is None


def test_concurrent_recalls_move_time_forward_and_are_no_conflict(bench, pen, now_us) -> None:
    bob = pen("b", "user:bob")
    bench.put(pen.memory("m1", expires_at=now_us))

    def beside(session):
        state = session.state("m1")
        ops = []
        for writer, at in ((bench.pen, now_us + 9), (bob, now_us + 5)):
            from aimem_sync.change import Change, body_for
            from aimem_sync.log import append
            from aimem_sync.op import Stamp

            change = Change(
                "m1",
                "memory",
                {"accessed_at": at, "expires_at": at, "updated_at": at},
                count={"access": 2},
            )
            ops.append(
                append(
                    session.head(writer.origin),
                    Stamp(session.lamport() + 1 + len(ops), at, 0),
                    "edit",
                    "m1",
                    body_for(change, state, writer.origin),
                    writer.author,
                    "",
                    writer.origin,
                    lambda chain: chain,
                )
            )
        for op in ops:
            session.take(op)

    bench.do(beside)
    row = bench.see(lambda view: view.memory("m1"))
    assert (row.accessed_us, row.expires_us, row.updated_us) == (now_us + 9,) * 3
    assert (row.access_count, row.conflicts) == (4, 0)


def test_a_time_that_no_surface_could_show_reads_as_none() -> None:
    from aimem_node.contract.times import show_time

    for far in (253_402_300_800_000_000, -62_135_596_800_000_001, 1 << 80):
        values = {"body": {}, "expires_at": far, "updated_at": far, "facts": {"created_at": far}}
        row = memory_of(Display("r", "memory", values, life="live"), 1, 1, "x")
        assert row is not None
        assert row.expires_us is None
        assert show_time(row.created_us)
    last = 253_402_300_799_999_999
    row = memory_of(
        Display("r", "memory", {"body": {}, "expires_at": last}, life="live"), 1, 1, "x"
    )
    assert row is not None
    assert show_time(row.expires_us).startswith("9999-12-31")
