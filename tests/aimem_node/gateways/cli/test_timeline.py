"""The history of a memory, for people."""

from typing import Any

from aimem_node.gateways.cli import showing, timeline
from aimem_node.gateways.cli.look import Look

LOOK = Look(width=60)


def version(number: int, change: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"write_id": f"o:{number}", "order": number, "kind": "edit", "author": "user:ann",
            "written_at": f"2026-11-22T18:00:0{number}Z", "change": change, "current": [],
            "conflicting": []} | more  # fmt: skip


def body(content: str, title: str = "Deploys") -> dict[str, Any]:
    return {"body": {"title": title, "content": content, "metadata": {}}, "updated_at": 1}


STORED = version(1, {"set": body("Ann has the key.") | {"priority": 5, "life": {"is": "live"}}})


def test_an_entry_says_who_and_what_became_of_what_and_nothing_that_stayed() -> None:
    changed = version(2, {"set": body("Bob has it."), "tag": ["ops"], "untag": {"old": ["o:1"]}})
    first, second, *_ = timeline.lines([changed, STORED], LOOK, more=False)
    assert first.endswith("changed  by user:ann")
    assert second == "  content  Ann has the key. → Bob has it."
    shown = "\n".join(timeline.lines([changed, STORED], LOOK, more=False))
    assert "tags     +ops -old" in shown
    assert "stored  by user:ann" in shown
    for quiet in ("updated", "live", "Deploys →", "metadata"):
        assert quiet not in shown


def test_a_change_in_a_long_text_is_shown_from_where_it_begins() -> None:
    changed = version(2, {"set": body("word " * 40 + "new end")})
    before = version(1, {"set": body("word " * 40 + "old end")})
    shown = timeline.lines([changed, before], LOOK, more=False)
    assert shown[1].endswith("old end")
    assert shown[2].endswith("new end")
    assert all(len(line) <= 60 for line in shown)


def test_conflicts_ends_and_erasures_are_marked() -> None:
    gone = version(3, {"set": {"life": {"is": "archived", "reason": "old", "at": 1}}})
    beside = version(2, {"set": body("other")}, conflicting=["body"])
    erased = version(1, {"erased": True})
    shown = "\n".join(timeline.lines([gone, beside, erased], LOOK, more=True))
    assert "archived  by user:ann" in shown
    assert "because  old" in shown
    assert "! conflict in content" in shown
    assert "its text has been erased" in shown


def test_a_page_that_is_not_the_last_claims_no_beginning() -> None:
    rows = {"versions": [STORED], "next_cursor": "c9", "id": "i"}
    shown = showing.answer({"rows": "versions"}, rows, LOOK)
    assert "stored" not in shown
    assert "--cursor c9" in shown
