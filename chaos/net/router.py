"""What joins the namespaces: a router in user space, which may do anything to any packet.

    python -m chaos.net.router SEED          (root; orders on standard input, one JSON line each)

One TUN device for each node, whose far end is that node's only interface. No bridge, no netfilter
and no netem are needed, and every packet between nodes passes through these lines, so what is
counted here is what happened. It ends when its input does: no router outlives the harness.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import heapq
import ipaddress
import itertools
import json
import os
import random
import selectors
import struct
import sys
import time
from typing import Any, Final

from chaos.net.packets import PAIR, is_ipv4, reset_for
from chaos.net.rules import Lane, Rule

TUNSETIFF: Final = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
PACKET_BYTES_MAX: Final = 65_536
AT_ONCE: Final = 64
"""Packets of one node before the next one has its turn."""
COUNTS: Final = ("passed", "dropped", "delayed", "duplicated", "reset", "bytes")


class Router:
    """See the module."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._selector = selectors.DefaultSelector()
        self._out: dict[bytes, int] = {}
        "By address, the device that leads there."
        self._address: dict[str, bytes] = {}
        self._names: dict[bytes, str] = {}
        "Also of nodes that have gone: what was counted stays theirs."
        self._lanes: dict[bytes, Lane] = {}
        "By source and destination; a pair without a rule is not in it."
        self._counts: dict[bytes, list[int]] = {}
        self._late: list[tuple[float, int, bytes]] = []
        self._number = itertools.count()

    # ---- orders --------------------------------------------------------------------------------

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked. Raises ValueError, KeyError or OSError if that makes no sense."""
        what = order["do"]
        if what == "open":
            self._open(order["name"], order["device"], order["address"])
        elif what == "close":
            self._close(order["name"])
        elif what == "rule":
            pair = self._address[order["source"]] + self._address[order["target"]]
            rule = Rule.from_json(order["rule"])
            self._lanes.pop(pair, None)
            if rule != Rule():
                self._lanes[pair] = Lane(rule, self._chance)
        elif what == "clear":
            self._lanes.clear()
        elif what == "stats":
            return {"stats": self._stats()}
        else:
            raise ValueError(f"no such order: {what!r}")
        return {}

    def _open(self, name: str, device: str, address: str) -> None:
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI))
        except OSError:
            os.close(fd)
            raise
        packed = ipaddress.IPv4Address(address).packed
        self._address[name] = packed
        self._names[packed] = name
        self._out[packed] = fd
        self._selector.register(fd, selectors.EVENT_READ, "device")

    def _close(self, name: str) -> None:
        fd = self._out.pop(self._address.pop(name))
        with contextlib.suppress(KeyError):  # its device went before it
            self._selector.unregister(fd)
        os.close(fd)

    def _stats(self) -> dict[str, dict[str, int]]:
        names = self._names
        return {
            f"{names.get(pair[:4], '?')}>{names[pair[4:]]}": dict(zip(COUNTS, counts, strict=True))
            for pair, counts in self._counts.items()
        }

    # ---- packets -------------------------------------------------------------------------------

    def run(self, orders: int, answers: int) -> None:
        """Until there are no more orders."""
        os.set_blocking(orders, False)
        self._selector.register(orders, selectors.EVENT_READ, "orders")
        told = b""
        while True:
            wait_s = max(0.0, self._late[0][0] - time.monotonic()) if self._late else None
            for key, _ in self._selector.select(wait_s):
                if key.data == "device":
                    self._take(key.fd)
                    continue
                read = os.read(orders, PACKET_BYTES_MAX)
                if not read:
                    return
                *lines, told = (told + read).split(b"\n")
                for line in lines:
                    os.write(answers, self._answer(line) + b"\n")
            self._send_due()

    def _answer(self, line: bytes) -> bytes:
        try:
            return json.dumps({"ok": True, **self.obey(json.loads(line))}).encode()
        except (ValueError, KeyError, TypeError, OSError) as error:
            return json.dumps({"ok": False, "why": f"{line.decode()!r}: {error!r}"}).encode()

    def _take(self, fd: int) -> None:
        for _ in range(AT_ONCE):
            try:
                packet = os.read(fd, PACKET_BYTES_MAX)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.EBADFD:
                    # Gone with its namespace, and ready to be read for ever.
                    self._selector.unregister(fd)
                return
            if is_ipv4(packet) and packet[16:20] in self._out:
                self._pass(packet)

    def _pass(self, packet: bytes) -> None:
        pair = packet[PAIR]
        counts = self._counts.get(pair)
        if counts is None:
            counts = self._counts[pair] = [0] * len(COUNTS)
        lane = self._lanes.get(pair)
        if lane is None:
            counts[0] += 1
            counts[5] += len(packet)
            self._write(packet)
            return
        if lane.rule.reset:
            answer = reset_for(packet)
            if answer is not None:
                counts[4] += 1
                self._write(answer)
            else:
                counts[1] += 1
            return
        now_s = time.monotonic()
        times = lane.due(len(packet), now_s)
        counts[1] += not times
        counts[3] += len(times) > 1
        for at_s in times:
            counts[0] += 1
            counts[5] += len(packet)
            if at_s <= now_s:
                self._write(packet)
            else:
                counts[2] += 1
                heapq.heappush(self._late, (at_s, next(self._number), packet))

    def _send_due(self) -> None:
        now_s = time.monotonic()
        while self._late and self._late[0][0] <= now_s:
            self._write(heapq.heappop(self._late)[2])

    def _write(self, packet: bytes) -> None:
        fd = self._out.get(packet[16:20])
        if fd is not None:
            try:
                os.write(fd, packet)
            except OSError:
                return  # a full or absent device loses packets, as networks do


if __name__ == "__main__":
    Router(int(sys.argv[1])).run(0, 1)
