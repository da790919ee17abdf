"""Tell a random string from everything that merely looks odd.

Entropy alone cannot: a file path, a camelCase name and a key of the same length differ by a few
tenths of a bit. What tells them apart is how often neighbours change class. Words change class
where they begin; random letters do it at every second character. And most random strings are no
secrets at all (digests, ids, fingerprints), so the greater part of this module says what to pass
over. Every character is looked at a fixed number of times, whatever the text.
"""

import base64
import binascii
import math
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

CHARS_MIN: Final = 24
"""Shorter random strings are too like words: 24 of base64 are 18 bytes, the least a key has."""
CHARS_MAX: Final = 512
"""Longer ones are pictures and archives in base64, not keys."""
PLAIN_CHARS_MIN: Final = 32
"""For strings of lower-case letters and digits, whose classes say less."""
BITS_OF_ROOM: Final = 0.80
"""Share of the entropy that a string of this length could have. Random ones keep 0.9 or more."""
CHANGES_MIN: Final = 0.42
"""Share of neighbours of different class. Random base62 has 0.62, names have about 0.3."""
PLAIN_CHANGES_MIN: Final = 0.28
"""The same for lower-case letters and digits, where random ones have 0.40."""
SLASHES_MAX: Final = 4
"""More make it a path; 40 random characters of base64 have fewer than one on average."""
WORDS_MAX: Final = 0.50
"""Share of a string that may be words. Of random base62 it is a fifth, of names more than half."""
PLAIN_WORDS_MAX: Final = 0.80
"""The same for lower-case letters and digits, where random ones have 0.6."""
READABLE: Final = 0.85
"""Share of printable characters that makes decoded base64 a text. Random bytes have 0.38."""

_RUN = re.compile(r"[A-Za-z0-9+/_=~-]{24,}+")
_URL = re.compile(r"(?<![A-Za-z0-9])(?:https?|ftp|wss?|file|git|ssh)://[^\s<>\"'`]{1,4096}+")
_BLOCK = re.compile(
    r"-----BEGIN [A-Z0-9 ]{1,40}+-----(?:[A-Za-z0-9+/=\s:.,()<>@\\_]|-(?!----)){0,65536}+-----END "
)
"""What stands between the lines of a PEM block; a private one is another rule's."""
_HEX = re.compile(r"(?:0x)?(?:[0-9a-f]{4,}+|[0-9A-F]{4,}+)")
_WORD = re.compile(r"[A-Z]?[a-z]{3,}+")
_PARTS = re.compile(r"[A-Za-z0-9]++")
_HARMLESS_BEFORE = re.compile(
    r"(?:sha-?(?:1|224|256|384|512)|md5|blake2[bs]?|blake3|h1|base64|sealed-v1)[:,=-]"
    r"|ssh-(?:rsa|dss|ed25519)\s|ecdsa-sha2-nistp(?:256|384|521)\s",
    re.IGNORECASE,
)
"""Ends of what may stand before a random string that is public: digests, sums, public keys."""
_HARMLESS_FIRST = re.compile(r"(?:sha(?:1|256|384|512)|md5)[-=]|AAAA[BCE][23]NzaC1", re.IGNORECASE)
_LOOK_BACK: Final = 24
"""Characters before a run in which such a word is looked for."""


