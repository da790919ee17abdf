"""Orders are heard by a thread of their own."""

import asyncio
import socket
import threading
from pathlib import Path

import pytest

from chaos.seams.control import listen, tell


def test_orders_are_answered_while_the_event_loop_stands_still(tmp_path: Path) -> None:
    path, blocked, go_on = str(tmp_path / "c"), threading.Event(), threading.Event()
    answers = []

    def outside() -> None:
        assert blocked.wait(10)
        answers.append(tell(path, {"do": "ping"}))
        go_on.set()

    async def stand_still() -> bool:
        listen(path, {"ping": lambda _order: {"pid": 7}})
        blocked.set()
        return go_on.wait(10)

    asker = threading.Thread(target=outside)
    asker.start()
    assert asyncio.run(stand_still())
    asker.join()
    assert answers == [{"ok": True, "pid": 7}]


def test_a_wrong_order_is_answered_with_the_reason_and_the_next_one_is_heard(
    tmp_path: Path,
) -> None:
    path = str(tmp_path / "c")

    def fails(order: object) -> dict[str, int]:
        raise ValueError("not like that")

    listen(path, {"ping": lambda _order: {}, "fails": fails})
    assert tell(path, {"do": "dance"})["why"].startswith("ValueError: no such order: 'dance'")
    assert tell(path, {"do": "fails"}) == {"ok": False, "why": "ValueError: not like that"}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as rude:
        rude.connect(path)
        rude.sendall(b"[1]\n")
        assert b'"ok": false' in rude.recv(1000)
    assert tell(path, {"do": "ping"}) == {"ok": True}


def test_who_connects_and_says_nothing_does_not_keep_others_from_giving_orders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaos.seams.control.ORDER_S", 0.05)
    path = str(tmp_path / "c")
    listen(path, {"ping": lambda _order: {}})
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as mute:
        mute.connect(path)
        assert tell(path, {"do": "ping"}) == {"ok": True}


def test_nobody_there_is_an_error_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        tell(str(tmp_path / "nobody"), {"do": "ping"})
