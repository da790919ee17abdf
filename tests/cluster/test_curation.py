"""Curation on nodes that are parted: what both did stands, is shown so, and can be settled."""

from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from chaos.team import Team

NOW = {"allow_pending": True, "deadline_ms": 50}


def everywhere(team: Team, operation: str, **fields: Any) -> Any:
    """An answer that every node gives, but for what each knows of the others' disks."""
    answers = [team.call(name, operation, **fields) for name in "abc"]
    for answer in answers:
        for memory in (*answer.get("memories", ()), answer.get("memory", {})):
            memory.pop("pending", None)
    assert answers[0] == answers[1] == answers[2]
    return answers[0]


def problems(team: Team) -> list[str]:
    return [
        one
        for name in "abc"
        for one in team.core(name).replica.store.verify(deep=True).problems
    ]  # fmt: skip


def test_two_that_consolidate_the_same_make_two_which_are_shown_and_can_be_made_one(
    three: Team,
) -> None:
    sources = [three.store("a", name, tier="long")["id"] for name in ("one", "two")]
    three.until_level()
    three.part("c")
    made = {
        name: three.call(name, "Consolidate", ids=sources, title="both", summary=f"of {name}",
                         options=NOW)
        for name in "ac"
    }  # fmt: skip
    three.heal()
    three.until_level()
    live = everywhere(three, "List")["memories"]
    assert {one["id"] for one in live} == {made["a"]["id"], made["c"]["id"]}
    for source in sources:
        shown = everywhere(three, "Get", id=source)
        memory = shown["memory"]
        assert (memory["life"], memory["archive_reason"]) == ("archived", "consolidated")
        superseding = {
            each["source_id"] for each in shown["links"] if each["relation"] == "supersedes"
        }
        assert superseding == {made["a"]["id"], made["c"]["id"]}
    log = everywhere(three, "CurationLog")["steps"]
    assert {one["id"] for one in log} == {made[name]["step_id"] for name in "ac"}
    # Neither can be undone alone: the other one has put the sources into the archive as well.
    for name in "ac":
        with pytest.raises(Failure) as caught:
            three.call("b", "Rollback", id=made[name]["step_id"])
        assert caught.value.code == Code.CONFLICT
        assert "at the same time" in caught.value.message
    winner, loser = made["a"]["id"], made["c"]["id"]
    three.call("b", "Resolve", winner_id=winner, loser_id=loser)
    three.until_level()
    assert [one["id"] for one in everywhere(three, "List")["memories"]] == [winner]
    assert problems(three) == []


def test_a_step_is_undone_on_another_node_and_twice_at_once_is_once(three: Team) -> None:
    sources = [three.store("a", name, tier="long")["id"] for name in ("one", "two")]
    made = three.call("a", "Consolidate", ids=sources, title="both", summary="s")
    three.until_level()
    three.part("c")
    for name in "bc":
        done = three.call(name, "Rollback", id=made["step_id"], options=NOW)
        assert (done["restored"], done["archived"]) == (sources, [made["id"]])
    three.heal()
    three.until_level()
    assert {one["id"] for one in everywhere(three, "List")["memories"]} == set(sources)
    (step,) = everywhere(three, "CurationLog")["steps"]
    assert step["reversed_at"]
    assert three.call("a", "Rollback", id=made["step_id"])["write"]["write_ids"] == []
    assert problems(three) == []


def test_what_was_resolved_on_one_side_and_changed_on_the_other_is_live_and_still_linked(
    three: Team,
) -> None:
    winner, loser = (three.store("a", name, tier="long")["id"] for name in ("w", "l"))
    three.call("a", "Link", source_id=winner, target_id=loser, relation="contradicts")
    three.until_level()
    three.part("c")
    three.call("a", "Resolve", winner_id=winner, loser_id=loser, options=NOW)
    three.call("c", "Update", id=loser, content="corrected meanwhile", options=NOW)
    three.heal()
    three.until_level()
    memory = everywhere(three, "Get", id=loser)["memory"]
    assert (memory["life"], memory["content"]) == ("live", "corrected meanwhile")
    assert memory["conflicts"] >= 1, "and it is told that somebody had archived it"
    (stated,) = everywhere(three, "Contradictions")["links"]
    assert stated["state"] == "resolved"
