"""Histories put together by hand, a line at a time, and pages read back."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from chaos.history import Event, Fault
from chaos.report import Facts, RunResult

S = 1_000_000_000
VOID = {"meta", "br", "hr"}


class Story:
    """What clients asked and what was broken; times are seconds."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.faults: list[Fault] = []

    def _number(self) -> int:
        return len(self.events) + len(self.faults) + 1

    def ask(self, at: float, key: str, f: str = "put", node: str = "a", idem: str = "") -> Event:
        event = Event(
            self._number(), int(at * S), 0, node, "invoke", f, via="grpc", key=key,
            idem=idem or key,
        )  # fmt: skip
        self.events.append(event)
        return event

    def tell(self, at: float, asked: Event, kind: Any = "ok", *write_ids: str) -> None:
        self.events.append(Event(
            self._number(), int(at * S), 0, asked.node, kind, asked.f, of=asked.i, via="grpc",
            key=asked.key, idem=asked.idem, write_ids=write_ids,
        ))  # fmt: skip

    def write(self, at: float, took: float, key: str, **more: Any) -> None:
        asked = self.ask(at, key, **more)
        self.tell(at + took, asked, "ok", f"{'1' * 32}.{'2' * 16}:{asked.i}")

    def fault(self, at: float, fault: str, phase: Any, nodes: str = "", **detail: Any) -> None:
        self.faults.append(Fault(self._number(), int(at * S), fault, phase, tuple(nodes), detail))

    def whole(self, fault: str, nodes: str, *times: float, **detail: Any) -> None:
        """Begin, end, healed and level, as far as there are times."""
        for at, phase in zip(times, ("begin", "end", "healed", "level"), strict=False):
            told = detail if phase == "end" else {}
            self.fault(at, fault, phase, nodes if phase in {"begin", "end"} else "", **told)


def facts(**more: Any) -> Facts:
    given: dict[str, Any] = {
        "title": "Chaos: kill", "fault": "kill", "seed": 7, "nodes": 3, "w": 2, "commit": "abc",
        "hardware": "a machine", "date": "2025-01-01", "seconds": 12.0, "command": "again --seed 7",
    }  # fmt: skip
    return Facts(**{**given, **more})


def run(**more: Any) -> RunResult:
    given: dict[str, Any] = {
        "fault": "kill", "seed": 1, "nodes": 3, "w": 2, "cycles": 2, "acknowledged": 100,
        "unknown": 1, "lost": 0, "convergence": 1.0, "healed_s": (0.5, 1.0), "level_s": (1.0, 2.0),
        "checks": ({"name": "(a) there", "tried": 9, "broken": 0, "holds": True, "note": ""},),
        "holds": True, "seconds": 60.0, "commit": "abc", "hold_s_max": 8.0, "note": "",
        "directory": "", "date": "2025-01-01T00:00:00+00:00",
    }  # fmt: skip
    return RunResult(**{**given, **more})


class Page(HTMLParser):
    """A page as a browser takes it: every element must be closed where it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def named(self, tag: str, kind: str = "") -> list[dict[str, str | None]]:
        return [a for name, a in self.tags if name == tag and kind in (a.get("class") or "")]

    def row(self, *begin: str) -> list[str]:
        return next(row for row in self.rows if tuple(row[: len(begin)]) == begin)
