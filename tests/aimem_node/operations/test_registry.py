"""Which function means which operation: no gap can reach a caller."""

import pytest

from aimem_node.contract.operations import OPERATIONS, Effect
from aimem_node.operations import everything, registry  # noqa: F401  everything fills the tables


def test_every_operation_of_the_contract_has_exactly_one_answer() -> None:
    registry.check_complete()
    answers = [*registry.HANDLERS, *registry.STREAMERS, *registry.WAITERS, *registry.OFFLINE]
    assert sorted(answers) == sorted(OPERATIONS)


def test_streams_answer_those_that_stream_and_no_others() -> None:
    assert set(registry.STREAMERS) == {n for n, one in OPERATIONS.items() if one.streaming}


def test_a_missing_handler_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(registry.HANDLERS, "Store")
    with pytest.raises(RuntimeError, match="Store"):
        registry.check_complete()


def test_a_handler_of_no_operation_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.HANDLERS, "Fly", lambda _call, _request: None)
    with pytest.raises(RuntimeError, match="Fly"):
        registry.check_complete()


@pytest.mark.parametrize("table", ["STREAMERS", "WAITERS"])
def test_a_write_outside_a_transaction_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    assert OPERATIONS["Store"].effect == Effect.WRITE
    monkeypatch.setitem(getattr(registry, table), "Store", lambda _call, _request: None)
    with pytest.raises(RuntimeError, match="Store"):
        registry.check_complete()


def test_a_handler_is_registered_under_what_its_name_spells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "HANDLERS", {})

    @registry.operation
    def get_taxonomy_(_call: object, _request: object) -> None: ...

    assert dict(registry.HANDLERS) == {"GetTaxonomy": get_taxonomy_}


def test_only_writes_have_something_added_afterwards() -> None:
    assert all(OPERATIONS[name].effect == Effect.WRITE for name in registry.AFTERS)
