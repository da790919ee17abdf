"""Find keys, tokens and passwords in what is about to be kept, and take them out.

What enters the log is copied to every member and cannot be taken back quietly, so this is asked
before. It guards against accidents, not against spies: whoever wants to hide a secret splits it.
What it finds it never repeats: a Finding says where and what, and holds no character of the text.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from aimem_node.operations.entropy import may_be_random, random_spans
from aimem_node.operations.secret_kinds import (
    NAMED,
    NAMED_NEEDLES,
    RULES,
    URL_LOGIN,
    VALUE,
    is_password_name,
    is_placeholder,
    is_real_value,
    is_secret_name,
)
from aimem_sync.canon import Json

PASSWORD_HINT: Final = "a password or key that is named as one"  # noqa: S105 - words for people
URL_HINT: Final = "a password in an address"
RANDOM_HINT: Final = "a random string, as keys are"
KEY_HINT: Final = ", in the name of a member"

ROOM_BYTES: Final = {"title": 512, "content": 64 * 1024}
"""How long the texts of a memory may be. What is taken out must not make one longer than that."""
ROOM_BYTES_LEAST: Final = 128
"""Of a tag, and of any other text, as long as nobody has said that it may be longer."""

_NEEDLES: Final = tuple((needle, at) for at, rule in enumerate(RULES) for needle in rule.needles)
"""Every needle with the place of its rule: one pass over them is all that most texts cost."""
_IN_ANY_TEXT: Final = frozenset({".", ":", "sk"})
"""Needles of rules that all want a long run of characters too, which `may_be_random` sees."""
_TELLING: Final = tuple(needle for needle, _ in _NEEDLES if needle not in _IN_ANY_TEXT)
_JOINED = re.compile(r"[\w.-]{0,24}(?:\\?[\"'`]\]?)?[ \t]{0,8}(?::|=| is )")
"""What follows a word such as "key" where it ends a name that has a value: see NAMED."""
_BETWEEN: Final = "\0 \0"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Finding:
    """One secret in a text. It may be logged: it says where, never what."""

    kind: str
    "Such as aws_access_key; a word for programs."
    start: int
    end: int
    "Characters of the text, end excluded."
    hint: str
    "What it seems to be, for people."


def screen(text: str) -> tuple[Finding, ...]:
    """Every secret in text, in order, none overlapping another. () if there is none."""
    found = [*_by_rule(text), *_by_name(text), *_in_urls(text)]
    found += [Finding("high_entropy", *span, RANDOM_HINT) for span in random_spans(text)]
    return _apart(found)


def redacted(text: str, findings: Sequence[Finding], *, brief: bool = False) -> str:
    """text with "[redacted: <kind>]" in the place of each finding, as `screen` gives them; with
    `brief` at most three stars, so that it gets no longer."""
    kept: list[str] = []
    at = 0
    for one in findings:
        mark = "***"[: one.end - one.start] if brief else f"[redacted: {one.kind}]"
        kept += [text[at : one.start], mark]
        at = one.end
    return "".join([*kept, text[at:]])


def screen_json(value: Json, path: str = "$") -> tuple[tuple[str, Finding], ...]:
    """Every secret in the strings and names of a JSON value, with the path of the place.

    A name counts for its value: "hunter22" is one under "password". Paths show redacted names.
    """
    return tuple(_walk(value, path, "")) if is_suspect(value) else ()


def is_suspect(value: Json) -> bool:
    """Whether a closer look may find anything: False only if it would not.

    Nearly every memory is plain prose, so all its strings are looked over as one text first. What
    stands between them keeps a sign from beginning in one string and ending in the next.
    """
    names: list[str] = []
    texts: list[str] = []
    _gather(value, names, texts)
    if any(map(is_secret_name, names)):
        return True
    text = _BETWEEN.join([*names, *texts])
    lower = text.lower()
    return bool(
        any(needle in lower for needle in _TELLING)
        or may_be_random(text)
        or ("://" in lower and "@" in lower)
        or any(_may_name_a_value(lower, needle) for needle in NAMED_NEEDLES)
    )


def _may_name_a_value(lower: str, needle: str) -> bool:
    at = lower.find(needle)
    if at >= 0 and "--" in lower:
        return True
    while at >= 0:
        if _JOINED.match(lower, at + len(needle)):
            return True
        at = lower.find(needle, at + 1)
    return False


def _gather(value: Json, names: list[str], texts: list[str]) -> None:
    match value:
        case str():
            texts.append(value)
        case Mapping():
            names += value
            for item in value.values():
                _gather(item, names, texts)
        case Sequence():
            for item in value:
                _gather(item, names, texts)


def redacted_json(value: Json) -> Json:
    """The value with every secret of `screen_json` replaced. Names stay different names."""
    return _redacted(value, "")


def _by_rule(text: str) -> Iterator[Finding]:
    lower = text.lower()
    for at in sorted({at for needle, at in _NEEDLES if needle in lower}):
        rule = RULES[at]
        group = "secret" if "secret" in rule.pattern.groupindex else 0
        for match in rule.pattern.finditer(text):
            if rule.check(match[group]):
                yield Finding(rule.kind, *match.span(group), rule.hint)


def _by_name(text: str) -> Iterator[Finding]:
    lower = text.lower()
    if not any(needle in lower for needle in NAMED_NEEDLES):
        return
    for match in NAMED.finditer(text):
        name = match["name"] or match["flag"]
        if not is_secret_name(name) or (found := VALUE.match(text, match.end())) is None:
            continue
        group = str(found.lastgroup)
        value = found[group]
        if group == "bare" and value[-1] in ".!?:" and value[-2:-1].isalnum():
            value = value[:-1]  # the end of the sentence, or perhaps of the password
        if is_real_value(value, after_password=is_password_name(name)):
            yield Finding("password", *found.span(group), PASSWORD_HINT)


def _in_urls(text: str) -> Iterator[Finding]:
    if "://" not in text:
        return
    for match in URL_LOGIN.finditer(text):
        login, at, _ = match["authority"].rpartition("@")
        name, colon, password = login.partition(":")
        if at and colon and password and not is_placeholder(password):
            start = match.start("authority") + len(name) + 1
            yield Finding("url_password", start, start + len(password), URL_HINT)


def _apart(found: list[Finding]) -> tuple[Finding, ...]:
    """One for each place: where several overlap, the earliest found names all they cover."""
    rank = {id(one): index for index, one in enumerate(found)}
    apart: list[tuple[int, Finding]] = []
    for one in sorted(found, key=lambda each: (each.start, each.end)):
        if apart and one.start < apart[-1][1].end:
            best, last = apart[-1]
            named = one if rank[id(one)] < best else last
            end = max(last.end, one.end)
            apart[-1] = (min(best, rank[id(one)]), replace(named, start=last.start, end=end))
        else:
            apart.append((rank[id(one)], one))
    return tuple(one for _, one in apart)


def _walk(value: Json, path: str, name: str) -> Iterator[tuple[str, Finding]]:
    match value:
        case str():
            yield from ((path, one) for one in _screen_value(value, name))
        case Mapping():
            for key, (shown, item) in _members(value).items():
                inner = path + _step(shown)
                yield from ((inner, replace(one, hint=one.hint + KEY_HINT)) for one in screen(key))
                yield from _walk(item, inner, key)
        case Sequence():
            for index, item in enumerate(value):
                yield from _walk(item, f"{path}[{index}]", name)


def _redacted(value: Json, name: str) -> Json:
    match value:
        case str():
            found = _screen_value(value, name)
            told = redacted(value, found)
            fits = len(told.encode()) <= ROOM_BYTES.get(name, ROOM_BYTES_LEAST)
            return told if fits or not found else redacted(value, found, brief=True)
        case Mapping():
            return {shown: _redacted(item, key) for key, (shown, item) in _members(value).items()}
        case Sequence():
            return [_redacted(item, name) for item in value]
    return value


def _screen_value(value: str, name: str) -> tuple[Finding, ...]:
    """The secrets of one string, seen in the light of its name."""
    found = screen(value)
    if is_secret_name(name) and is_real_value(value, after_password=is_password_name(name)):
        found = _apart([*found, Finding("password", 0, len(value), PASSWORD_HINT)])
    return found


def _members(value: Mapping[str, Json]) -> dict[str, tuple[str, Json]]:
    """By name: the name as it may be shown, no two the same, and the value."""
    members: dict[str, tuple[str, Json]] = {}
    taken = set(value)
    for key, item in value.items():
        shown = plain = redacted(key, screen(key))
        count = 1
        while shown != key and shown in taken:
            count += 1
            shown = f"{plain} {count}"
        taken.add(shown)
        members[key] = (shown, item)
    return members


def _step(name: str) -> str:
    return f".{name}" if _PLAIN.fullmatch(name) else f"[{json.dumps(name, ensure_ascii=False)}]"
