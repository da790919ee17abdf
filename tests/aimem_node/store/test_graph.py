"""A walk is what a plain reading of the rules gives, whatever the graph looks like."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimem_node.store.graph import Links, Stretch, Walk
from aimem_node.store.listing import Filter
from aimem_node.store.sight import Sight
from aimem_sync.change import Change
from tests.aimem_node.store.conftest import NOW_US, Bench, Pen

NODES = [f"m{at}" for at in range(7)]
HIDDEN = {"m6": "private elsewhere", "m5": "deleted"}
RELATIONS = ("related_to", "supersedes", "derived_from")
AGENTS = ("ai:one", "ai:two")
times = st.integers(0, 4)
RUNS = itertools.count()
"Each example has records of its own, in one store for all of them."


def in_turn(one: dict) -> dict:
    """The fact, with what is said of it said one after the other: a writer's clock goes on."""
    ended, removed = one["ended"], one["removed"]
    if ended is not None:
        ended = (ended[0], max(ended[1], one["told"]))
    if removed is not None:
        removed = max(removed, one["told"] if ended is None else ended[1])
    return {**one, "ended": ended, "removed": removed}


fact = st.fixed_dictionaries(
    {
        # Most facts touch what a walk comes by, so that little of what is drawn says nothing.
        "source": st.sampled_from(["m0", "m0", "m1", *NODES]),
        "target": st.sampled_from(["m1", "m2", "m3", *NODES]),
        "relation": st.sampled_from(RELATIONS),
        "by": st.sampled_from(AGENTS),
        "since": times,
        "until": st.none() | times,
        "told": times,
        "ended": st.none() | st.tuples(times, times),
        "removed": st.none() | times,
        "given": st.booleans(),
    }
).map(in_turn)
question = st.fixed_dictionaries(
    {
        "at": times,
        "now": st.booleans(),
        "any": st.booleans(),
        "as_of": st.none() | times,
        "relations": st.just([]) | st.lists(st.sampled_from(RELATIONS), max_size=2, unique=True),
        "agents": st.just([]) | st.lists(st.sampled_from(AGENTS), max_size=1),
        "depth": st.integers(1, 5),
        "limit": st.integers(1, 8),
        "ways": st.sampled_from(["out", "in", "both"]),
    }
)


@pytest.fixture(scope="module")
def store() -> Iterator[Bench]:
    with TemporaryDirectory() as place:
        bench = Bench(Path(place) / "node")
        yield bench
        bench.store.close()


def at(moment: int) -> int:
    return NOW_US + moment


def written(bench: Bench, tag: str, facts: list[dict]) -> list[dict]:
    """Write memories and facts under names of their own; the facts as the log tells them."""

    def job(session) -> None:
        for name in NODES:
            scoped = {"namespace": "other/place"} if name == "m6" else {"namespace": "org/a"}
            bench.pen.write(session, Pen.memory(tag + name, name, **scoped))
        bench.pen.write(session, Pen.delete(tag + "m5"))
        for number, one in enumerate(facts):
            body = {
                "source_id": tag + one["source"], "target_id": tag + one["target"],
                "relation": one["relation"], "observed_by": one["by"], "created_at": NOW_US,
                "valid_from": at(one["since"]), "valid_from_given": one["given"],
            }  # fmt: skip
            until = None if one["until"] is None else at(one["until"])
            link_id = f"{tag}l{number:02}"
            registers = {"body": body, "valid_until": until, "life": {"is": "live"}}
            bench.pen.write(session, Change(link_id, "link", registers), at_us=at(one["told"]))
            if one["ended"] is not None:
                end, told = one["ended"]
                ended = Change(link_id, "link", {"valid_until": at(end)})
                bench.pen.write(session, ended, at_us=at(told))
            if one["removed"] is not None:
                gone = Pen.delete(link_id, "link")
                bench.pen.write(session, gone, at_us=at(one["removed"]))

    bench.do(job)
    return [{**one, "id": f"{tag}l{number:02}"} for number, one in enumerate(facts)]


def known(one: dict, as_of: int | None) -> tuple[int, int | None] | None:
    """From when until when a fact holds, as known at a moment; None if it is not known."""
    if as_of is not None and one["told"] > as_of:
        return None
    removed = one["removed"]
    if removed is not None and (as_of is None or removed <= as_of):
        return None
    until = one["until"]
    if one["ended"] is not None and (as_of is None or one["ended"][1] <= as_of):
        until = one["ended"][0]
    return one["since"], until


def followed(one: dict, asked: dict) -> bool:
    span = known(one, asked["as_of"])
    if span is None:
        return False
    begun = span[0] <= asked["at"] or (asked["now"] and not one["given"])
    holds = begun and (span[1] is None or span[1] > asked["at"])
    return (
        (asked["any"] or holds)
        and (not asked["relations"] or one["relation"] in asked["relations"])
        and (not asked["agents"] or one["by"] in asked["agents"])
    )


