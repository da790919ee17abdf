"""What the cluster demo prints, at 80 columns."""

import io
from dataclasses import replace

from aimem_node.contract.values import ClusterStatusResponse, MemberStatus
from aimem_node.gateways.demo import cluster_screen, conversation
from aimem_node.gateways.demo.agreement import Standing
from aimem_node.gateways.demo.screen import Screen

ONE = Standing("a", {"a~1": (12345, "a" * 64), "b~1": (5, "b" * 64)}, "d" * 64, 12350)


def screen() -> tuple[Screen, io.StringIO]:
    out = io.StringIO()
    made = Screen(out, {})
    made.width = 80
    return made, out


def test_the_operators_table_fits_the_screen() -> None:
    members = [
        MemberStatus(
            node_id=f"{name}" * 32, name=name, role="voter", state="in sync", lag_ops=123456,
            lag_bytes=10**9, heard_ms=12, ack_ms=12.3, clock_offset_ms=-12,
        )
        for name in ("a", "b", "a-rather-long-name-of-a-machine")
    ]  # fmt: skip
    made, out = screen()
    status = ClusterStatusResponse(cluster_id="c" * 32, epoch=4, voters=3, needed=2, in_sync=3)
    cluster_screen.show_status(made, replace(status, members=members))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert any("W=2" in line for line in lines)
    assert sum("in sync" in line and "voter" in line for line in lines) == 3


def test_each_node_has_a_line_and_faults_are_counted_in_it() -> None:
    made, out = screen()
    cluster_screen.show_standings(made, [ONE, replace(ONE, name="b", problems=("x", "y"))])
    _, first, second = out.getvalue().splitlines()
    assert first.split()[0] == "a"
    assert first.endswith("sound")
    assert second.endswith("2 faults")
    assert max(len(first), len(second)) <= 80


def test_an_answer_that_differs_names_the_node_that_gave_it() -> None:
    made, out = screen()
    question = conversation.Question("when?", "then", frozenset())
    hit = {"id": "1", "content": "then", "author": "ines"}
    cluster_screen.show_answers(made, question, {"a": [hit], "b": []}, ["b"])
    assert "✗ b answered otherwise" in out.getvalue()
