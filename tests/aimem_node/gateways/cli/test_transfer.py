"""Export and import account for every record (promise G8)."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from aimem_node.contract import codec
from aimem_node.contract.values import ExportRecord, Memory, MemoryLink, Relation, Tier
from aimem_node.gateways.cli import fast, importing
from aimem_node.gateways.cli.proof import Proof, canonical
from aimem_node.gateways.cli.records import Records
from tests.aimem_node.gateways.cli.fake_node import Asked, FakeNode
from tests.harness import Harness

HEADER = {"header": {"format": "aimem-export", "version": 1, "node_id": "n"}}


def memory(number: int, content: str = "c") -> dict[str, Any]:
    return {"memory": {"id": f"m{number}", "title": f"t{number}", "content": content}}


def link(number: int) -> dict[str, Any]:
    return {"link": {"id": f"l{number}", "source_id": "m1", "target_id": "m2"}}


def whole(*records: dict[str, Any]) -> list[dict[str, Any]]:
    """An export of these records, with its header and trailer."""
    sha = hashlib.sha256(b"".join(canonical(record) + b"\n" for record in records)).hexdigest()
    counts = {kind: sum(kind in record for record in records) for kind in ("memory", "link")}
    trailer = {"memories": counts["memory"], "links": counts["link"], "sha256": sha}
    return [HEADER, *records, {"trailer": trailer}]


def written(tmp_path: Path, records: list[dict[str, Any]]) -> str:
    path = tmp_path / "export.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return str(path)


def taking(asked: Asked) -> tuple[int, Any]:
    """A node that takes everything in."""
    body = asked.body
    return 200, {"imported": len(body.get("memories", [])), "links": len(body.get("links", []))}


def test_the_hash_is_the_one_that_the_node_makes() -> None:
    kept = Memory(
        id="m", title="ü", content="c\u2028", confidence=0.1, tier=Tier.LONG, created_at=1_700_001
    )
    stated = MemoryLink(id="l", source_id="a", relation=Relation.SUPERSEDES)
    records = [ExportRecord(memory=kept), ExportRecord(link=stated)]
    lines = [codec.dumps(codec.to_json(record)).encode() for record in records]
    proof = Proof()
    for line in lines:
        proof.take(json.dumps(json.loads(line), indent=None).encode())
    assert proof.hex() == hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest()


def test_an_export_is_written_whole_and_closed_to_others(
    fake: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = whole(memory(1), memory(2), link(1))
    fake.answer = lambda _: (200, list(records))
    target = tmp_path / "out.jsonl"
    assert fast.main(["export", str(target), "-n", "team/*", "--no-include-archived"]) == 0
    assert [json.loads(line) for line in target.read_text().splitlines()] == records
    assert target.stat().st_mode & 0o777 == 0o600
    assert fake.asked[0].path == "/api/v1/export?namespace=team%2F%2A&include_archived=false"
    assert "2 memories and 1 links" in capsys.readouterr().err


@pytest.mark.parametrize("broken", ["cut", "lost", "changed"])
def test_an_export_that_is_not_whole_leaves_no_file(
    broken: str, fake: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = whole(memory(1), memory(2))
    fake.answer = lambda _: (200, damaged(records, broken))
    target = tmp_path / "out.jsonl"
    target.write_text("the one before", encoding="utf-8")
    assert fast.main(["export", str(target)]) == 7
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]
    assert target.read_text() == "the one before"
    assert "not complete" in capsys.readouterr().err


def damaged(records: list[dict[str, Any]], how: str) -> list[dict[str, Any]]:
    if how == "cut":
        return records[:-1]
    if how == "lost":
        return [records[0], *records[2:]]
    return [records[0], memory(1, "other"), *records[2:]]


def test_an_export_to_a_pipe_is_the_lines_and_nothing_else(
    fake: FakeNode, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    records = whole(memory(1))
    fake.answer = lambda _: (200, list(records))
    assert fast.main(["export"]) == 0
    out = capfdbinary.readouterr()
    assert [json.loads(line) for line in out.out.splitlines()] == records
    assert out.err == b""


def test_an_import_sends_memories_before_links_each_page_with_its_own_key(
    fake: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.answer = taking
    records = whole(link(1), *(memory(n) for n in range(1200)), link(2))
    assert fast.main(["import", written(tmp_path, records), "--trust-source"]) == 0
    sizes = [(len(a.body.get("memories", [])), len(a.body.get("links", []))) for a in fake.asked]
    assert sizes == [(500, 0), (500, 0), (200, 0), (0, 2)]
    keys = [asked.body["options"]["request_key"] for asked in fake.asked]
    assert len(set(keys)) == 4
    assert all(asked.body["trust_source"] is True for asked in fake.asked)
    assert "1200 imported" in capsys.readouterr().out


def test_pages_are_bounded_in_bytes_too() -> None:
    items = [("memory", f"line {n}", {"content": "x" * 300_000}) for n in range(7)]
    sizes = [len(page) for page in importing.pages(iter(items))]
    assert sizes == [3, 3, 1]


@pytest.mark.parametrize("broken", ["cut", "lost", "changed"])
def test_an_import_that_is_not_whole_changes_nothing(
    broken: str, fake: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.answer = taking
    name = written(tmp_path, damaged(whole(memory(1), memory(2)), broken))
    assert fast.main(["import", name]) == 7
    assert fake.asked == []
    assert "Nothing was imported" in capsys.readouterr().err


def test_an_import_that_is_cut_short_exits_with_a_failure(
    fake: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.answer = taking
    name = written(tmp_path, whole(memory(1), memory(2), link(1))[:3])
    assert fast.main(["import", name, "--partial"]) == 7
    assert [one["id"] for one in fake.asked[0].body["memories"]] == ["m1", "m2"]
    assert "it ends early, after 2 memories and 0 links" in capsys.readouterr().err


def test_a_record_that_the_node_refuses_is_named_and_the_rest_goes_in(
    fake: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def picky(asked: Asked) -> tuple[int, Any]:
        for index, one in enumerate(asked.body.get("memories", [])):
            if one["content"] == "bad":
                return 400, {"error": "must not be bad", "code": "INVALID_ARGUMENT",
                             "path": f"$.memories[{index}].content", "definite": True}  # fmt: skip
        return taking(asked)

    fake.answer = picky
    name = written(tmp_path, whole(memory(1), memory(2, "bad"), memory(3), link(1)))
    assert fast.main(["import", name, "--json"]) == 2
    out = capsys.readouterr()
    said = json.loads(out.out)
    assert (said["imported"], said["links"], said["missing"]) == (2, 1, 1)
    assert said["refused"][0]["at"] == "line 3"
    assert "missing: line 3 (t2)" in out.err


def test_a_page_whose_answer_was_lost_is_sent_again_under_the_same_key(
    fake: FakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "PAUSE_S", 0.0)
    lost = iter([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"])
    fake.answer = lambda asked: (200, next(lost)) if len(fake.asked) == 1 else taking(asked)
    assert fast.main(["import", written(tmp_path, whole(memory(1)))]) == 0
    keys = [asked.body["options"]["request_key"] for asked in fake.asked]
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_an_import_that_the_node_stops_says_what_is_not_in(
    fake: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full = {"error": "the disk is full", "code": "STORAGE", "definite": True, "next": "Make room."}
    fake.answer = lambda asked: taking(asked) if len(fake.asked) == 1 else (507, full)
    name = written(tmp_path, whole(*(memory(n) for n in range(700))))
    assert fast.main(["import", name]) == 5
    err = capsys.readouterr().err
    assert "the disk is full" in err
    assert "200 of 700 records are not in" in err


def test_memories_of_which_the_node_says_nothing_are_no_success(
    fake: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.answer = lambda asked: (200, {"imported": len(asked.body["memories"]) - 1})
    name = written(tmp_path, whole(memory(1), memory(2)))
    assert fast.main(["import", name, "--json"]) == 7
    out = capsys.readouterr()
    assert json.loads(out.out)["missing"] == 1
    assert "what became of 1 memories" in out.err


def test_what_waits_for_approval_is_not_reported_as_imported(
    fake: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.answer = lambda _: (202, {"imported": 0, "write": {"outcome": "awaiting_approval"}})
    assert fast.main(["import", written(tmp_path, whole(memory(1))), "--json"]) == 9
    out = capsys.readouterr()
    assert json.loads(out.out)["missing"] == 1
    assert "1 of 1 records wait for approval" in out.err


def test_what_a_node_exports_a_second_one_takes_and_exports_with_the_same_hash(
    fake: FakeNode, tmp_path: Path
) -> None:
    """From end to end: two nodes, the two commands, and the line that proves it."""
    a, b = Harness(tmp_path / "a", 1), Harness(tmp_path / "b", 2)
    try:
        ids = [a.store(f"t{n}", tags=["x"], metadata={"n": n}) for n in range(7)]
        a.call("Link", source_id=ids[0], target_id=ids[1])
        a.call("Archive", ids=ids[-1:])
        fake.answer = lambda _: (200, a.stream("Export"))
        assert fast.main(["export", str(tmp_path / "out.jsonl")]) == 0
        fake.answer = lambda asked: (200, b.call("Import", **asked.body))
        assert fast.main(["import", str(tmp_path / "out.jsonl")]) == 0
        assert b.stream("Export")[-1] == a.stream("Export")[-1]
    finally:
        a.stop()
        b.stop()


def test_an_export_of_ai_memory_is_translated(
    fake: FakeNode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = {
        "id": "u1", "title": "t", "content": "c", "tier": "mid", "tags": ["a"], "expires_at": None,
        "created_at": "2026-01-01T00:00:00.5+00:00", "embedding": [1],
        "metadata": {"agent_id": "ai:x@h:pid-1", "scope": "team", "topic": "deploys"},
    }  # fmt: skip
    export = {
        "memories": [theirs],
        "links": [{"source_id": "u1", "target_id": "u2", "relation": "supersedes", "signature": 1}],
        "count": 1,
        "exported_at": "2026-01-02T00:00:00+00:00",
    }
    fake.answer = taking
    text = json.dumps(export, indent=2).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert fast.main(["import", "-"]) == 0
    assert fake.asked[0].body["memories"] == [
        {
            "id": "u1", "title": "t", "content": "c", "tier": "mid", "tags": ["a"],
            "created_at": "2026-01-01T00:00:00.5+00:00", "agent_id": "ai:x@h:pid-1",
            "scope": "team", "metadata": {"topic": "deploys"},
        }
    ]  # fmt: skip
    assert fake.asked[1].body["links"] == [
        {"source_id": "u1", "target_id": "u2", "relation": "supersedes"}
    ]
    err = capsys.readouterr().err
    assert "'embedding' of 1 records" in err
    assert "'signature' of 1 records" in err


def test_an_ai_memory_export_on_one_line_with_a_wrong_count_is_not_whole(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps({"memories": [{"id": "a"}], "count": 2}), encoding="utf-8")
    records = Records.open(str(path))
    assert records.problems == ["it says 2 memories, there are 1"]
    records.close()


@pytest.mark.parametrize("text", ["", "hello\n", "[1]\n", '{"a": 1}\n', "\x00\xff"])
def test_what_is_no_export_is_refused(
    text: str, fake: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x"
    path.write_text(text, encoding="latin-1")
    assert fast.main(["import", str(path)]) == 2
    assert "neither an export" in capsys.readouterr().err
    assert fast.main(["import", str(tmp_path / "absent")]) == 3
    assert fast.main(["import"]) == 2