def random_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where text holds random strings: start and end, ascending, never overlapping."""
    passed_over = _passed_over(text)
    skip_start, skip_end = next(passed_over, (len(text), len(text)))
    for found in _RUN.finditer(text):
        start, end = found.span()
        while skip_end <= start < len(text):
            if (following := next(passed_over, None)) is None:
                break
            skip_start, skip_end = following
        if skip_start < end and start < skip_end:
            continue
        first, last = _trimmed(text, start, end)
        if not _is_harmless_here(text, first, last) and is_random(text[first:last]):
            yield first, last


def may_be_random(text: str) -> bool:
    """Whether `random_spans` could find anything: one quick pass."""
    return _RUN.search(text) is not None


def is_random(run: str) -> bool:
    """Whether a string without spaces was drawn by chance rather than made of words."""
    if not CHARS_MIN <= len(run) <= CHARS_MAX or run.count("/") > SLASHES_MAX:
        return False
    parts = [part for part in _PARTS.findall(run) if not _says_nothing(part)]
    core = "".join(parts)
    if len(core) < CHARS_MIN - 4:  # what digests, numbers and punctuation leave
        return False
    changes = sum(map(_changes, parts)) / max(1, sum(len(part) - 1 for part in parts))
    kinds = {_class(char) for char in core}
    if kinds == {"a", "A", "0"}:
        wanted, words_max = CHANGES_MIN, WORDS_MAX
    elif "0" in kinds and len(core) >= PLAIN_CHARS_MIN and "a" in kinds:
        wanted, words_max = PLAIN_CHANGES_MIN, PLAIN_WORDS_MAX
    else:
        return False
    return (
        changes >= wanted
        and share_of_words(core) <= words_max
        and entropy_bits(core) >= BITS_OF_ROOM * math.log2(min(len(core), _alphabet(kinds)))
        and not is_encoded_text(run)
    )


def entropy_bits(text: str) -> float:
    """Shannon's entropy of the characters of text, bits for each; 0 for an empty one."""
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())


def share_of_words(text: str) -> float:
    """How much of a text without spaces looks like the words of a camelCase name: 0 to 1."""
    return sum(map(len, _WORD.findall(text))) / max(1, len(text))


def is_encoded_text(run: str) -> bool:
    """Whether run is base64, of either alphabet, of something a person could read."""
    body = run.rstrip("=").replace("-", "+").replace("_", "/")
    body = body[: len(body) - (len(body) % 4 == 1)]
    try:
        raw = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:  # the last character may be cut
        text = raw[: error.start].decode() if error.start >= len(raw) - 3 else ""
    readable = sum(char.isprintable() or char in "\n\r\t" for char in text)
    return bool(raw) and readable >= READABLE * len(text) and len(text) * 2 >= len(raw)


def _passed_over(text: str) -> Iterator[tuple[int, int]]:
    # Two orderly sequences, merged: addresses, and public blocks.
    spans = [found.span() for found in _URL.finditer(text)] if "://" in text else []
    if "-----BEGIN " in text:
        spans += [found.span() for found in _BLOCK.finditer(text)]
    return iter(sorted(spans))


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Without the punctuation at its ends, and without a name and = before it."""
    while start < end and text[start] in "=-_~+":
        start += 1
    while end > start and text[end - 1] in "-_~/+":
        end -= 1
    equals = text.find("=", start, end)
    if 0 < equals < end - 1 and text[end - 1] != "=":
        start = equals + 1
        while start < end and text[start] == "=":
            start += 1
    return start, end


def _is_harmless_here(text: str, start: int, end: int) -> bool:
    if _HARMLESS_FIRST.match(text, start):
        return True
    before = text[max(0, start - _LOOK_BACK) : start]
    if any(found.end() == len(before) for found in _HARMLESS_BEFORE.finditer(before)):
        return True
    # A path: it starts like one, or goes on like one.
    return "/" in text[start:end] and (
        text[start] == "/" or before.endswith((".", ":", "\\", "~")) or text[end : end + 1] == "."
    )


def _says_nothing(part: str) -> bool:
    return part.isdigit() or (
        _HEX.fullmatch(part) is not None and any(char.isdigit() for char in part)
    )


def _class(char: str) -> str:
    if char.isdigit():
        return "0"
    return "A" if char.isupper() else "a"


def _changes(part: str) -> int:
    classes = [_class(char) for char in part]
    return sum(one != other for one, other in pairwise(classes))


def _alphabet(kinds: set[str]) -> int:
    return 26 * ("a" in kinds) + 26 * ("A" in kinds) + 10 * ("0" in kinds)
