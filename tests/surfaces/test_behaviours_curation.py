"""Curation, whichever way in was taken: memories become few and consistent, and each step can be
undone."""

from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure

TEXT = (
    "the nightly export writes parquet files to the archive bucket and tells the finance team by"
    " mail when the last one has been written"
)


def new(way: Any, place: str, title: str, content: str = TEXT, **fields: Any) -> str:
    fields = {"title": title, "content": content, "namespace": place, "tier": "long", **fields}
    return str(way.call("Store", **fields)["id"])


def test_what_is_stored_already_is_found_before_it_is_stored_again(way: Any, place: str) -> None:
    kept = new(way, place, "Nightly")
    exact = way.call("CheckDuplicate", title="NIGHTLY", content=f" {TEXT} ", namespace=place)
    assert (exact["is_duplicate"], exact["method"], exact["suggested_merge"]) == (
        True, "exact", kept,
    )  # fmt: skip
    near = way.call(
        "CheckDuplicate", title="Nightly", content=TEXT.replace("parquet", "orc"),
        namespace=f"{place}/*", threshold=0.8,
    )  # fmt: skip
    assert (near["method"], near["nearest"]["id"], near["is_duplicate"]) == ("keyword", kept, True)
    assert 0.8 <= near["nearest"]["similarity"] < 1
    other = way.call("CheckDuplicate", title="Lunch", content="soup", namespace=place)
    assert (other["is_duplicate"], other["suggested_merge"]) == (False, "")


def test_two_that_disagree_are_found_and_settled_and_the_step_is_undone(
    way: Any, place: str
) -> None:
    topic = f"port of {place}"
    old = new(way, place, "old", "The gateway listens on port 8080.", metadata={"topic": topic})
    now = new(way, place, "now", "The gateway listens on port 9090.", metadata={"topic": topic})
    found = way.call("DetectContradiction", id_a=old, id_b=now)
    assert (found["contradicts"], found["signs"], found["stated"]) == (True, ["number"], False)
    (link,) = way.call("Contradictions", topic=topic)["links"]
    assert (link["synthesized"], link["state"], link["source_id"]) == (True, "open", now)
    way.call("Link", source_id=now, target_id=old, relation="contradicts")
    (link,) = way.call("Contradictions", namespace=place)["links"]
    assert (link["synthesized"], link["state"]) == (False, "open")
    done = way.call("Resolve", winner_id=now, loser_id=old)
    assert (done["resolved"], done["archived"]) == (True, True)
    (link,) = way.call("Contradictions", namespace=place)["links"]
    assert link["state"] == "resolved"
    (step,) = way.call("CurationLog", action="resolve", limit=1)["steps"]
    assert (step["id"], step["sources"], step["result_id"]) == (done["step_id"], [old], now)
    undone = way.call("Rollback", id=step["id"])
    assert (undone["reversed"], undone["restored"]) == (True, [old])
    again = way.call("Rollback", id=step["id"])
    assert (again["reversed"], again["write"]["write_ids"]) == (True, [])
    (link,) = way.call("Contradictions", namespace=place)["links"]
    assert link["state"] == "open"


def test_several_become_one_and_several_again(way: Any, place: str) -> None:
    ids = [new(way, f"{place}/{name}", name, tags=[name]) for name in ("one", "two")]
    made = way.call("Consolidate", ids=ids, title="both", summary="what both say")
    assert made["consolidated"] == 2
    memory = way.call("Get", id=made["id"])["memory"]
    assert (memory["namespace"], memory["tags"]) == (place, ["one", "two"])
    assert memory["metadata"]["derived_from"] == ids
    assert way.call("Get", id=ids[0])["memory"]["archive_reason"] == "consolidated"
    undone = way.call("Rollback", id=made["step_id"])
    assert (undone["restored"], undone["archived"]) == (ids, [made["id"]])
    with pytest.raises(Failure) as caught:
        way.call("Consolidate", ids=ids[:1], title="one", summary="s")
    assert (caught.value.code, caught.value.path) == (Code.INVALID_ARGUMENT, "$.ids")


def test_a_memory_is_tagged_by_its_own_words_and_a_query_widened_by_those_of_others(
    way: Any, place: str
) -> None:
    kept = new(way, place, "Parquet export")
    shown = way.call("AutoTag", id=kept, limit=3, dry_run=True)
    assert (len(shown["new_tags"]), shown["all_tags"]) == (3, [])
    tagged = way.call("AutoTag", id=kept, limit=3)
    assert "parquet" in tagged["new_tags"]
    assert way.call("Get", id=kept)["memory"]["tags"] == sorted(tagged["new_tags"])
    assert way.call("AutoTag", id=kept, limit=3)["step_id"] == ""
    wider = way.call("ExpandQuery", query="parquet", namespace=place, limit=4)
    assert (wider["original"], len(wider["expanded_terms"])) == ("parquet", 4)
    assert "parquet" not in wider["expanded_terms"]
