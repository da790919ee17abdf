"""The command `aimem` as people and hooks use it, against a node that answers from the test."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aimem_node.gateways.cli import fast
from aimem_node.gateways.cli import surface as surfaces
from tests.aimem_node.gateways.cli.fake_node import FakeNode

HEAVY = {"argparse", "dataclasses", "typing", "logging", "asyncio", "http.client", "grpc",
         "subprocess", "pathlib", "urllib.parse", "inspect", "difflib", "textwrap",
         "google.protobuf", "structlog"}  # fmt: skip
MEMORY = {
    "id": "4f2a0000-0000-4000-8000-000000000000", "title": "Deploys", "content": "On Tuesdays.",
    "namespace": "team/x", "tier": "long", "priority": 5, "tags": ["ops"],
    "created_at": "2026-11-22T18:00:00Z",
}  # fmt: skip


def test_a_call_imports_nothing_heavy(fake: FakeNode) -> None:
    fake.answer = lambda _: (200, {"memories": [MEMORY], "count": 1})
    bare = _imported("pass", fake)
    store = ["store", "-T", "t", "-c", "c", "-n", "a", "--json"]
    for arguments in (["session-start"], ["recall", "x", "--json"], store):
        run = f"from aimem_node.gateways.cli import fast; assert fast.main({arguments!r}) == 0"
        assert _imported(run, fake) & HEAVY - bare == set(), arguments
    assert len(fake.asked) == 3


def _imported(code: str, fake: FakeNode) -> set[str]:
    probe = f"import sys; {code}; sys.stderr.write(' '.join(sys.modules))"
    # Without site packages' own start-up files, which import what they like.
    root = str(Path(fast.__file__).parents[3])
    done = subprocess.run([sys.executable, "-S", "-c", probe], env=fake.env | {"PYTHONPATH": root},
                          capture_output=True, text=True, timeout=60, check=True)  # fmt: skip
    return set(done.stderr.split())


def test_a_store_sends_what_was_typed_and_what_a_terminal_means(
    fake: FakeNode, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = tmp_path / "my project"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setattr("sys.stdin", io.StringIO("from a pipe\n"))
    typed = ["store", "-Tshort", "--content", "-", "--tags", "a,b", "--tags=c", "-p", "7",
             "--metadata", '{"k": 1}', "--confidence=0.5"]  # fmt: skip
    assert fast.main(typed) == 0
    (asked,) = fake.asked
    key = asked.body.pop("options")["request_key"]
    assert key.startswith("cli-")
    assert (asked.method, asked.path) == ("POST", "/api/v1/memories")
    assert asked.headers["user-agent"] == "aimem-cli"
    assert asked.body == {
        "title": "short", "content": "from a pipe", "tags": ["a", "b", "c"], "priority": 7,
        "metadata": {"k": 1}, "confidence": 0.5, "namespace": "my-project", "source": "cli",
    }  # fmt: skip


def test_title_and_content_go_without_flags_and_a_pipe_is_the_content(
    fake: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("from a pipe\n"))
    assert fast.main(["store", "A title", "- milk\n- eggs", "-t", "long"]) == 0
    assert fast.main(["store", "text", "-T", "The title"]) == 0
    assert fast.main(["store", "A title"]) == 0
    said = [(asked.body["title"], asked.body["content"]) for asked in fake.asked]
    assert said == [
        ("A title", "- milk\n- eggs"), ("The title", "text"), ("A title", "from a pipe"),
    ]  # fmt: skip


def test_an_empty_pipe_is_no_content(
    fake: FakeNode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert fast.main(["store", "A title"]) == 2
    assert "needs CONTENT" in capsys.readouterr().err
    assert fake.asked == []


WORDS = sorted({*surfaces.load()["operations"], *fast.COMMANDS} - {"help"})


@pytest.mark.parametrize("word", WORDS)
def test_help_is_shown_whatever_else_is_wrong(
    word: str, absent: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fast.main([word, "--colour", "--help"]) == 0
    assert fast.main([word, "-h"]) == 0
    assert capsys.readouterr().out.startswith(f"aimem {word}: ")


def test_after_two_dashes_help_is_a_word_like_any_other(fake: FakeNode) -> None:
    assert fast.main(["recall", "--", "--help"]) == 0
    assert fake.asked[0].body == {"context": "--help"}


def test_a_refused_value_is_named_as_it_is_typed(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    failure = {"error": "must be between 1 and 10, not 11", "code": "INVALID_ARGUMENT",
               "path": "$.min_priority", "definite": True,
               "next": "Correct what the path points at and call again."}  # fmt: skip
    fake.answer = lambda _: (400, failure)
    assert fast.main(["list", "--min-priority", "11"]) == 2
    said = capsys.readouterr().err
    assert "--min-priority must be between 1 and 10" in said
    assert "aimem help list" in said


def test_the_footer_is_quiet_unless_it_is_asked_to_explain(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    reason = {"id": MEMORY["id"], "factors": {"match": 0.5}}
    fake.answer = lambda _: (200, {"memories": [MEMORY], "count": 1, "mode": "keyword",
                                   "candidates": 4, "unavailable": ["semantic: off"],
                                   "left_out": 2, "reasons": [reason]})  # fmt: skip
    assert fast.main(["recall", "x"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 found · left out 2"
    assert fast.main(["recall", "x", "--explain"]) == 0
    out = capsys.readouterr().out
    assert "why: match 0.5" in out
    assert "mode keyword" in out
    assert "semantic: off" in out


def test_nothing_found_says_what_to_try(fake: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    fake.answer = lambda _: (200, {"memories": [], "count": 0, "mode": "keyword"})
    assert fast.main(["recall", "x"]) == 0
    assert "aimem list" in capsys.readouterr().out
    assert fast.main(["recall", "x", "-n", "a", "--limit", "3"]) == 0
    assert capsys.readouterr().out == "nothing found\nnext: Try without --namespace.\n"


def test_a_reader_that_leaves_early_is_no_failure(fake: FakeNode) -> None:
    fake.answer = lambda _: (200, {"memories": [MEMORY] * 2000, "count": 2000})
    command = f"{sys.executable} -m aimem_node.gateways.cli.fast list"
    line = f"{command} | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], env=fake.env, capture_output=True, text=True,
                          timeout=60, check=True)  # fmt: skip
    assert (done.stdout, done.stderr) == ("1. Deploys\n0\n", "")


def test_an_output_that_takes_nothing_is_told_from_one_that_nobody_wants(fake: FakeNode) -> None:
    fake.answer = lambda _: (200, {"memories": [MEMORY], "count": 1})
    command = f"{sys.executable} -m aimem_node.gateways.cli.fast list"
    closed = subprocess.run(["bash", "-c", f"{command} >&-"], env=fake.env, capture_output=True,
                            text=True, timeout=60, check=False)  # fmt: skip
    assert (closed.returncode, closed.stderr) == (0, "")
    if not os.path.exists("/dev/full"):
        return
    full = subprocess.run(["bash", "-c", f"{command} >/dev/full"], env=fake.env,
                          capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    assert full.returncode == 5
    assert full.stderr.startswith("aimem: cannot write the answer")


def test_a_read_puts_its_fields_into_path_and_query(fake: FakeNode) -> None:
    assert fast.main(["list", "-n", "a/*", "--tags", "x y,ü", "--limit", "5"]) == 0
    assert fast.main(["get", "a/b?c"]) == 0
    assert [asked.path for asked in fake.asked] == [
        "/api/v1/memories?namespace=a%2F%2A&tags=x%20y&tags=%C3%BC&limit=5",
        "/api/v1/memories/a%2Fb%3Fc",
    ]


def test_a_bool_can_be_said_both_ways(fake: FakeNode) -> None:
    fast.main(["gc", "--dry-run"])
    fast.main(["gc", "--no-dry-run"])
    fast.main(["gc", "--dry-run=false"])
    assert [asked.body["dry_run"] for asked in fake.asked] == [True, False, False]


def test_what_is_no_number_is_left_to_the_contract_to_refuse(fake: FakeNode) -> None:
    fast.main(["recall", "x", "--limit", "many"])
    assert fake.asked[0].body["limit"] == "many"


def test_the_speaker_is_a_claim_in_writes_and_a_hint_in_reads(fake: FakeNode) -> None:
    assert fast.main(["--agent-id", "ai:me", "store", "-T", "t", "-c", "c", "-n", "n"]) == 0
    assert fast.main(["--agent-id", "ai:me", "list"]) == 0
    assert fake.asked[0].body["agent_id"] == "ai:me"
    assert "agent_id" not in fake.asked[1].path
    assert fake.asked[1].headers["x-agent-id"] == "ai:me"


def test_a_header_cannot_be_smuggled_in_through_the_agent_id(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fast.main(["--agent-id", "a\r\nX-Evil: 1", "list"]) == 2
    assert fake.asked == []
    assert "agent id" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["recal", "x"], "Did you mean: aimem recall"),
        (["store", "--titel", "x"], "Did you mean --title"),
        (["store", "-T", "x"], "needs CONTENT"),
        (["store", "x"], 'Such as: aimem store "Deploys'),
        (["token", "list"], "aimem-node token"),
        (["store", "-T", "t", "a", "b"], "unexpected argument 'b'"),
        (["get"], "needs ID"),
        (["get", "a", "b"], "unexpected argument 'b'"),
        (["store", "-T"], "-T needs a value"),
        (["store", "--title", "--content", "x"], "--title needs a value"),
        (["store", "-T", "t", "-c", "c", "--metadata", "{"], "--metadata is not JSON"),
        (["get", " "], "id must not be blank"),
        (["list", "--timeout", "soon"], "--timeout takes a number"),
        (["install", "emacs"], "unknown client 'emacs'"),
        (["completion", "tcsh"], "which shell"),
        (["help", "stroe"], "aimem help store"),
    ],
)
def test_a_mistake_in_typing_is_explained_and_exits_2(
    typed: list[str], said: str, capsys: pytest.CaptureFixture[str], absent: FakeNode,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert fast.main(typed) == 2
    out = capsys.readouterr()
    assert out.out == ""
    assert said in out.err


def test_the_nodes_failure_keeps_its_words_and_its_exit_code(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    failure = {"error": "no memory 'zz'", "code": "NOT_FOUND", "path": "$.id", "definite": True,
               "next": "List them."}  # fmt: skip
    fake.answer = lambda _: (404, failure)
    assert fast.main(["get", "zz"]) == 3
    assert capsys.readouterr().err == "aimem: no memory 'zz' (ID)\nnext: List them.\n"
    assert fast.main(["get", "zz", "--json"]) == 3
    assert json.loads(capsys.readouterr().err) == failure


def test_an_answer_that_never_came_says_how_to_send_a_write_again(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.answer = lambda _: (200, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
    assert fast.main(["delete", "x", "--request-key", "k1", "--json"]) == 5
    said = json.loads(capsys.readouterr().err)
    assert (said["code"], said["definite"]) == ("UNKNOWN_OUTCOME", False)
    assert "--request-key k1" in said["next"]


def test_a_node_that_is_not_to_be_started_is_reported_with_how_to_start_it(
    absent: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fast.main(["list"]) == 5
    said = capsys.readouterr().err
    assert absent.path() in said
    assert f"aimem-node start --data-dir {absent.data_dir}" in said


def test_a_node_that_ends_at_once_is_reported_with_its_own_words(
    absent: FakeNode, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIMEM_NO_START")
    os.makedirs(absent.data_dir)
    Path(absent.data_dir, "aimem.toml").write_text("colour = 'blue'\n", encoding="utf-8")
    assert fast.main(["list"]) == 5
    assert "there is no such setting" in capsys.readouterr().err


def test_rows_are_blocks_and_escapes_in_them_are_not_sent_to_the_terminal(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = MEMORY | {"title": "x\x1b]0;owned\x07"}
    fake.answer = lambda _: (200, {"memories": [evil], "count": 1, "next_cursor": "c2"})
    assert fast.main(["list"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x07" not in out
    for part in ("1. x", "On Tuesdays.", "team/x · long · priority 5", "#ops", "--cursor c2"):
        assert part in out


def test_a_stream_prints_its_items_until_the_failure_that_ends_it(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    event = {"token": "1", "event": "memory_stored", "id": "i"}
    failure = {"code": "UNAVAILABLE", "error": "the node stops", "definite": True}
    fake.answer = lambda _: (200, [event, failure])
    assert fast.main(["events", "--json"]) == 5
    out = capsys.readouterr()
    assert json.loads(out.out) == event
    assert "the node stops" in out.err


STANDARD = {"namespace": "acme", "title": "House rules", "content": "Always write tests."}


def test_a_session_begins_with_what_holds_there_and_what_is_unread(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.answer = lambda _: (200, {"memories": [], "standards": [STANDARD], "unread": 2})
    assert fast.main(["session-start"]) == 0
    assert capsys.readouterr().out == (
        "standard of acme: Always write tests.\nunread messages: 2 (read them with inbox)\n"
    )


def test_a_recall_shows_the_standards_before_what_it_found(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {"id": "m1", "title": "Deploys", "content": "On Tuesdays."}
    for memories in ([found], []):
        fake.answer = lambda _, memories=memories: (
            200, {"memories": memories, "standards": [STANDARD]},
        )  # fmt: skip
        assert fast.main(["recall", "deploys"]) == 0
        said = capsys.readouterr().out
        assert said.startswith("standard of acme: House rules\n   Always write tests.\n")
        assert ("On Tuesdays." in said) == bool(memories)


def test_a_message_is_read_like_mail(fake: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    mail = {"id": "m1", "title": "hello", "payload": "please look", "from": "ann", "read": False}
    fake.answer = lambda _: (200, {"messages": [mail], "count": 1})
    assert fast.main(["inbox"]) == 0
    said = capsys.readouterr().out
    assert "please look" in said
    assert "from ann · unread" in said


def test_session_start_prints_one_compact_line_a_memory(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.answer = lambda _: (200, {"memories": [MEMORY | {"content": "a\nb " + "c" * 900}],
                                   "session_id": "s1"})  # fmt: skip
    assert fast.main(["session-start"]) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert "session s1" in head
    assert line.startswith("- Deploys: a b ccc")
    assert line.endswith("… [team/x, 4f2a0000]")


@pytest.mark.parametrize("typed", [[], ["--json"], ["--limit"], ["--colour", "x"]])
def test_session_start_never_fails_a_session(
    typed: list[str], absent: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fast.main(["session-start", *typed]) == 0
    out = capsys.readouterr()
    assert out.out == ""
    assert out.err.startswith("aimem: ")


def test_session_start_gives_up_on_a_silent_node_in_its_time(fake: FakeNode) -> None:
    waiting = FakeNode()
    try:
        fake.answer = lambda _: (waiting_for(waiting), {})
        command = [sys.executable, "-m", "aimem_node.gateways.cli.fast", "session-start",
                   "--timeout", "0.3"]  # fmt: skip
        done = subprocess.run(command, env=fake.env, capture_output=True, text=True, timeout=30,
                              check=False)  # fmt: skip
        assert done.returncode == 0
        assert done.stdout == ""
        assert "the session goes on" in done.stderr or "no answer" in done.stderr
    finally:
        waiting.asked.append(None)  # type: ignore[arg-type]
        waiting.close()


def waiting_for(other: FakeNode) -> int:
    """Blocks the fake's thread until the test is over."""
    import time

    while not other.asked:
        time.sleep(0.01)
    return 200
