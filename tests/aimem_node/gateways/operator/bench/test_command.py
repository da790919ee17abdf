"""How a command that measures ends, whatever ends it."""

import signal
from collections.abc import Iterator

import pytest

from aimem_node.gateways.operator.bench.command import ended


class Refused(Exception):  # noqa: N818 - it says what happened
    """What cannot be measured."""


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


def test_the_exit_code_is_what_was_measured() -> None:
    assert [ended("bench", lambda code=code: code, (Refused,)) for code in (0, 1)] == [0, 1]


def test_what_cannot_run_says_why_and_exits_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> int:
        raise Refused("there is no model")

    assert ended("bench", refuse, (Refused,)) == 2
    assert capsys.readouterr().err == "bench: there is no model\n"
    with pytest.raises(Refused):
        ended("bench", refuse, (OSError,))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_it_as_ctrl_c_does(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    def hit() -> int:
        signal.raise_signal(number)
        return 0

    assert ended("bench", hit, (Refused,), "the rest is kept") == 130
    assert capsys.readouterr().err == "bench: interrupted; the rest is kept\n"
