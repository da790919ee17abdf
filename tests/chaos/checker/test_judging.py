"""Good histories pass, and each kind of harm is noticed by the checks that are meant for it."""

from __future__ import annotations

import copy
from functools import cache
from random import Random

import pytest

from chaos.checker import LEFT_OUT, Check, judge, parsed, table
from tests.chaos.checker.bad import BAD, ONCE, Bad, ask, states, untouched
from tests.chaos.checker.good import NAMES, Files, history

SEEDS = range(3)


@cache
def _good(seed: int) -> Files:
    return history(seed)


def good(seed: int) -> Files:
    """A good run's files, to be spoilt."""
    return copy.deepcopy(_good(seed))


def failing(files: Files) -> list[Check]:
    return [check for check in judge(parsed(files)) if not check.holds]


@pytest.mark.parametrize("seed", range(12))
def test_a_run_in_which_nothing_is_wrong_passes_every_check(seed: int) -> None:
    checks = judge(parsed(history(seed)))
    assert all(check.holds for check in checks), table(checks)
    assert LEFT_OUT not in {check.name for check in checks}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("harm", BAD, ids=[one.what for one in BAD])
def test_each_harm_is_noticed_by_the_checks_meant_for_it_and_by_no_other(
    harm: Bad, seed: int
) -> None:
    files = good(seed)
    harm.spoil(files, Random(seed))
    found = failing(files)
    for letter in harm.noticed_by:
        assert any(letter in check.name for check in found), f"{letter} was not noticed"
    others = [c for c in found if not any(letter in c.name for letter in harm.noticed_by)]
    assert not others, table(others)


def test_every_check_has_a_harm_that_it_alone_notices() -> None:
    alone = {letter for harm in BAD if len(harm.noticed_by) == 1 for letter in harm.noticed_by}
    names = {check.name for check in judge(parsed(good(0)))} - {LEFT_OUT}
    without = {name for name in names if not any(letter in name for letter in alone)}
    # Whoever lost an op for good has lost it for set-full as well, and unequal nodes cannot all be
    # what the logs say.
    assert {name[:3] for name in without} == {"(g)", "(c)", "(d)"}
    assert len(without) == 3


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cluster_that_forgets_request_keys_is_noticed(seed: int) -> None:
    found = failing(history(seed, forgets_keys=True))
    assert any(ONCE in check.name for check in found)


def test_a_refusal_does_not_take_back_what_an_earlier_attempt_has_done() -> None:
    files = good(0)
    key = untouched(files)
    idem = next(e["idem"] for e in files["history.jsonl"] if e.get("key") == key and "idem" in e)
    ask(files, {"f": "put", "key": key, "idem": idem, "value": None}, {"type": "fail"})
    assert failing(files) == []


def test_who_only_waits_for_a_write_need_not_be_told_again_which_record_it_made() -> None:
    files = good(0)
    key = untouched(files)
    told = next(e for e in files["history.jsonl"] if e["type"] == "ok" and e.get("key") == key)
    asked = next(e for e in files["history.jsonl"] if e["i"] == told["of"])
    told["type"] = "info"
    again = {"f": "put", "key": asked["key"], "idem": asked["idem"], "value": None}
    ask(files, again, {"type": "ok", "key": asked["key"], "write_ids": told["write_ids"]})
    assert failing(files) == []


def test_a_read_that_fails_in_words_is_no_stale_read() -> None:
    files = good(0)
    key = untouched(files)
    read = {"f": "read", "key": key, "value": {"get": key}}
    ask(files, read, {"type": "fail", "err": "UNAVAILABLE"})
    assert failing(files) == []


def test_recalls_of_a_node_that_was_killed_may_be_lost() -> None:
    files = good(0)
    recalled = [e for e in files["history.jsonl"] if e["f"] == "count" and e["type"] == "ok"]
    for event in recalled:
        event["node"] = "b"
    for state in states(files):
        for line in state[1:]:
            line["access_count"] = 0
    assert failing(files) == []


def test_what_a_restored_disk_confirms_is_not_held_against_its_newer_one() -> None:
    files = good(0)
    acks = files["acks.a.jsonl"]
    last = max((line for line in acks if "seq" in line), key=lambda line: line["seq"])
    acks.append({**last, "t_ns": last["t_ns"] + 5, "seq": 1})
    for phase, more in (("begin", 1), ("end", 9), ("healed", 10), ("level", 11)):
        files["faults.jsonl"].append(
            {"i": 0, "t_ns": last["t_ns"] + more, "fault": "old-backup", "phase": phase,
             "nodes": ["a"], "detail": {}}
        )  # fmt: skip
    assert [c.name for c in failing(files) if "I3" in c.name] == []


def test_a_real_run_without_confirmations_on_file_does_not_pass() -> None:
    files = good(0)
    for name in NAMES:
        del files[f"acks.{name}.jsonl"]
    assert sorted(check.name[-5:] for check in failing(files)) == [" (I3)", " (I4)", "(I12)"]


def test_a_simulated_run_without_them_passes_and_says_what_was_not_looked_at() -> None:
    files = good(0)
    for event in files["history.jsonl"]:
        event["via"] = "sim"
    for name in NAMES:
        del files[f"acks.{name}.jsonl"]
        del files[f"state.{name}.jsonl"][0]["traffic"]
    checks = judge(parsed(files))
    assert all(check.holds for check in checks), table(checks)
    assert (checks[-1].name, checks[-1].tried) == (LEFT_OUT, 4)
    assert all(word in checks[-1].note for word in ("I3", "I4", "I12", "I17"))


def test_a_record_whose_text_was_erased_is_left_to_the_other_checks_and_counted() -> None:
    files = good(0)
    record = files["log.a.jsonl"][0]["record"]
    for name in NAMES:
        for op in files[f"log.{name}.jsonl"]:
            if op["record"] == record:
                op["body"] = None
    checks = judge(parsed(files))
    fold = next(check for check in checks if check.name.startswith("(d) it is"))
    assert fold.holds
    assert "1 not" in fold.note


def test_a_node_that_has_its_past_from_a_snapshot_lacks_nothing() -> None:
    files = good(0)
    log = files["log.c.jsonl"]
    log[:] = [op for op in log if op["seq"] > 20]
    assert failing(files) == []


def test_what_no_log_has_any_more_is_not_replayed_and_that_is_said() -> None:
    files = good(0)
    for name in NAMES:
        log = files[f"log.{name}.jsonl"]
        log[:] = [op for op in log if op["seq"] > 20]
    checks = judge(parsed(files))
    assert checks[-1].name == LEFT_OUT
    assert "the fold" in checks[-1].note


def test_what_a_vote_left_is_found_by_its_ops_and_not_by_its_key() -> None:
    files = good(0)
    op = files["log.a.jsonl"][0]
    told = {"f": "vote", "key": "what was asked", "idem": "vote", "value": {"ask": "it"}}
    ask(files, told, {"write_ids": [f"{op['origin']}:{op['seq']}"], "w": 2})
    assert failing(files) == []
    for state in states(files):
        state[:] = [line for line in state if line.get("id") != op["record"]]
    [first, *_] = failing(files)
    assert first.name.startswith("(a)")
    assert any(one.startswith("vote what was asked") for one in first.broken)