def naive(facts: list[dict], asked: dict) -> tuple[list[tuple], bool]:
    """The same walk over a list of all links, one memory at a time."""
    links = sorted(
        (one for one in facts if followed(one, asked)), key=lambda f: (f["since"], f["id"])
    )
    paths = {"m0": ("m0",)}
    found: list[tuple] = []
    frontier = ["m0"]
    for _ in range(asked["depth"]):
        reached = []
        for way in ("out", "in"):
            if asked["ways"] not in (way, "both"):
                continue
            near, far = ("source", "target") if way == "out" else ("target", "source")
            for node in frontier:
                for one in (link for link in links if link[near] == node):
                    if one[far] in paths or one[far] in HIDDEN:
                        continue
                    if len(found) == asked["limit"]:
                        return found, True
                    paths[one[far]] = (*paths[node], one[far])
                    reached.append(one[far])
                    found.append((one["id"], paths[one[far]]))
        frontier = reached
    return found, False


SEEN = Filter(life=None, sight=Sight(place="org/a"))


@settings(max_examples=80, deadline=None)
@given(st.lists(fact, min_size=4, max_size=14), st.lists(question, min_size=4, max_size=8))
def test_a_walk_finds_what_the_rules_say_in_the_order_that_they_say(
    store: Bench, facts: list[dict], questions: list[dict]
) -> None:
    tag = f"{next(RUNS)}-"
    told = written(store, tag, facts)
    for asked in questions:
        as_of = None if asked["as_of"] is None else at(asked["as_of"])
        walk = Walk(
            source_id=tag + "m0", wanted=SEEN, depth=asked["depth"], limit=asked["limit"],
            outward=asked["ways"] != "in", inward=asked["ways"] != "out",
            links=Links(
                at_us=at(asked["at"]), now=asked["now"], at_any_time=asked["any"], as_of_us=as_of,
                relations=tuple(asked["relations"]), agents=tuple(asked["agents"]),
            ),
        )  # fmt: skip
        trail = store.see(lambda view, walk=walk: view.walk(walk))
        found = [
            (one.link_id, tuple(name.removeprefix(tag) for name in one.path)) for one in trail.found
        ]
        assert (found, trail.truncated) == naive(told, asked)


@settings(max_examples=60, deadline=None)
@given(st.lists(fact, min_size=4, max_size=14), st.none() | times, times, times, st.integers(1, 9))
def test_a_timeline_holds_each_known_fact_of_its_time_in_order(
    store: Bench, facts: list[dict], as_of, since: int, until: int, limit: int
) -> None:
    tag = f"{next(RUNS)}-"
    told = written(store, tag, facts)
    asked = Stretch(
        source_id=tag + "m0", wanted=SEEN, limit=limit,
        links=Links(
            at_any_time=True, as_of_us=None if as_of is None else at(as_of), since_us=at(since),
            until_us=at(until),
        ),
    )  # fmt: skip
    trail = store.see(lambda view: view.stretch(asked))
    expected = [
        (one["id"], known(one, as_of)[1])
        for one in sorted(told, key=lambda f: (f["since"], f["id"]))
        if one["source"] == "m0" and one["target"] not in HIDDEN
        and known(one, as_of) is not None and since <= one["since"] <= until
    ]  # fmt: skip
    found = [
        (one.link_id, None if one.valid_until_us is None else one.valid_until_us - NOW_US)
        for one in trail.found
    ]
    assert (found, trail.truncated) == (expected[:limit], len(expected) > limit)


def test_a_walk_reads_only_what_it_shows_of_a_memory_with_many_links(store: Bench) -> None:
    def job(session) -> None:
        store.pen.write(session, Pen.memory("hub"))
        for number in range(600):
            store.pen.write(session, Pen.memory(f"spoke{number:03}"))
            store.pen.write(session, Pen.link(f"hub-l{number:03}", "hub", f"spoke{number:03}"))

    store.do(job)
    walk = Walk(
        source_id="hub", wanted=Filter(), depth=5, limit=300, links=Links(at_us=NOW_US),
    )  # fmt: skip
    trail = store.see(lambda view: view.walk(walk))
    assert [one.far_id for one in trail.found] == [f"spoke{number:03}" for number in range(300)]
    assert trail.truncated


@pytest.mark.parametrize("index", ["link_out", "link_in"])
def test_the_index_holds_all_that_a_walk_reads(store: Bench, index: str) -> None:
    near = "source_id" if index == "link_out" else "target_id"
    plan = store.see(
        lambda view: view._connection.execute(
            f"EXPLAIN QUERY PLAN SELECT l.record_id, l.source_id, l.target_id, l.relation,"
            " l.valid_until_us, l.observed_us, l.observed_by, l.changed_us, l.life, l.start_given"
            f" FROM json_each('[]') f CROSS JOIN link l INDEXED BY {index} ON l.{near} = f.value"
        ).fetchall()
    )
    assert any("COVERING INDEX" in str(row) for row in plan), plan
