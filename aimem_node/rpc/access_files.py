"""The two files that say who may call, read strictly and without touching a disk.

A line that cannot be read is never skipped: a list that lost a line would either lock out a
colleague or, for a revocation, let one in. So one bad line refuses the whole file and the
message carries its number. Lines end at newline and nowhere else, so that the numbers are
those of any editor.
"""

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass

from aimem_node.contract import formats
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import Role

FILE_BYTES_MAX = 1024 * 1024
"""About 10,000 lines: far above any team, far below what would slow a handshake down."""

PINS_FILE, TOKENS_FILE = "access/pins.txt", "access/tokens.txt"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
_IN_FULL = re.compile(r"@[0-9a-f]{32}$")
"""How a principal ends that is named in full, with its node."""
_SHA256 = re.compile(r"sha256:([0-9a-fA-F]{64}|[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){31})")
_PATTERN = re.compile(r"[A-Za-z0-9_\-:@./*?]{1,128}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")
_WORDS = {"reader": Role.READER, "writer": Role.WRITER, "admin": Role.ADMIN}
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True)
class Pin:
    """One certificate that may call, and as whom. Two pins of one name allow a rotation."""

    fingerprint: str
    name: str
    role: Role
    line: int
    place: str = ""
    """The namespace that it stands in; empty for none: then it sees everything."""


@dataclass(frozen=True, slots=True)
class Token:
    """One bearer token, known only by its hash."""

    name: str
    sha256: str
    role: Role
    agent_pattern: str
    expires_us: int | None
    """UTC microseconds since 1970, or None for never."""
    line: int
    place: str = ""
    """As of a pin."""


def parse_pins(content: bytes) -> dict[str, Pin]:
    """Pins by fingerprint. Failure INVALID_ARGUMENT names the line (path "access/pins.txt:3")."""
    pins: dict[str, Pin] = {}
    roles: dict[str, Pin] = {}
    for line, words in _lines(content, PINS_FILE):
        if not 2 <= len(words) <= 4:
            raise _bad(PINS_FILE, line, "expected: sha256:<64 hex digits> <name> [role [place]]")
        pin = Pin(
            fingerprint=_sha256(words[0], PINS_FILE, line),
            name=_name(words[1], PINS_FILE, line),
            role=_role(words[2], PINS_FILE, line) if len(words) > 2 else Role.READER,
            line=line,
            place=_place(words[3], PINS_FILE, line) if len(words) > 3 else "",
        )
        first = pins.get(pin.fingerprint)
        if first:
            raise _bad(PINS_FILE, line, f"the fingerprint stands in line {first.line} already")
        named = roles.setdefault(pin.name.lower(), pin)
        if (named.name, named.role, named.place) != (pin.name, pin.role, pin.place):
            why = f"{pin.name!r} has another role, place or spelling in line {named.line}"
            raise _bad(PINS_FILE, line, why)
        pins[pin.fingerprint] = pin
    return pins


def parse_tokens(content: bytes) -> dict[str, Token]:
    """Tokens by the SHA-256 of their text. Failure INVALID_ARGUMENT names the line."""
    tokens: dict[str, Token] = {}
    names: dict[str, int] = {}
    for line, words in _lines(content, TOKENS_FILE):
        if not 5 <= len(words) <= 6:
            shape = (
                "<name> sha256:<64 hex digits> <role> <agent pattern> <expires or never> [place]"
            )
            raise _bad(TOKENS_FILE, line, f"expected: {shape}")
        token = Token(
            name=_name(words[0], TOKENS_FILE, line),
            sha256=_sha256(words[1], TOKENS_FILE, line),
            role=_role(words[2], TOKENS_FILE, line),
            agent_pattern=words[3],
            expires_us=_moment(words[4], TOKENS_FILE, line),
            line=line,
            place=_place(words[5], TOKENS_FILE, line) if len(words) > 5 else "",
        )
        if not _PATTERN.fullmatch(token.agent_pattern):
            why = f"{token.agent_pattern!r} is no pattern: letters, digits and _-:@./*? only"
            raise _bad(TOKENS_FILE, line, why)
        first = names.setdefault(token.name.lower(), line)
        if first != line:
            raise _bad(TOKENS_FILE, line, f"the name stands in line {first} already")
        if token.sha256 in tokens:
            first = tokens[token.sha256].line
            raise _bad(TOKENS_FILE, line, f"the same token stands in line {first} already")
        tokens[token.sha256] = token
    return tokens


