"""The pins of a cluster as text that can be read, kept, compared, and read back.

Who may speak as a member is the list of members itself, decided by the voters; this text is a
view of it and changes nothing. It is read as strictly as access/pins.txt: a line that cannot be
read is never skipped, since a comparison that lost a line would call two lists equal that differ.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from aimem_node.gateways.cli import failures

TEXT_BYTES_MAX = 1024 * 1024
"""Some thousand members: far above any cluster."""
EMPTY = "-"
"""A name, node id or address that is not there."""
REVOKED = "revoked"
"""The role of a key that opens nothing any more."""
ROLES = ("voter", "learner", REVOKED)
SHAPE = "sha256:<64 hex digits> <voter|learner|revoked> <name> <node id> <address>"

_SHA256 = re.compile(r"sha256:([0-9a-f]{64})")
_WORD = re.compile(r"(?:[A-Za-z0-9_.@:\[\]-]|%[0-9A-F]{2})+")
_KEPT = "_.@:[]-"


@dataclass(frozen=True, slots=True, order=True)
class PeerPin:
    """One key, and whose it is."""

    fingerprint: str
    "SHA-256 of the certificate, hex."
    role: str
    name: str = ""
    node_id: str = ""
    address: str = ""
    line: int = field(default=0, compare=False)


def write(pins: Iterable[PeerPin]) -> str:
    """One line for each, which `parse` reads back."""
    rows = [
        (f"sha256:{pin.fingerprint}", pin.role, *map(_word, (pin.name, pin.node_id, pin.address)))
        for pin in sorted(pins)
    ]
    return "".join("  ".join(row) + "\n" for row in rows)


def parse(content: bytes, file: str) -> tuple[PeerPin, ...]:
    """Pins in the order of their lines. Raises CallFailure that names the first bad line."""
    pins: dict[str, PeerPin] = {}
    nodes: dict[str, PeerPin] = {}
    for line, words in _lines(content, file):
        pin = _pin(words, file, line)
        before = pins.setdefault(pin.fingerprint, pin)
        if before is not pin:
            raise _bad(file, line, f"the fingerprint stands in line {before.line} already")
        same = nodes.setdefault(pin.node_id, pin) if pin.node_id else pin
        if (same.role, same.name, same.address) != (pin.role, pin.name, pin.address):
            raise _bad(file, line, f"node {pin.node_id} is said otherwise in line {same.line}")
    return tuple(pins.values())


def differences(kept: Iterable[PeerPin], present: Iterable[PeerPin]) -> list[str]:
    """What has changed from the kept list to the present one, a line each."""
    before = {pin.fingerprint: pin for pin in kept}
    after = {pin.fingerprint: pin for pin in present}
    said: list[str] = []
    for fingerprint in sorted({*before, *after}):
        was, now = before.get(fingerprint), after.get(fingerprint)
        if was == now:
            continue
        said += [f"- {write([was]).rstrip()}"] if was is not None else []
        said += [f"+ {write([now]).rstrip()}"] if now is not None else []
    return said


def _pin(words: list[str], file: str, line: int) -> PeerPin:
    if len(words) != 5:
        raise _bad(file, line, f"expected: {SHAPE}")
    found = _SHA256.fullmatch(words[0])
    if found is None:
        raise _bad(file, line, f"{words[0][:80]!r} is not sha256: and 64 small hex digits")
    if words[1] not in ROLES:
        raise _bad(file, line, f"{words[1][:80]!r} is no role: {', '.join(ROLES)}")
    name, node_id, address = (_text(word, file, line) for word in words[2:])
    if (words[1] == REVOKED) == bool(node_id):
        why = "a revoked key" if node_id else f"a {words[1]}'s key"
        raise _bad(file, line, f"{why} {'has no' if node_id else 'needs a'} node id")
    return PeerPin(found[1], words[1], name, node_id, address, line)


def _lines(content: bytes, file: str) -> Iterator[tuple[int, list[str]]]:
    """Number and words of every line that says something."""
    if len(content) > TEXT_BYTES_MAX:
        raise _bad(file, 1, f"the file is larger than {TEXT_BYTES_MAX} bytes")
    for number, raw in enumerate(content.split(b"\n"), start=1):
        try:
            text = raw.removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError:
            raise _bad(file, number, "is not UTF-8 text") from None
        said = re.split(r"(?:^|[ \t])#", text, maxsplit=1)[0]
        if re.search(r"[^\t\x20-\x7e]", said):
            raise _bad(file, number, "has a character that is not plain ASCII outside a comment")
        words = said.split()
        if words:
            yield number, words


def _word(text: str) -> str:
    if not text:
        return EMPTY
    return "%2D" if text == EMPTY else quote(text, safe=_KEPT).replace("~", "%7E")


def _text(word: str, file: str, line: int) -> str:
    if word == EMPTY:
        return ""
    if not _WORD.fullmatch(word):
        raise _bad(file, line, f"{word[:80]!r} has a character that must be written as %XX")
    try:
        text = unquote(word, errors="strict")
    except UnicodeDecodeError:
        raise _bad(file, line, f"{word[:80]!r} is not UTF-8 text") from None
    if _word(text) != word:
        raise _bad(file, line, f"{word[:80]!r} should be written {_word(text)[:80]!r}")
    return text


def _bad(file: str, line: int, why: str) -> failures.CallFailure:
    return failures.usage(
        f"{file}, line {line}: {why}", "Correct the line, or put # before it.", f"{file}:{line}"
    )
