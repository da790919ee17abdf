"""A join on a terminal, on a terminal without rich, in a log, and for a program."""

import builtins
import io
from typing import Any

import pytest

from aimem_node.gateways.operator import join_screen
from aimem_node.gateways.operator.join_screen import Drawn, Lines, Rich, Screen, Silent, screen_for


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def play(screen: Screen) -> None:
    screen.now("looking for the sponsor")
    screen.done("sponsor verified ✓")
    for done in range(41):
        screen.reach("snapshot", done * 1_000_000, 41_000_000, in_bytes=True)
    screen.done("snapshot 41.0 MB ✓")
    screen.reach("catching up", 3, 12, in_bytes=False)
    screen.done("caught up ✓")
    screen.close()


def test_a_log_gets_few_lines_and_no_escapes() -> None:
    out = io.StringIO()
    screen = screen_for(out)
    assert isinstance(screen, Lines)
    play(screen)
    assert out.getvalue().splitlines() == [
        "  looking for the sponsor",
        "  sponsor verified ✓",
        "  snapshot: 41.0 MB",
        "  snapshot: 25 % of 41.0 MB",
        "  snapshot: 50 % of 41.0 MB",
        "  snapshot: 75 % of 41.0 MB",
        "  snapshot 41.0 MB ✓",
        "  catching up: 25 % of 12 ops",
        "  caught up ✓",
    ]


def test_a_terminal_with_rich_has_a_bar_and_keeps_the_lines() -> None:
    out = Terminal()
    screen = screen_for(out)
    assert isinstance(screen, Rich)
    play(screen)
    for said in ("sponsor verified ✓", "snapshot 41.0 MB ✓", "caught up ✓"):
        assert f"  {said}" in out.getvalue()


def test_a_terminal_without_rich_draws_its_own_bar_and_takes_it_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def without_rich(name: str, *rest: Any) -> Any:
        if name.startswith("rich"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_rich)
    out = Terminal()
    screen = screen_for(out)
    assert isinstance(screen, Drawn)
    play(screen)
    said = out.getvalue()
    assert "snapshot ─" in said or "snapshot ━" in said
    assert "\r\x1b[K  snapshot 41.0 MB ✓\n" in said
    assert said.endswith("\r\x1b[K  caught up ✓\n")


def test_a_program_is_shown_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    screen = join_screen.stdout_screen(quiet=True)
    assert isinstance(screen, Silent)
    play(screen)
    assert capsys.readouterr() == ("", "")
