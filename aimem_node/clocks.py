"""Time and chance, as things that can be handed in.

Everything below the shells takes `now_us` or an id as an argument, so a test steps time by
adding to a number. This module is where the real ones come from.
"""

import secrets
import time
import uuid
from typing import Protocol


class Clock(Protocol):
    """Reads the time."""

    def now_us(self) -> int:
        """UTC, microseconds since 1970. May jump: never an order, never a cursor."""
        ...

    def monotonic_us(self) -> int:
        """Microseconds since some moment; never jumps. For deadlines and durations."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        """UTC, microseconds since 1970."""
        return time.time_ns() // 1000

    def monotonic_us(self) -> int:
        """Microseconds since some moment."""
        return time.monotonic_ns() // 1000


class Chance(Protocol):
    """Draws what must not be guessable or must not collide."""

    def token_hex(self, size_bytes: int) -> str:
        """Random bytes as lower-case hex."""
        ...

    def record_id(self) -> str:
        """A fresh UUID."""
        ...


class SystemChance:
    """The operating system's randomness."""

    def token_hex(self, size_bytes: int) -> str:
        """Random bytes as lower-case hex."""
        return secrets.token_hex(size_bytes)

    def record_id(self) -> str:
        """A fresh random UUID (version 4)."""
        return str(uuid.uuid4())
