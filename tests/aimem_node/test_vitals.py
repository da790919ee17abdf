"""What a running node tells of itself."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aimem_node import vitals
from aimem_node.store.schema import SCHEMA
from tests.harness import Harness


def test_what_a_node_takes_up_is_measured_where_it_is(node: Harness) -> None:
    node.store("t")
    facts = vitals.files(node.data_dir)
    assert facts.db_bytes == Path(node.core.store.path).stat().st_size
    assert facts.wal_bytes > 0
    assert facts.free_bytes > 0
    assert facts.schema == SCHEMA
    assert facts.resident_bytes > os.sysconf("SC_PAGE_SIZE")


def test_a_disk_error_says_more_than_a_fence() -> None:
    def state(failed: str, fenced: str) -> tuple[str, str]:
        store: Any = SimpleNamespace(failed=failed)
        plane: Any = SimpleNamespace(core=SimpleNamespace(fenced=fenced))
        return vitals.state(store, plane)

    assert state("", "") == ("serving", "")
    assert state("", "copied") == ("fenced", "copied")
    assert state("broken", "copied") == ("failed", "broken")
