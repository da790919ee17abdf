"""What all the operator's commands do alike: ask before the irreversible, and read durations."""

import argparse
import io
import sys

import pytest

from aimem_node.contract.errors import Code, Failure, to_json
from aimem_node.gateways.cli.failures import CallFailure
from aimem_node.gateways.operator import commands
from tests.aimem_node.gateways.cli.fake_node import FakeNode


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def given(**values: object) -> argparse.Namespace:
    return argparse.Namespace(**{"yes": False, "json": False, "data_dir": None, **values})


def test_nobody_is_asked_who_said_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    commands.confirm(given(yes=True), "Danger.")


def test_without_a_person_at_a_terminal_nothing_is_done_without_yes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    with pytest.raises(CallFailure, match="nobody is at a terminal") as raised:
        commands.confirm(given(), "Danger.")
    assert raised.value.exit_code == 2
    assert "--yes" in raised.value.next_step


def test_a_person_types_the_word_or_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(sys, "stdin", Terminal("3f2a9c1b\n"))
    commands.confirm(given(), "Danger.", wanted="3f2a9c1b")
    assert shown.getvalue() == "Danger.\nType 3f2a9c1b to go on: "
    for typed in ("yes\n", "", "3f2a\n"):
        monkeypatch.setattr(sys, "stdin", Terminal(typed))
        with pytest.raises(CallFailure, match="not confirmed") as raised:
            commands.confirm(given(), "Danger.", wanted="3f2a9c1b")
        assert raised.value.exit_code == 4


@pytest.mark.parametrize(
    ("text", "seconds"), [("900", 900), ("15m", 900), ("90 s", 90), ("2H", 7_200), ("1d", 86_400)]
)
def test_durations_are_read_as_people_write_them(text: str, seconds: int) -> None:
    assert commands.seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-5m", "5 weeks", "1.5h", "9" * 12])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        commands.seconds_of(text)


def test_a_fingerprint_may_be_written_in_any_of_the_usual_ways() -> None:
    for text in ("sha256:7F:3C:AA", "7f3c-aa", " 7f3cAA "):
        assert commands.fingerprint_of(text) == "7f3caa"


def test_a_refusal_speaks_of_the_argument_that_was_typed(fake: FakeNode) -> None:
    refusal = Failure(Code.CONFLICT, "it still lacks 3 ops", path="$.node", next="Wait.")
    fake.answer = lambda _: (409, to_json(refusal))
    with pytest.raises(CallFailure) as raised:
        commands.ask(given(), "promote-member", {"node": "lab-2", "absent": None})
    assert raised.value.sentence() == "it still lacks 3 ops (NODE)"
    assert fake.asked[0].body == {"node": "lab-2"}
