"""A caller sees what its place and the scopes allow, on every read (D4)."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aimem_node.config import Settings
from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS, Effect, Role
from aimem_node.contract.values import EventsRequest, GetRequest, ListRequest, StoreRequest
from aimem_node.main import Core
from aimem_node.rpc.access_edit import create_token
from tests.aimem_node.operations.sight_stage import OPERATOR, STANDING, Kept, Stage, ids
from tests.harness import HandClock, Harness, SeededChance

COMMON = "common word"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("sight") / "node")
    made.fill()
    yield made
    made.node.stop()


def pages(stage: Stage, caller: str, operation: str, rows: str, **fields: Any) -> list[Any]:
    """All pages of an operation."""
    found: list[Any] = []
    cursor = ""
    while True:
        more = {"cursor": cursor} if cursor else {}
        answer = stage.call(caller, operation, limit=7, **fields, **more)
        found += answer[rows]
        cursor = answer.get("next_cursor", "")
        if not cursor:
            return found


def whole(operation: str, rows: str, life: str, **fields: Any) -> Callable[[Stage, str], Any]:
    """An operation that lists: it gives exactly what is seen."""

    def ask(stage: Stage, caller: str) -> Any:
        found = pages(stage, caller, operation, rows, **fields)
        assert ids(found) == {one.id for one in stage.seen(caller, life=life)}
        return found

    return ask


def found_by_words(operation: str, rows: str, **fields: Any) -> Callable[[Stage, str], Any]:
    """An operation that gives the best: each memory is found by its own word, or is not there."""

    def ask(stage: Stage, caller: str) -> Any:
        answers = [stage.call(caller, operation, limit=50, **{**fields, name: COMMON})]
        seen = stage.seen(caller, life="live")
        for one in (*stage.hidden(caller)[:8], *seen[:8]):
            answer = stage.call(caller, operation, **{**fields, name: one.mark})
            given = ids(answer[rows]) | {s["standard_id"] for s in answer.get("standards", ())}
            assert (one.id in given) == (one in seen)
            answers.append({**answer, "query": ""})
        return answers

    name = "query" if operation == "Search" else "context"
    return ask


def each(operation: str, **fields: Any) -> Callable[[Stage, str], Any]:
    """An operation on one memory: what is out of sight might as well not be there."""

    def ask(stage: Stage, caller: str) -> Any:
        field = next(iter(fields))
        more = {name: value for name, value in fields.items() if name != field}
        answers = [
            stage.call(caller, operation, **{field: one.id}, **more) for one in stage.seen(caller)
        ]
        for one in stage.hidden(caller):
            for named in (one.id, one.id[:-1]):
                refused = stage.refused(caller, operation, **{field: named}, **more)
                assert refused is not None
                assert refused.code == Code.NOT_FOUND
                assert (refused.details, refused.message.replace(repr(named), "")) == (
                    {}, "no memory ",
                )  # fmt: skip
        return answers

    return ask


def links_of(stage: Stage, caller: str) -> Any:
    answers = each("GetLinks", id="")(stage, caller)
    seen = {one.id for one in stage.seen(caller)}
    told = {(link["source_id"], link["target_id"]) for a in answers for link in a["links"]}
    assert told == {(a, b) for a, b in stage.links if {a, b} <= seen}
    return answers


def exported(stage: Stage, caller: str) -> Any:
    records = stage.stream(caller, "Export")
    seen = {one.id for one in stage.seen(caller)}
    assert ids(r["memory"] for r in records if "memory" in r) == seen
    told = {(r["link"]["source_id"], r["link"]["target_id"]) for r in records if "link" in r}
    assert told == {(a, b) for a, b in stage.links if {a, b} <= seen}
    return records


def followed(stage: Stage, caller: str) -> Any:
    """Up to the last memory of the stage, which everybody sees."""
    told = stage.stream(caller, "Events", until=stage.kept[-1].id, after="start")
    stored = {one["id"] for one in told if one["event"] == "memory_stored"}
    assert stored == {one.id for one in stage.seen(caller)}
    return told


def counted(stage: Stage, caller: str) -> Any:
    answer = stage.call(caller, "Stats")
    live, archived = stage.seen(caller, life="live"), stage.seen(caller, life="archived")
    seen = {one.id for one in stage.seen(caller)}
    assert (answer["total"], answer["archived"]) == (len(live), len(archived))
    assert answer["links_count"] == sum({a, b} <= seen for a, b in stage.links)
    assert sum(tier["count"] for tier in answer["by_tier"]) == len(live)
    assert spread(answer["by_namespace"]) == by_place(live)
    return answer


def spread(counts: list[dict[str, Any]]) -> dict[str, int]:
    return {one["namespace"]: one["count"] for one in counts}


def by_place(those: list[Kept]) -> dict[str, int]:
    places = [one.namespace for one in those]
    return {place: places.count(place) for place in places}


def counted_archive(stage: Stage, caller: str) -> Any:
    answer = stage.call(caller, "ArchiveStats")
    assert spread(answer["by_namespace"]) == by_place(stage.seen(caller, life="archived"))
    return answer


def places(stage: Stage, caller: str) -> Any:
    answer = stage.call(caller, "Namespaces", namespace="acme/eng/web", inherit=True)
    assert spread(answer["namespaces"]) == by_place(stage.seen(caller, life="live"))
    return answer


def tree(stage: Stage, caller: str) -> Any:
    answer = stage.call(caller, "GetTaxonomy")
    assert answer["total_count"] == len(stage.seen(caller, life="live"))
    below = stage.call(caller, "GetTaxonomy", namespace_prefix="acme/eng")
    assert below["total_count"] == sum(
        one.namespace.startswith("acme/eng") for one in stage.seen(caller, life="live")
    )
    return answer, below


def standards(stage: Stage, caller: str) -> Any:
    answers = []
    for one in stage.of(OPERATOR):
        if one.scope == "private" and one.life == "live" and "mark" in one.mark:
            answer = stage.call(caller, "NamespaceGetStandard", namespace=one.namespace)
            if answer.get("standard", {}).get("standard_id"):
                assert one in stage.seen(caller)
            else:
                assert one not in stage.seen(caller)
                assert "cannot be shown" in answer["warning"]
            answers.append(answer)
    return answers


def began(stage: Stage, caller: str) -> Any:
    """With all that is seen, since no more is there than the limit."""
    answers = []
    for place in ("acme/eng/web/ui", "acme/eng/web/ui/*", None):
        given = {} if place is None else {"namespace": place}
        answers.append(stage.call(caller, "SessionStart", limit=50, **given))
    return answers


def inboxes(stage: Stage, caller: str) -> Any:
    """Everyone may speak as any agent here: whoever asks for an inbox by name is answered."""
    answer = stage.call(caller, "Inbox", agent_id=f"ai:{caller}")
    assert [m["payload"] for m in answer["messages"]] == (
        [f"for {caller} only"] if caller != OPERATOR else []
    )
    return answer


def of_each_seen(operation: str, field: str, **more: Any) -> Callable[[Stage, str], Any]:
    def ask(stage: Stage, caller: str) -> Any:
        return each(operation, **{field: "", **more})(stage, caller)

    return ask


def duplicates(stage: Stage, caller: str) -> Any:
    return [
        stage.call(caller, "CheckDuplicate", title=f"note {one.mark}"[:-1], threshold=0.5,
                   content="a common word and another", namespace=one.namespace)
        for one in (*stage.hidden(caller)[::5], *stage.seen(caller)[::9])
    ]  # fmt: skip


def similar(stage: Stage, caller: str) -> Any:
    """To a text, to what is seen, and to what is not, which might as well not be there."""
    for one in stage.hidden(caller):
        refused = stage.refused(caller, "FindSimilar", id=one.id)
        assert refused is not None
        assert refused.code == Code.NOT_FOUND
    asked = [{"text": "a common word and another"}]
    asked += [{"id": one.id} for one in stage.seen(caller)[::9]]
    return [stage.call(caller, "FindSimilar", limit=50, **one) for one in asked]


def contradicted(stage: Stage, caller: str) -> Any:
    mine = stage.seen(caller)[0].id
    for one in stage.hidden(caller)[::5]:
        refused = stage.refused(caller, "DetectContradiction", id_a=mine, id_b=one.id)
        assert refused is not None
        if refused.code == Code.UNIMPLEMENTED:
            raise refused
        assert refused.code == Code.NOT_FOUND
    return []


def topics(stage: Stage, caller: str) -> Any:
    places = {one.namespace for one in stage.kept}
    return [stage.call(caller, "Contradictions", namespace=place) for place in sorted(places)]


def aliases(stage: Stage, caller: str) -> Any:
    answers = []
    for one in stage.kept:
        answer = stage.call(caller, "EntityGetByAlias", alias=one.mark)
        assert not answer["found"] or one in stage.seen(caller)
        answers.append(answer)
    return answers


def explained(stage: Stage, caller: str) -> Any:
    for one in stage.hidden(caller):
        refused = stage.refused(
            caller, "PolicyExplain", action="update", namespace=one.namespace, id=one.id
        )
        assert refused is not None
        assert refused.code == Code.NOT_FOUND
    return []


def plainly(operation: str, **fields: Any) -> Callable[[Stage, str], Any]:
    def ask(stage: Stage, caller: str) -> Any:
        return stage.call(caller, operation, **fields)

    return ask


READS: dict[str, Callable[[Stage, str], Any]] = {
    "Get": each("Get", id=""),
    "History": each("History", id=""),
    "GetLinks": links_of,
    "List": whole("List", "memories", "live"),
    "ArchiveList": whole("ArchiveList", "archived", "archived"),
    "SyncSince": whole("SyncSince", "memories", "live"),
    "Search": found_by_words("Search", "results"),
    "Recall": found_by_words("Recall", "memories"),
    "SessionStart": began,
    "Export": exported,
    "Events": followed,
    "Stats": counted,
    "ArchiveStats": counted_archive,
    "Namespaces": places,
    "GetTaxonomy": tree,
    "NamespaceGetStandard": standards,
    "Inbox": inboxes,
    "KgQuery": of_each_seen("KgQuery", "source_id", max_depth=5, direction="both"),
    "KgTimeline": of_each_seen("KgTimeline", "source_id"),
    "CheckDuplicate": duplicates,
    "FindSimilar": similar,
    "NearDuplicates": plainly("NearDuplicates", threshold=0.5),
    "DetectContradiction": contradicted,
    "Contradictions": topics,
    "ExpandQuery": plainly("ExpandQuery", query="note common"),
    "CurationLog": plainly("CurationLog"),
    "EntityGetByAlias": aliases,
    "EntityList": plainly("EntityList", limit=1000),
    "PolicyExplain": explained,
    "PendingList": plainly("PendingList"),
    "ListSubscriptions": plainly("ListSubscriptions"),
    "DeadLetters": plainly("DeadLetters"),
    "AgentList": plainly("AgentList"),
    "PolicyGet": plainly("PolicyGet"),
    "NamespaceCopies": plainly("NamespaceCopies"),
    "Capabilities": plainly("Capabilities"),
    "Health": plainly("Health"),
}
"""For every operation that reads: how it is asked and what its answer must be. Besides, none of
them may mention a memory that is out of sight."""
ELSEWHERE = {
    "Audit": "the operator's alone, who has the log",
    "WaitDurable": "speaks of ops by their numbers, and of nodes",
}


def test_every_operation_that_reads_has_a_row_or_a_reason() -> None:
    reading = {name for name, declared in OPERATIONS.items() if declared.effect == Effect.READ}
    assert set(READS) | set(ELSEWHERE) == reading
    assert OPERATIONS["Audit"].role == Role.ADMIN


@pytest.mark.parametrize("operation", READS)
def test_nobody_is_told_of_what_is_out_of_sight(stage: Stage, operation: str) -> None:
    for caller in (*STANDING, OPERATOR):
        try:
            answer = READS[operation](stage, caller)
        except Failure as failure:
            if failure.code == Code.UNIMPLEMENTED:
                pytest.skip(f"{operation} is not built yet")
            raise
        assert stage.told_of_hidden(caller, answer) == set(), caller


def test_the_stage_shows_everybody_something_and_hides_something_of_it(stage: Stage) -> None:
    for caller, place in STANDING.items():
        assert stage.seen(caller)
        assert bool(stage.hidden(caller)) == bool(place)


def test_a_prefix_counts_only_what_is_seen(node: Harness) -> None:
    web, _ = caller(node, "web", "acme/web"), caller(node, "free")
    for record_id, scope in (("abc1", "private"), ("abc2", "collective"), ("abc3", "private")):
        memory = {"id": record_id, "title": record_id, "content": "c", "namespace": "acme",
                  "scope": scope}  # fmt: skip
        node.call("Import", memories=[memory])
    assert node.call("Get", web, id="abc")["memory"]["id"] == "abc2"
    with pytest.raises(Failure) as caught:
        node.call("Get", id="abc")
    assert caught.value.details == {"ids": ["abc1", "abc2", "abc3"]}


def caller(node: Harness, name: str, place: str = "", pattern: str = "*") -> Credentials:
    bearer = create_token(str(node.data_dir), name, Role.WRITER, pattern, place=place)
    node.clock.move(seconds=1)
    return Credentials(channel=Channel.LOOPBACK, bearer=bearer)


def test_a_title_that_is_out_of_sight_is_not_taken(node: Harness) -> None:
    web = caller(node, "web", "acme/web")
    hidden = node.store("plan", "the first plan", namespace="acme")
    stored = node.call("Store", web, title="plan", content="another", namespace="acme")
    assert stored["duplicate"] is False
    assert stored["id"] != hidden
    assert stored["potential_contradictions"] == []
    again = node.call("Store", web, title="plan", content="and again", namespace="acme")
    assert (again["duplicate"], again["id"]) == (True, stored["id"])
    mine = node.call("Store", web, title="other", content="c", namespace="acme")["id"]
    with pytest.raises(Failure, match=stored["id"]):
        node.call("Update", web, id=mine, title="plan")
    assert node.memory(hidden)["content"] == "the first plan"


WRITES: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "Update": lambda hidden, _mine: {"id": hidden, "content": "x"},
    "Delete": lambda hidden, _mine: {"id": hidden},
    "Promote": lambda hidden, _mine: {"id": hidden},
    "ArchiveRestore": lambda hidden, _mine: {"id": hidden},
    "Link": lambda hidden, mine: {"source_id": mine, "target_id": hidden},
    "Unlink": lambda hidden, mine: {"source_id": hidden, "target_id": mine},
    "NamespaceSetStandard": lambda hidden, _mine: {"namespace": "a", "id": hidden},
    "InboxMark": lambda hidden, _mine: {"ids": [hidden]},
}


@pytest.mark.parametrize("operation", WRITES)
def test_what_is_out_of_sight_cannot_be_written_to(node: Harness, operation: str) -> None:
    web = caller(node, "web", "acme/web")
    hidden = node.store("hidden", namespace="acme")
    mine = node.call("Store", web, title="mine", content="c", namespace="acme")["id"]
    fields = WRITES[operation](hidden, mine)
    with pytest.raises(Failure) as caught:
        node.call(operation, web, **fields)
    with pytest.raises(Failure) as absent:
        node.call(operation, web, **WRITES[operation]("no-such-memory", mine))
    assert caught.value.code == absent.value.code == Code.NOT_FOUND
    assert caught.value.message.replace(hidden, "") == absent.value.message.replace(
        "no-such-memory", ""
    )


def test_what_is_out_of_sight_is_neither_forgotten_archived_nor_collected(node: Harness) -> None:
    web = caller(node, "web", "acme/web")
    hidden = [node.store("apples", namespace="acme"), node.store("b", namespace="acme", ttl_secs=9)]
    node.clock.move(seconds=10)
    assert node.call("Forget", web, pattern="apples")["deleted"] == 0
    assert node.call("Archive", web, ids=hidden[:1])["missing"] == hidden[:1]
    assert node.call("Gc", web)["collected"] == 0
    pushed = node.call("SyncPush", web, deletions=hidden)
    assert pushed["deleted"] == 0
    for record_id in hidden:
        memory = {"id": record_id, "title": "t", "content": "c"}
        with pytest.raises(Failure, match="not yours to see"):
            node.call("Import", web, memories=[memory])
    assert node.memory(hidden[0])["title"] == "apples"
    assert node.call("Gc")["collected"] == 1


def test_to_see_as_somebody_else_shows_less_and_never_more(stage: Stage) -> None:
    def listed(caller: str, operation: str, rows: str, **fields: Any) -> set[str]:
        return ids(stage.call(caller, operation, limit=50, **fields)[rows])

    asks = {
        "List": {"namespace": "acme/*"},
        "Search": {"query": COMMON, "namespace": "acme/*"},
        "Recall": {"context": COMMON, "namespace": "acme/*"},
        "SessionStart": {"namespace": "acme/*"},
    }
    rows = {
        "List": "memories",
        "Search": "results",
        "Recall": "memories",
        "SessionStart": "memories",
    }
    for operation, fields in asks.items():
        as_web = listed(OPERATOR, operation, rows[operation], as_agent="acme/eng/web", **fields)
        theirs = listed("web", operation, rows[operation], **fields)
        assert as_web == theirs != set()
        for place in ("acme", "acme/sales", "zeta/x"):
            both = listed("web", operation, rows[operation], as_agent=place, **fields)
            assert both < theirs


def test_a_stream_ends_when_what_its_caller_may_see_is_changed(node: Harness) -> None:
    web = caller(node, "web", "acme/web")
    for title in ("a", "b", "c"):
        node.store(title, namespace="acme/web")

    async def follow() -> list[str]:
        told = []
        answers = node.core.dispatcher.stream("Events", EventsRequest(after="start"), web)
        async for event in answers:
            told.append(event.event)
            tokens = node.data_dir / "access" / "tokens.txt"
            tokens.write_text(tokens.read_text().replace("acme/web", "zeta"))
            node.clock.move(seconds=1)
        return told

    with pytest.raises(Failure, match="was changed while the stream ran"):
        node.run(follow())


def test_the_node_s_own_user_stands_where_the_setting_says(tmp_path: Path) -> None:
    async def live() -> None:
        home = tmp_path / "n"
        settings = Settings(data_dir=home, place="acme/web", embedder="off")
        core = await Core.start(home, HandClock(), SeededChance(), settings)
        try:
            bearer = create_token(str(home), "free", Role.WRITER)
            core.dispatcher.clock.move(seconds=1)
            free = Credentials(channel=Channel.LOOPBACK, bearer=bearer)
            hidden = StoreRequest(title="t", content="c", namespace="acme")
            stored = await core.dispatcher.call("Store", hidden, free)
            me = Credentials(channel=Channel.INPROCESS)
            assert (await core.dispatcher.call("List", ListRequest(), me)).count == 0
            with pytest.raises(Failure, match="no memory"):
                await core.dispatcher.call("Get", GetRequest(id=stored.id), me)
        finally:
            await core.stop()

    asyncio.run(live())
