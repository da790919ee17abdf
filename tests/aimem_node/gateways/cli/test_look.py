"""Values in words, and text in lines."""

import time

import pytest

from aimem_node.gateways.cli.look import (
    cells,
    cut,
    duration,
    moment,
    outcome,
    padded,
    plain,
    short,
    size,
    wrapped,
)


def test_what_a_terminal_would_obey_is_replaced() -> None:
    assert plain("a\x1b[31m\x07\x9bb\u202ec\ud800d\te\nf") == (
        "a\ufffd[31m\ufffd\ufffdb\ufffdc\ufffdd\te\nf"
    )


def test_widths_are_those_of_a_terminal() -> None:
    assert cells("漢字") == 4
    assert cells("u\u0308") == 1
    assert padded("漢", 4) == "漢  "
    assert cut("漢字漢字", 5) == "漢字…"
    assert cut("a  b\nc", 5) == "a b c"


@pytest.mark.parametrize("text", ["word " * 60, "漢字" * 60, "漢字 und Wörter " * 20])
def test_long_text_is_wrapped_and_nothing_of_it_is_lost(text: str) -> None:
    lines = wrapped(text, 40, "  ")
    assert len(lines) > 1
    assert all(cells(line) <= 40 and line.startswith("  ") for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_lines_that_fit_and_addresses_stay_as_they_are() -> None:
    code = "def f():\n    return 1"
    assert wrapped(code, 40) == code.splitlines()
    address = "https://host.example/" + "x" * 60
    assert wrapped(f"see ü {address}", 40) == ["see ü", address]
    assert wrapped("", 40) == []


def test_times_are_local_and_what_is_no_time_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC-2")
    time.tzset()
    try:
        assert moment("2026-11-22T23:30:31.5Z", seconds=True) == "2026-11-23 01:30:31"
        assert moment("2026-99-22T23:30:31.5Z") == ""
        assert moment("hello") == moment(None) == ""
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_name_tells_a_size_or_a_duration_from_a_number() -> None:
    assert short(123_456, "pid") == "123456"
    assert short(123_456, "db_size_bytes") == size(123_456) == "123.5 kB"
    assert short(90_061, "uptime_secs") == duration(90_061) == "1 d 1 h"


def test_a_write_that_changed_nothing_says_so() -> None:
    write = {"outcome": "committed", "acks": 1, "needed": 1, "write_ids": []}
    assert outcome(write) == "nothing had to change"
    assert outcome(write | {"write_ids": ["o:1"]}) == "committed, on 1 of 1 disks"
