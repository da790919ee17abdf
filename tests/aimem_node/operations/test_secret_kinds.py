"""The rules for secrets: what each finds, and that none of them can run away."""

import re
from re import _constants as sre
from re import _parser as parser
from typing import Any

import pytest

from aimem_node.operations import entropy, secret_kinds
from aimem_node.operations.secret_kinds import (
    RULES,
    is_placeholder,
    is_real_value,
    is_secret_name,
)
from tests.aimem_node.operations.pattern_steps import Steps
from tests.aimem_node.operations.secret_fakes import ASSIGNED, FAKES

PATTERNS = {
    **{f"{rule.kind} {index}": rule.pattern for index, rule in enumerate(RULES)},
    "named": secret_kinds.NAMED,
    "login": secret_kinds.URL_LOGIN,
    "run": entropy._RUN,
    "url": entropy._URL,
    "block": entropy._BLOCK,
}
SEEDS = [
    "a", "A1", "-", "=", ".", " ", "\n", "/", ":", "a:", "a: ", "a.", "'", '"', "\\n", "\\",
    "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\na: b\n",
    "-----BEGIN A-----x", "eyJ", "eyJaaaaaaaa.", "https://", "a://b:c@", "token:", "token = ",
    "api key is ", "--password ", "password='", "bearer ", "Authorization: Basic ", "twilio ",
    '"private_key": "-----BEGIN PRIVATE KEY-----', "Private-Lines: 1\n",
]  # fmt: skip
SIZE = 400
GROWTH_MAX = 2.8
"""For a text twice as long. Two is linear with an edge or two; a square would be nearly four."""
STEPS_PER_CHAR_MAX = 1_100
"""No pattern reads further than about this from most of its starts."""


def hostile(pattern: re.Pattern[str]) -> list[str]:
    own = [rule.needles for rule in RULES if rule.pattern is pattern]
    needles = [needle for each in own for needle in each]
    shouted = [needle.upper() for needle in needles]
    bodies = [f"{needle}{body}" for needle in needles + shouted for body in ("", "aA1", "-")]
    return [*SEEDS, *bodies, *(needle.title() for needle in needles)]


@pytest.mark.parametrize("name", PATTERNS)
def test_a_hostile_text_twice_as_long_takes_twice_the_steps(name: str) -> None:
    pattern = PATTERNS[name]
    for seed in hostile(pattern):
        counts = []
        for size in (SIZE, 2 * SIZE):
            steps = Steps(pattern, (seed * size)[:size])
            assert steps.spans() == [
                found.span() for found in pattern.finditer((seed * size)[:size])
            ], seed
            counts.append(steps.count)
        assert counts[1] <= GROWTH_MAX * counts[0] + 50, (seed, counts)
        assert counts[1] <= STEPS_PER_CHAR_MAX * 2 * SIZE, (seed, counts)


def test_the_counter_of_steps_would_notice_a_pattern_that_runs_away() -> None:
    runaway = re.compile(r"eyJ[A-Za-z0-9]+\.")
    few, many = (Steps(runaway, "eyJ" * count) for count in (100, 200))
    assert few.spans() == many.spans() == []
    assert many.count > 3.5 * few.count


def repeats(ops: Any) -> list[tuple[Any, int]]:
    """Every repeat in a parsed pattern: its kind and how often at most."""
    found: list[tuple[Any, int]] = []
    for op, argument in ops:
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            found.append((op, argument[1]))
            found += repeats(argument[2])
        elif op is sre.SUBPATTERN:
            found += repeats(argument[3])
        elif op is sre.BRANCH:
            found += [one for branch in argument[1] for one in repeats(branch)]
        elif op in (sre.ASSERT, sre.ASSERT_NOT):
            found += repeats(argument[1])
    return found


@pytest.mark.parametrize("pattern", [*PATTERNS.values(), secret_kinds.VALUE])
def test_what_may_be_given_back_is_short_and_what_is_long_is_never_given_back(
    pattern: re.Pattern[str],
) -> None:
    for kind, most in repeats(parser.parse(pattern.pattern, pattern.flags)):
        assert kind is sre.POSSESSIVE_REPEAT or most <= 80
        assert most <= 65_536 or pattern is entropy._RUN


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_every_rule_finds_its_fakes_and_has_a_needle_in_each(rule: Any) -> None:
    found = [text for text in FAKES.get(rule.kind, []) if rule.pattern.search(text)]
    if rule.kind == "aws_secret_key":  # needs its context; see the tests of the screen
        return
    assert found, f"no fake of kind {rule.kind}"
    assert all(any(needle in text.lower() for needle in rule.needles) for text in found)


@pytest.mark.parametrize(
    "name",
    ["password", "db_password", "dbPassword", "X-Api-Key", "clientSecret", "AWS_SECRET_ACCESS_KEY",
     "token", "auth.token", "api key", "PGPASSWORD", "credentials"],
)  # fmt: skip
def test_names_that_announce_a_secret(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    ["secretary", "tokens", "page_token", "next_token", "causal_token", "monkey", "key",
     "password_hash", "secret_sha256", "public_key_token", "max_tokens", "keyboard", "passage"],
)  # fmt: skip
def test_names_that_do_not(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "value",
    ["<password>", "${PASSWORD}", "$DB_PASS", "{{ secret }}", "********", "your-token-here1",
     "changeme1", "example-key-1", "[redacted: password]", "xxxxxxxx1", "password1", "%SECRET%"],
)  # fmt: skip
def test_what_stands_for_a_secret_is_none(value: str) -> None:
    assert is_placeholder(value)
    assert not is_real_value(value, after_password=True)


@pytest.mark.parametrize(
    "value",
    ["yesterday", "os.environ1", "get_password(1)", "self.password1", "/run/secrets/db1", "v2.1.0",
     "2024-05-01T10:00", "sha256:0123", "test_password1", "Ed25519PrivateKey", "#dcdccc",
     "unchanged!", "correct horse 7", "a1b2"],
)  # fmt: skip
def test_words_names_and_references_are_no_secrets(value: str) -> None:
    assert not is_real_value(value)


def test_a_password_may_look_like_a_word_with_a_number_a_key_may_not() -> None:
    assert is_real_value("summer24", after_password=True)
    assert not is_real_value("summer24")
    assert is_real_value("83920174", after_password=True)
    assert not is_real_value("83920174")


def test_the_named_ones_are_read_in_every_spelling() -> None:
    for text in ASSIGNED:
        assert any(
            is_secret_name(found["name"] or found["flag"])
            for found in secret_kinds.NAMED.finditer(text)
        ), text
