"""Every bound of the core, with the reason for its number.

All of them are part of the protocol: a replica that used another number would refuse ops that
its peers keep, so changing one is a change of the wire.
"""

from typing import Final

BODY_BYTES_MAX: Final = 1 << 20
"""Largest body of one op. An op is never split, and one must fit a quarter of gRPC's 4 MiB."""

NUMBER_MAX: Final = 1 << 53
"""Largest sequence, Lamport number, epoch and counter: exact in a JSON reader that uses doubles."""

LAMPORT_JUMP_MAX: Final = 1 << 32
"""Largest step above the highest Lamport number seen. A thousand ops a second for 49 days of
silence; a bigger step is a fault that would use the numbers up for everyone."""

WALL_US_MAX: Final = (1 << 63) - 1
"""Latest wall time, microseconds since the epoch: what SQLite keeps as an integer."""

TEXT_BYTES_MAX: Final = 1024
"""Kind, record id, author and request key, each, in UTF-8. Names, never content."""

SIG_BYTES_MAX: Final = 1024
"""A P-256 signature takes 72 bytes; this leaves room for another scheme."""

JSON_DEPTH_MAX: Final = 64
"""Nesting of an edit's body, the outermost braces counted. Deeper text would be read on one
replica and overflow the stack of another, and the two would part ways."""

JSON_INT_DIGITS_MAX: Final = 300
"""Digits of one whole number. Python refuses more than a limit that each process may set for
itself; this one is the same everywhere, and below it."""
