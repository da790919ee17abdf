"""Slack's export: threads by themselves, the rest by channel and day."""

import zipfile
from pathlib import Path
from typing import Any

from aimem_node.gateways.cli.mining import slack
from tests.aimem_node.gateways.cli.mining.reading import read, spoken
from tests.aimem_node.gateways.cli.mining.stage import written


def says(ts: str, text: str, user: str = "U1", **more: Any) -> dict[str, Any]:
    return {"type": "message", "user": user, "ts": ts, "text": text} | more


def workspace(tmp_path: Path) -> Path:
    written(tmp_path / "users.json", [
        {"id": "U1", "name": "ann", "profile": {"display_name": "Ann"}},
        {"id": "U2", "name": "bob", "profile": {"display_name": "", "real_name": "Bob B"}},
    ])  # fmt: skip
    written(tmp_path / "channels.json", [{"id": "C7", "name": "general"}])
    written(tmp_path / "general" / "2025-03-01.json", [
        says("1740816000.000100", "morning"),
        says("1740816001.000100", "deploy?", thread_ts="1740816001.000100"),
        says("1740816002.000100", "joined", subtype="channel_join"),
        says("1740816003.000100", "beep", subtype="bot_message"),
        says("1740816004.000100",
             "hi <@U1> see <https://x.example|this> &amp; <#C7|general>", "U2"),
    ])  # fmt: skip
    written(tmp_path / "general" / "2025-03-02.json", [
        says("1740902400.000100", "tuesday", "U2", thread_ts="1740816001.000100"),
        says("1740902300.000100", "which day?", thread_ts="1740816001.000100",
             subtype="thread_broadcast"),
    ])  # fmt: skip
    return tmp_path


def test_a_thread_is_a_conversation_of_its_own_over_all_its_days(tmp_path: Path) -> None:
    (day, thread), unfit = read(slack.find, workspace(tmp_path))
    assert unfit == []
    assert spoken(day) == [
        "Ann: morning", "Bob B: hi @Ann see this (https://x.example) & #general",
    ]  # fmt: skip
    assert (day.title, day.key) == ("#general 2025-03-01", "C7/2025-03-01")
    assert spoken(thread) == ["Ann: deploy?", "Ann: which day?", "Bob B: tuesday"]
    assert (thread.title, thread.key) == ("#general: deploy?", "C7/1740816001.000100")
    assert thread.tags == ("#general",)


def test_the_archive_reads_like_the_directory(tmp_path: Path) -> None:
    place = workspace(tmp_path / "d")
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        for path in sorted(place.rglob("*.json")):
            archive.write(path, path.relative_to(place))
    assert [one.messages for one in read(slack.find, tmp_path / "export.zip")[0]] == [
        one.messages for one in read(slack.find, place)[0]
    ]


def test_a_day_that_is_no_json_costs_only_itself(tmp_path: Path) -> None:
    place = workspace(tmp_path)
    (place / "general" / "2025-03-03.json").write_text("[{broken")
    written(place / "random" / "2025-03-01.json", ["text", says("1740816000.000100", "x", "U9")])
    found, unfit = read(slack.find, place)
    assert len(found) == 3
    assert spoken(found[-1]) == ["U9: x"]
    assert [one.where for one in unfit] == ["general/2025-03-03.json, index 0"]
