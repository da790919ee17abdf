"""Markdown: a memory for each section below a top heading."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_node.contract.times import read_time
from aimem_node.gateways.cli.mining import markdown
from tests.aimem_node.gateways.cli.mining.reading import read

NOTE = """---
title: "Runbook"
tags: [ops, 'on call']
date: 2025-03-01
owner: ann
aliases:
  - one
  - two
---
Before all headings.

# Deploy

On Tuesdays.

## Detail

```sh
# no heading
```

# Restore

Carefully.
"""


def test_sections_of_the_highest_level_are_memories(tmp_path: Path) -> None:
    (tmp_path / "ops").mkdir()
    (tmp_path / "ops" / "run.md").write_text(NOTE)
    found, unfit = read(markdown.find, tmp_path)
    assert [one.title for one in found] == ["Runbook", "Deploy", "Restore"]
    assert "# no heading" in found[1].text
    assert "## Detail" in found[1].text
    assert found[1].where == "ops/run.md#Deploy"
    assert found[0].tags == ("ops", "on call")
    assert found[0].at_us == read_time("2025-03-01T00:00:00Z")
    assert found[0].metadata["owner"] == "ann"
    assert found[0].metadata["aliases"] == ["one", "two"]
    assert unfit == []


@given(st.lists(st.sampled_from(["# A", "## B", "text", "```", "", "~~~~", "# A #", "#no"])))
def test_no_line_of_a_text_is_lost_or_doubled(rows: list[str]) -> None:
    text = "\n".join(rows)
    parts = [part.text for part in markdown.sections(text)]
    assert "\n".join(parts if parts[0] else parts[1:] or [""]) in (text, "\n" + text, text[1:])
    assert sum(part.count("text") for part in parts) == text.count("text")


def test_two_sections_of_one_name_stay_two(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# X\none\n# X\ntwo\n")
    found, _ = read(markdown.find, tmp_path)
    assert len({one.key for one in found}) == 2


def test_a_file_without_headings_is_one_memory_under_its_name(tmp_path: Path) -> None:
    (tmp_path / "shopping list.md").write_text("milk\n")
    (tmp_path / "empty.md").write_text("\n")
    (tmp_path / "other.txt").write_text("not this")
    [found], [left] = read(markdown.find, tmp_path)
    assert (found.title, found.text) == ("shopping list", "milk\n")
    assert (left.where, left.broken) == ("empty.md", False)


@pytest.mark.parametrize("text", ["---\nno end\n", "--- \nx\n---\n", "a\n---\nb: c\n---\n"])
def test_what_only_looks_like_front_matter_is_text(text: str) -> None:
    assert markdown.front_matter(text) == ({}, text)


@given(st.text("-: \nab[]\"',|>#", max_size=60))
def test_any_front_matter_is_read_without_a_fault(text: str) -> None:
    markdown.front_matter("---\n" + text + "\n---\nbody")
