"""Name an agent by the program it speaks through, when it does not name itself.

The result is a hint and not a claim: whoever authenticates the connection decides whether
it may be used.
"""

import re

PART_CHARS_MAX = 40
"""Three parts and their marks stay below the 128 bytes of an agent id."""

_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_.]+")


def agent_hint(client: str, host: str, pid: int | None) -> str:
    """`ai:<client>@<host>:pid-<pid>`, each part reduced to letters, digits, `_`, `-` and `.`.

    The process is left out when it is not known.
    """
    process = f":pid-{pid}" if pid else ""
    return f"ai:{_plain(client) or 'client'}@{_plain(host) or 'host'}{process}"


def _plain(text: str) -> str:
    return _NOT_PLAIN.sub("-", text[: 4 * PART_CHARS_MAX]).strip("-")[:PART_CHARS_MAX]
