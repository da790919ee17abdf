"""Secrets are found wherever a change may hold them, and nothing else is taken for one."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimem_node.operations.secrets import (
    _walk,
    is_suspect,
    redacted,
    redacted_json,
    screen,
    screen_json,
)
from tests.aimem_node.operations.secret_fakes import ASSIGNED, FAKES, HEX, block, drawn

ROOT = Path(__file__).resolve().parents[3]
EVERY = [(kind, text) for kind, texts in FAKES.items() for text in texts]
HARMLESS = [
    "We talked about passwords: she forgot hers again, and the secret: never give up!",
    "The token budget is 4096 tokens; max_tokens=128000, page_token=abc123def456",
    "password: ${DB_PASSWORD} or password=<your password>, else password: ********",
    'password = os.environ["DB_PASSWORD"]; token = get_token2(now); secret = config.secret2',
    "Changed password: 2024-05-01. Next time ask Ann, secret: tomorrow.",
    "https://example.com/a/b?x=1#frag and http://localhost:8080/x and ssh://git@host/x.git",
    "postgres://user:password@host/db is how an address looks, or https://user:<token>@x",
    f"sha256:{drawn(64, HEX)} {drawn(40, HEX)} {drawn(32, HEX)}.{drawn(16, HEX)}:42",
    "Authorization: Bearer <token>, Authorization: Basic <login>, bearer of good news",
    "-----BEGIN PRIVATE KEY----- is the first line of such a file",
    "a file of the form -----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----",
    "AKIA is the beginning, sk-learn-and-other-names too, and eyJ0 begins a token",
    "Call +49 30 1234567890 or 4111 1111 1111 1111; ISBN 9783161484100",
    "SKU-2024-0001, glpat, ghp_, xoxb- and npm_ are prefixes; ratio 123456789:1",
    "ya29 and M.A.B.C. 'hello world' — größer, 你好，世界, привет 🙂",
    "",
]


@pytest.mark.parametrize(("kind", "text"), EVERY)
def test_every_kind_of_secret_is_found_and_named_and_taken_out(kind: str, text: str) -> None:
    for around in ("{}", "Mind this: {} (from Ann)", "a\n{}\nb", "key `{}`"):
        whole = around.format(text)
        kinds = {one.kind for one in screen(whole)}
        assert kind in kinds, whole
        clean = redacted(whole, screen(whole))
        assert f"[redacted: {kind}]" in clean
        assert screen(clean) == ()


@pytest.mark.parametrize("text", ASSIGNED)
def test_what_is_named_as_a_password_is_one(text: str) -> None:
    found = screen(text)
    assert [one.kind for one in found] == ["password"]
    clean = redacted(text, found)
    assert "Tr0ub" not in clean
    assert screen(clean) == ()


@pytest.mark.parametrize("text", HARMLESS)
def test_ordinary_text_holds_none(text: str) -> None:
    assert [text[one.start : one.end] for one in screen(text)] == []


def test_an_aws_secret_is_known_by_its_company() -> None:
    secret = drawn(40, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    for text in (f"aws_secret_access_key = {secret}", f"AK{'IA' + 'Q' * 15 + '7'} {secret}"):
        assert "aws_secret_key" in {one.kind for one in screen(text)}


def test_a_finding_holds_no_character_of_the_secret() -> None:
    for _, text in EVERY:
        for one in screen(text):
            secret = text[one.start : one.end]
            shown = f"{one!r} {one}"
            assert secret not in shown
            assert not any(secret[at : at + 8] in shown for at in range(len(secret) - 8))


def test_a_private_key_is_taken_out_whole() -> None:
    for text in FAKES["private_key"][:9]:
        clean = redacted(f"see\n{text}\nthere", screen(f"see\n{text}\nthere"))
        assert clean == "see\n[redacted: private_key]\nthere"


def test_the_text_after_a_key_without_an_end_is_kept() -> None:
    text = block("PRIVATE " + "KEY", end=False) + "\nand this is what Ann said about it"
    assert redacted(text, screen(text)).endswith("\nand this is what Ann said about it")


def test_where_two_kinds_meet_all_of_both_goes() -> None:
    token = FAKES["github_token"][0]
    text = f"password={token}+tail9 https://x:{token}@github.example/"
    found = screen(text)
    assert [one.kind for one in found] == ["github_token", "github_token"]
    assert redacted(text, found) == (
        "password=[redacted: github_token] https://x:[redacted: github_token]@github.example/"
    )


@given(st.lists(st.sampled_from([text for _, text in EVERY] + ASSIGNED + HARMLESS)), st.randoms())
def test_findings_are_in_order_and_apart_and_what_is_left_is_clean(
    texts: list[str], chance: random.Random
) -> None:
    text = "".join(each + chance.choice([" ", "\n", ", ", ". "]) for each in texts)
    found = screen(text)
    edges = [0, *(edge for one in found for edge in (one.start, one.end)), len(text)]
    assert edges == sorted(edges)
    assert all(one.start < one.end for one in found)
    assert screen(redacted(text, found)) == ()


@given(st.text(max_size=300))
def test_any_text_can_be_screened(text: str) -> None:
    assert redacted(text, ()) == text
    redacted(text, screen(text))


TOKEN = FAKES["github_token"][0]
METADATA: dict[str, Any] = {
    "title": f"use {TOKEN}",
    "tags": ["fine", TOKEN],
    "deep": {"list": [{"x": [1, None, True, TOKEN]}], "db password": "Tr0ub4dor&3"},
    "client_secret": "Tr0ub4dor&3",
    "passwords": ["plain words", "another"],
    "note": "nothing",
    TOKEN: 1,
    "with " + TOKEN: {"inner": TOKEN},
}


def test_json_is_screened_in_every_corner_and_names_count_for_values() -> None:
    found = screen_json(METADATA)
    assert [(path, one.kind) for path, one in found] == [
        ("$.title", "github_token"),
        ("$.tags[1]", "github_token"),
        ("$.deep.list[0].x[3]", "github_token"),
        ('$.deep["db password"]', "password"),
        ("$.client_secret", "password"),
        ('$["[redacted: github_token]"]', "github_token"),
        ('$["with [redacted: github_token]"]', "github_token"),
        ('$["with [redacted: github_token]"].inner', "github_token"),
    ]
    assert TOKEN not in repr(found)
    assert "in the name of a member" in found[5][1].hint


def test_json_without_its_secrets_is_otherwise_the_same() -> None:
    clean: Any = redacted_json(METADATA)
    assert screen_json(clean) == ()
    assert TOKEN not in json.dumps(clean)
    assert clean["title"] == "use [redacted: github_token]"
    assert clean["deep"]["list"][0]["x"] == [1, None, True, "[redacted: github_token]"]
    assert clean["passwords"] == METADATA["passwords"]
    assert clean["[redacted: github_token]"] == 1
    assert len(clean) == len(METADATA)
    assert redacted_json(clean) == clean


def test_two_secret_names_stay_two_names() -> None:
    one, other = FAKES["github_token"][:2]
    clean: Any = redacted_json({one: 1, other: 2, "[redacted: github_token]": 3})
    assert sorted(clean.values()) == [1, 2, 3]
    assert one not in clean
    assert other not in clean


def test_a_string_or_a_list_is_json_too() -> None:
    assert [path for path, _ in screen_json(TOKEN, "$.content")] == ["$.content"]
    assert [path for path, _ in screen_json(("a", TOKEN), "$.tags")] == ["$.tags[1]"]
    assert redacted_json([TOKEN]) == ["[redacted: github_token]"]
    assert redacted_json(7) == 7


def test_our_own_pages_and_sources_hold_no_secret() -> None:
    pages = [
        path
        for where in ("docs", "proto", "aimem_node", "aimem_sync", "cluster-configs")
        for path in (ROOT / where).rglob("*")
        if path.suffix in {".md", ".proto", ".py", ".toml", ".yaml", ".service"}
    ]
    assert len(pages) > 100
    found = [
        f"{page.relative_to(ROOT)}: {one} {text[one.start : one.end]}"
        for page in [ROOT / "README.md", *pages]
        for text in [page.read_text(encoding="utf-8")]
        for one in screen(text)
    ]
    assert found == []


WORDS = st.sampled_from(
    [*(text for texts in FAKES.values() for text in texts), *ASSIGNED, "plain prose", "password",
     "api_key", "ssh-rsa", "-----BEGIN CERTIFICATE-----", "-----END ", "https://a.example/b",
     "sha256:", "key", "= "]
)  # fmt: skip
VALUES = st.recursive(
    WORDS | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300)
@given(VALUES)
def test_the_quick_look_never_passes_over_what_the_close_one_finds(value: Any) -> None:
    if list(_walk(value, "$", "")):
        assert is_suspect(value)


def test_plain_prose_needs_no_closer_look() -> None:
    said = {"title": "Deploys", "content": "On Tuesdays, Ann has the key and a token of thanks."}
    assert not is_suspect({"body": {**said, "metadata": {"topic": "releases"}}, "tags": ["ops"]})


@pytest.mark.parametrize(("name", "most"), [("title", 512), ("content", 65_536), ("tags", 128)])
def test_what_is_redacted_is_still_no_longer_than_it_may_be(name: str, most: int) -> None:
    value = ("password=hunter22x " * 4_000)[:most].strip()
    clean: Any = redacted_json({name: [value] if name == "tags" else value})
    [told] = clean[name] if name == "tags" else [clean[name]]
    assert "hunter22x" not in told
    assert len(told.encode()) <= most


def test_where_there_is_room_a_redacted_text_says_of_what_kind_it_was() -> None:
    assert redacted_json({"content": "x " * 400 + "password=hunter22x"}) == {
        "content": "x " * 400 + "password=[redacted: password]"
    }
