"""Pages join to the whole, whatever the order, and filters mean what they say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimem_node.store.listing import Filter, Order, conditions


def ids(rows):
    return [row.record_id for row in rows]


def listed(bench, wanted, order=Order.IMPORTANCE, page=100):
    """All of it, page by page."""

    def read(view):
        rows, after = [], None
        while True:
            some, after = view.list_memories(wanted, order, after, page)
            rows += some
            if after is None:
                return rows

    return bench.see(read)


@pytest.fixture
def many(bench, pen, now_us):
    """Sixty memories with many ties, a third archived."""
    bench.put(
        *(
            pen.memory(
                f"m{at:02}",
                namespace=["a", "a/b", "ab", "c"][at % 4],
                priority=at % 3 + 1,
                created_at=now_us + at // 10,
                tier=["short", "mid", "long"][at % 3],
                tags=["even"] if at % 2 == 0 else ["odd"],
                agent_id=f"ai:{at % 2}",
                session="s1" if at < 5 else "",
            )
            for at in range(60)
        )
    )
    bench.put(*(pen.archive(f"m{at:02}", at_us=now_us + at // 6) for at in range(0, 60, 3)))
    return bench


@pytest.mark.parametrize("page", [1, 7, 20, 1000])
@pytest.mark.parametrize(
    ("order", "life"),
    [
        (Order.IMPORTANCE, "live"),
        (Order.CREATED, "live"),
        (Order.CREATED, None),
        (Order.ARCHIVED, "archived"),
    ],
)
def test_pages_of_any_size_join_to_the_same_list(many, order, life, page) -> None:
    whole = ids(listed(many, Filter(life=life), order, 1000))
    assert len(set(whole)) == len(whole) == {"live": 40, None: 60, "archived": 20}[life]
    assert ids(listed(many, Filter(life=life), order, page)) == whole


def test_the_important_and_recently_changed_come_first(many) -> None:
    rows = listed(many, Filter())
    keys = [(row.priority, row.updated_us, row.rid) for row in rows]
    assert keys == sorted(keys, reverse=True)


def test_the_archive_begins_with_the_latest(many) -> None:
    times = [row.archived_us for row in listed(many, Filter(life="archived"), Order.ARCHIVED)]
    assert times == sorted(times, reverse=True)


def test_rows_that_come_between_pages_move_no_others(many, pen) -> None:
    first, after = many.see(lambda view: view.list_memories(Filter(), limit=10))
    many.put(pen.memory("new", priority=10), pen.delete(first[3].record_id))
    rest = many.see(lambda view: view.list_memories(Filter(), Order.IMPORTANCE, after, 100))[0]
    assert len(rest) == 30
    assert not {row.record_id for row in rest} & {row.record_id for row in first}


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (Filter(namespaces=("a",)), 10),
        (Filter(namespaces=("a", "c")), 20),
        (Filter(below="a"), 20),
        (Filter(below="ab"), 10),
        (Filter(below="%"), 0),
        (Filter(tier="long"), 20),
        (Filter(tags=("even",)), 20),
        (Filter(tags=("even", "odd")), 0),
        (Filter(agent_id="ai:1"), 20),
        (Filter(session="s1"), 3),
        (Filter(min_priority=3), 20),
        (Filter(scopes=("private",)), 40),
        (Filter(scopes=("team", "org")), 0),
        (Filter(life="deleted"), 0),
    ],
)
def test_a_filter_means_what_it_says(many, wanted, count) -> None:
    assert len(listed(many, wanted)) == count


def test_since_and_until_include_their_moments(many, now_us) -> None:
    wanted = Filter(since_us=now_us + 1, until_us=now_us + 2, life=None)
    assert len(listed(many, wanted)) == 20


def test_a_memory_whose_life_has_ended_is_left_out_when_the_time_is_given(
    bench, pen, now_us
) -> None:
    bench.put(pen.memory("m1", expires_at=now_us), pen.memory("m2", expires_at=now_us + 1))
    assert ids(listed(bench, Filter(now_us=now_us))) == ["m2"]
    assert len(listed(bench, Filter())) == 2
    assert ids(listed(bench, Filter(life=None, now_us=now_us + 1))) == []


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_no_text_of_a_caller_ever_stands_in_the_sql(namespace, tag, agent) -> None:
    plain, _ = conditions(
        Filter(namespaces=("x",), below="x", tags=("x",), agent_id="x", session="x", tier="x")
    )
    sql, _ = conditions(
        Filter(
            namespaces=(namespace,),
            below=namespace or "x",
            tags=(tag,),
            agent_id=agent or "x",
            session=tag or "x",
            tier=namespace or "x",
        )
    )
    assert sql == plain
