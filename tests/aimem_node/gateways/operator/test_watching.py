"""Watching goes on until Ctrl-C: over itself on a terminal, one after the other elsewhere."""

import io

import pytest

from aimem_node.gateways.cli.failures import CallFailure
from aimem_node.gateways.operator import watching


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made; the third one is Ctrl-C."""
    made: list[float] = []

    def sleep(seconds: float) -> None:
        made.append(seconds)
        if len(made) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(watching.time, "sleep", sleep)
    return made


def pictures() -> object:
    shown = iter([(0, "all well\nreally\n"), None, (4, "degraded\n")])

    def picture() -> tuple[int, str]:
        found = next(shown)
        if found is None:
            raise CallFailure("UNAVAILABLE", "no node answers")
        return found

    return picture


def test_the_last_picture_says_how_it_ends_and_a_failure_is_one_of_them(
    pauses: list[float],
) -> None:
    out = io.StringIO()
    assert watching.watch(pictures(), 2.0, out) == 4  # type: ignore[arg-type]
    assert out.getvalue() == "all well\nreally\nno node answers\ndegraded\n"
    assert pauses == [2.0, 2.0, 2.0]


def test_at_a_terminal_each_picture_takes_the_place_of_the_one_before(
    pauses: list[float],
) -> None:
    out = Terminal()
    assert watching.watch(pictures(), 1.0, out) == 4  # type: ignore[arg-type]
    assert len(pauses) == 3
    said = out.getvalue()
    assert said.startswith("\x1b[2J\x1b[Hall well\x1b[K\nreally\x1b[K\n\x1b[J\x1b[H")
    assert said.endswith("\x1b[Hdegraded\x1b[K\n\x1b[J")