def format_pin(fingerprint: str, name: str, role: Role, place: str = "") -> str:
    """One line of pins.txt, which parse_pins reads back."""
    return f"sha256:{fingerprint}  {name}  {_word(role)}  {place}".rstrip() + "\n"


def format_token(
    name: str, sha256: str, role: Role, pattern: str, expires_us: int | None, place: str = ""
) -> str:
    """One line of tokens.txt, which parse_tokens reads back."""
    if expires_us is None:
        moment = "never"
    else:
        at = _EPOCH + datetime.timedelta(microseconds=expires_us)
        moment = at.isoformat().replace("+00:00", "Z")
    line = f"{name}  sha256:{sha256}  {_word(role)}  {pattern}  {moment}  {place}"
    return line.rstrip() + "\n"


def _word(role: Role) -> str:
    return next(word for word, meaning in _WORDS.items() if meaning is role)


def _lines(content: bytes, file: str) -> Iterator[tuple[int, list[str]]]:
    """Number and words of every line that says something."""
    if len(content) > FILE_BYTES_MAX:
        raise _bad(file, 1, f"the file is larger than {FILE_BYTES_MAX} bytes")
    for number, raw in enumerate(content.split(b"\n"), start=1):
        try:
            text = raw.removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError as error:
            raise _bad(file, number, "is not UTF-8 text") from error
        said = re.split(r"(?:^|[ \t])#", text, maxsplit=1)[0]
        if re.search(r"[^\t\x20-\x7e]", said):
            raise _bad(file, number, "has a character that is not plain ASCII outside a comment")
        words = said.split()
        if words:
            yield number, words


def _name(word: str, file: str, line: int) -> str:
    if not _NAME.fullmatch(word):
        why = f"{word!r} is no name: a letter or digit, then up to 63 of these and _.@-"
        raise _bad(file, line, why)
    if _IN_FULL.search(word):
        why = f"{word!r} is no name: it would be taken for one of that node"
        raise _bad(file, line, why)
    return word


def _sha256(word: str, file: str, line: int) -> str:
    found = _SHA256.fullmatch(word)
    if not found:
        raise _bad(file, line, f"{word[:80]!r} is not sha256: and 64 hex digits")
    return found[1].replace(":", "").lower()


def _role(word: str, file: str, line: int) -> Role:
    role = _WORDS.get(word)
    if role is None:
        raise _bad(file, line, f"{word!r} is no role: reader, writer or admin")
    return role


def _place(word: str, file: str, line: int) -> str:
    try:
        return formats.check_place(word)
    except Failure as failure:
        raise _bad(file, line, f"{word[:80]!r} is no place: {failure.message}") from None


def _moment(word: str, file: str, line: int) -> int | None:
    if word == "never":
        return None
    try:
        if not _MOMENT.fullmatch(word):
            raise ValueError(word)
        since = datetime.datetime.fromisoformat(word) - _EPOCH
    except (ValueError, OverflowError) as error:
        why = f"{word!r} is no moment: write never, or one like 2027-01-31T00:00:00Z"
        raise _bad(file, line, why) from error
    return since // datetime.timedelta(microseconds=1)


def _bad(file: str, line: int, why: str) -> Failure:
    return Failure(
        Code.INVALID_ARGUMENT,
        f"{file}, line {line}: {why}",
        path=f"{file}:{line}",
        next="Correct the line, or put # before it.",
    )
