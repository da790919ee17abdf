"""How a node under test is told what to do: one JSON line in, one JSON line out, on a unix socket.

Served by a thread of its own, so that it also answers while the node's event loop stands still.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

Order: TypeAlias = Mapping[str, Any]
Obey: TypeAlias = Callable[[Order], Mapping[str, Any]]
LINE_BYTES_MAX: Final = 65_536
BACKLOG: Final = 8
ORDER_S: Final = 2.0
"""Who connects and says nothing for so long is not waited for: others have orders too."""


def listen(path: str, orders: Mapping[str, Obey]) -> threading.Thread:
    """Serve orders by their names, in `do`, until the process ends."""
    if os.path.exists(path):
        os.unlink(path)  # of the process that was killed here before
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(path)
    server.listen(BACKLOG)

    def serve() -> None:
        while True:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(ORDER_S)
                _answer(connection, orders)

    thread = threading.Thread(target=serve, name="chaos-control", daemon=True)
    thread.start()
    return thread


def _answer(connection: socket.socket, orders: Mapping[str, Obey]) -> None:
    try:
        line = _line(connection)
        order = json.loads(line)
        obey = orders.get(order.get("do"))
        if obey is None:
            raise ValueError(f"no such order: {order.get('do')!r}; there are {sorted(orders)}")
        answer: dict[str, Any] = {"ok": True, **obey(order)}
    except Exception as error:  # whatever is wrong with an order, the node goes on
        answer = {"ok": False, "why": f"{type(error).__name__}: {error}"}
    try:
        connection.sendall(json.dumps(answer).encode() + b"\n")
    except OSError:
        return  # who asked has gone


def _line(connection: socket.socket) -> bytes:
    told = b""
    while not told.endswith(b"\n"):
        more = connection.recv(LINE_BYTES_MAX)
        if not more or len(told) > LINE_BYTES_MAX:
            raise ValueError("an order is one line of JSON")
        told += more
    return told


def tell(path: str, order: Order, timeout_s: float = 5.0) -> dict[str, Any]:
    """Give an order; the answer. Raises OSError if nobody takes it or answers in time."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        connection.connect(path)
        connection.sendall(json.dumps(order).encode() + b"\n")
        answer: dict[str, Any] = json.loads(_line(connection))
        return answer
