"""Input meant to harm: names that look like something else, and values beyond any bound."""

from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from tests.surfaces.ways import Running

ODD_IDS = ["../../etc/passwd", "/etc/passwd", "a/../../aimem.db", "%2e%2e%2f", "~", "$HOME", "a\tb",
           "*", "'; DROP TABLE memory; --", "con", "..", "."]  # fmt: skip


@pytest.mark.parametrize("record_id", ODD_IDS)
def test_an_id_that_looks_like_a_path_is_only_an_id(way: Any, record_id: str) -> None:
    with pytest.raises(Failure) as caught:
        way.call("Get", id=record_id)
    assert caught.value.code in (Code.NOT_FOUND, Code.INVALID_ARGUMENT)


def test_an_imported_id_that_looks_like_a_path_touches_no_file(
    running: Running, place: str
) -> None:
    before = sorted(file.name for file in running.data_dir.rglob("*"))
    for number, record_id in enumerate(ODD_IDS):
        record = {"id": record_id, "title": f"t{number}", "content": "c", "namespace": place}
        running.call("Import", memories=[record])
        assert running.call("Get", id=record_id)["memory"]["id"] == record_id
        running.call("Delete", id=record_id)
    assert sorted(file.name for file in running.data_dir.rglob("*")) == before


@pytest.mark.parametrize("namespace", ["/a", "a//b", "a/../b", "a b", "a\\b"])
def test_a_namespace_pattern_that_names_nothing_is_refused(way: Any, namespace: str) -> None:
    with pytest.raises(Failure) as caught:
        way.call("List", namespace=namespace)
    assert (caught.value.code, caught.value.path) == (Code.INVALID_ARGUMENT, "$.namespace")


def test_wildcards_of_the_database_are_plain_letters(way: Any, place: str) -> None:
    for name in ("a_b", "axb", "a%b"):
        way.call("Store", title="t", content="c", namespace=f"{place}/{name}")
    assert way.call("List", namespace=f"{place}/a_b/*")["count"] == 1
    assert way.call("GetTaxonomy", namespace_prefix=f"{place}/a_b")["total_count"] == 1
    assert way.call("Forget", namespace=f"{place}/a%b", dry_run=True)["would_delete"] == 1
