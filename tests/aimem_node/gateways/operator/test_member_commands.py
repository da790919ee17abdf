"""The commands on members: what is asked of the node, what a person reads, what a program gets."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure, to_json
from aimem_node.gateways.operator import cli, cluster_view, commands, lifecycle, peer_pins
from tests.aimem_node.gateways.cli.fake_node import Asked, FakeNode
from tests.aimem_node.gateways.operator.cluster_answers import ILL, WELL, answering


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def alone_on_stdout(fake: FakeNode, answer: Any) -> None:
    fake.answer = lambda _: (200, answer)


INVITED = {
    "line": "aim1.abc.def", "invite_id": "i1", "expires_at": "2026-11-22T18:15:00Z",
    "address": "lab-1.example:8379",
}  # fmt: skip


def test_an_invitation_is_the_line_alone_so_that_it_can_be_piped(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    alone_on_stdout(fake, INVITED)
    assert cli.main(["invite", "lab-9", "--ttl", "15m", "--address", "lab-1:8379"]) == 0
    assert capsys.readouterr() == ("aim1.abc.def\n", "")
    assert fake.asked[0].path == "/api/v1/cluster/invite"
    assert fake.asked[0].body == {"name": "lab-9", "ttl_s": 900, "address": "lab-1:8379"}
    assert cli.main(["invite", "--name", "lab-9", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == INVITED
    assert fake.asked[1].body == {"name": "lab-9"}


def test_a_person_is_told_what_to_do_with_the_line(
    fake: FakeNode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alone_on_stdout(fake, INVITED)
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    assert cli.main(["invite"]) == 0
    assert capsys.readouterr().out == "aim1.abc.def\n"
    assert shown.getvalue().startswith("On the other machine: aimem-node join aim1.abc")
    assert "lab-1.example:8379" in shown.getvalue()


def test_inviting_starts_the_node_if_none_runs(
    absent: FakeNode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def started(data_dir: str, _extra: tuple[str, ...], _wait_s: float) -> dict[str, Any]:
        monkeypatch.setattr(commands, "ask", lambda *_: INVITED)
        return {"data_dir": data_dir}

    monkeypatch.setattr(lifecycle, "start", started)
    assert cli.main(["invite", "lab-9"]) == 0
    out, err = capsys.readouterr()
    assert out == "aim1.abc.def\n"
    assert err == f"aimem-node: no node ran, so one was started (data in {absent.data_dir})\n"


def test_a_machine_is_approved_by_what_its_screen_shows(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    alone_on_stdout(fake, {"node_id": "dddd4444", "name": "", "epoch": 8})
    assert cli.main(["approve", "7F3C-AA00", "--name", "lab-9"]) == 0
    assert fake.asked[0].body == {"fingerprint": "7f3caa00", "name": "lab-9"}
    assert capsys.readouterr().out == "dddd4444 is admitted as learner (epoch 8)\n"


def test_members_are_a_table_and_the_revoked_keys_only_if_asked(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.answer = answering(ILL)
    assert cli.main(["members"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == ["name", "node", "role", "address", "key", "state"]
    assert "ab" * 32 not in out
    assert cli.main(["members", "--all"]) == 0
    assert "ab" * 32 in capsys.readouterr().out
    assert cli.main(["members", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["epoch"], len(said["members"]), "revoked" in said) == (7, 4, False)


def test_pins_are_text_that_can_be_kept_and_compared_later(
    fake: FakeNode, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    fake.answer = answering(ILL)
    assert cli.main(["members", "--pins", "--all"]) == 0
    text = capsys.readouterr().out
    assert list(peer_pins.parse(text.encode(), "x")) == cluster_view.pins(ILL, everyone=True)
    kept = tmp_path / "pins"
    kept.write_text(text)
    assert cli.main(["members", "--check", str(kept)]) == 0
    assert capsys.readouterr().out == "nothing has changed\n"
    fake.answer = answering(WELL)
    assert cli.main(["members", "--check", str(kept)]) == 4
    assert f"- sha256:{'c1' * 32}  voter  workstation-in-the-basement" in capsys.readouterr().out
    kept.write_text("sha256:what\n")
    assert cli.main(["members", "--check", str(kept)]) == 2
    assert "line 1" in capsys.readouterr().err
    assert cli.main(["members", "--check", str(tmp_path / "absent")]) == 2
    assert "No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "path", "body"),
    [
        (["promote", "lab-2"], "promote", {"node": "lab-2"}),
        (["evict", "lab-2", "--yes"], "evict", {"node": "lab-2"}),
        (["leave", "--yes"], "leave", {}),
        (["leave", "--force", "--yes"], "leave", {"force": True}),
        (["rotate-key"], "rotate-key", {}),
    ],
)
def test_a_change_says_what_was_done_and_where_it_leads(
    typed: list[str], path: str, body: Any, fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    done = {"epoch": 8, "voters": 3, "needed": 2, "node_id": "bbbb2222", "said": "it is done"}
    alone_on_stdout(fake, done)
    assert cli.main(typed) == 0
    assert capsys.readouterr().out == "it is done\nepoch 8, N=3, W=2\n"
    assert (fake.asked[0].path, fake.asked[0].body) == (f"/api/v1/cluster/{path}", body)
    assert cli.main([*typed, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == done


@pytest.mark.parametrize("typed", [["evict", "lab-2"], ["leave"], ["leave", "--force"]])
def test_what_cannot_be_taken_back_is_not_done_by_a_script_without_yes(
    typed: list[str], fake: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    assert cli.main(typed) == 2
    assert fake.asked == []


def test_who_evicts_is_told_that_there_is_no_way_back(
    fake: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(sys, "stdin", Terminal("no\n"))
    assert cli.main(["evict", "lab-2"]) == 4
    assert "can never come back under this identity" in shown.getvalue()
    assert fake.asked == []
    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    alone_on_stdout(fake, {"epoch": 8, "said": "gone"})
    assert cli.main(["evict", "lab-2"]) == 0


def test_a_refused_change_is_said_with_what_to_do(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    refusal = Failure(Code.CONFLICT, "lab-2 still lacks 512 ops", path="$.node", next="Wait.")
    fake.answer = lambda _: (409, to_json(refusal))
    assert cli.main(["promote", "lab-2"]) == 4
    said = capsys.readouterr().err
    assert said == "aimem-node: lab-2 still lacks 512 ops (NODE)\nnext: Wait.\n"


def forcing(fake: FakeNode) -> None:
    def answer(asked: Asked) -> tuple[int, Any]:
        if asked.path.endswith("/status"):
            return 200, ILL
        line = "aimf1.abc.def" if "keep" in asked.body else ""
        return 200, {"cluster_id": "0123456789ab", "epoch": 8, "voters": 2, "line": line}

    fake.answer = answer


def test_to_force_an_epoch_the_cluster_s_short_id_is_typed_under_a_warning(
    fake: FakeNode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    forcing(fake)
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    typed = ["force-epoch", "--keep", "lab-1", "--keep", "lab-2"]
    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    assert cli.main(typed) == 4
    assert "writes that only they hold are lost" in shown.getvalue()
    assert [asked.method for asked in fake.asked] == ["GET"]
    monkeypatch.setattr(sys, "stdin", Terminal("3f2a9c1b\n"))
    assert cli.main(typed) == 0
    assert fake.asked[-1].body == {"keep": ["lab-1", "lab-2"]}
    assert capsys.readouterr().out == (
        "cluster 01234567 goes on with N=2 (epoch 8)\n"
        "on each other survivor:\naimem-node force-epoch --adopt aimf1.abc.def\n"
    )


def test_the_other_survivors_adopt_the_line_however_it_came(
    fake: FakeNode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    forcing(fake)
    assert cli.main(["force-epoch", "--adopt", "aimf1.abc .def", "--yes"]) == 0
    assert fake.asked[-1].body == {"adopt": "aimf1.abc.def"}
    monkeypatch.setattr(sys, "stdin", io.StringIO("aimf1.abc\n.def\n"))
    assert cli.main(["force-epoch", "--adopt", "-", "--yes"]) == 0
    assert fake.asked[-1].body == {"adopt": "aimf1.abc.def"}
    assert "on each other survivor" not in capsys.readouterr().out
    for typed in ([], ["--keep", "lab-1", "--adopt", "x"]):
        assert cli.main(["force-epoch", *typed, "--yes"]) == 2


def test_waiting_for_a_write_says_who_holds_it_and_its_exit_code_whether_enough_do(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    write = {"outcome": "committed", "write_ids": ["n.1:7"], "acks": 2, "needed": 2}
    alone_on_stdout(fake, {"write": write})
    assert cli.main(["wait", "n.1:7", "--w", "2", "--deadline-ms", "500"]) == 0
    assert fake.asked[0].body == {"write_id": "n.1:7", "w": 2, "deadline_ms": 500}
    assert capsys.readouterr().out == "committed, on 2 of 2 disks\n"
    peer = {"node_id": "bbbb2222", "name": "lab-2", "state": "unreachable", "reason": "3 s ago"}
    write = write | {"outcome": "pending", "acks": 1, "reason": "time is up", "peers": [peer]}
    alone_on_stdout(fake, {"write": write})
    assert cli.main(["wait", "n.1:7"]) == 9
    assert capsys.readouterr().out == (
        "pending, on 1 of 2 disks\ntime is up\n  lab-2: unreachable (3 s ago)\n"
    )
