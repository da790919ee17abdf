"""What a subscription means: from where it is told, of what, and what nonsense reads as."""

from dataclasses import replace
from typing import Any

import pytest

from aimem_node.operations import telling
from aimem_node.replica.subscribed import Page, Subscribed
from aimem_sync.cursor import Cursor
from aimem_sync.display import Display
from tests.harness import Harness

URL = "https://hooks.example.com/"


def see(node: Harness, read: Any) -> Any:
    return node.core.store.readers.submit(read, 5_000).result()


def one_of(node: Harness) -> Subscribed:
    (one,) = see(node, telling.all_standing)
    return one


def page(node: Harness, one: Subscribed, told: Cursor | None = None) -> Page:
    told = one.told if told is None else told

    def read(view: Any) -> Page | None:
        return telling.page(view, one, one.told, told, telling.begin(view, told))

    found = see(node, read)
    assert isinstance(found, Page)
    return found


def test_it_is_told_from_the_moment_at_which_it_was_made(node: Harness) -> None:
    node.store("before")
    node.call("Subscribe", url=URL, events="memory_stored")
    after = node.store("after")
    found = page(node, one_of(node))
    assert [one.body["memory_id"] for one in found.deliveries] == [after]
    assert found.is_last
    assert found.told == see(node, lambda view: view.have())


def test_a_place_in_the_log_is_found_again_from_the_cursor_alone(node: Harness) -> None:
    node.call("Subscribe", url=URL, events="memory_stored")
    one = one_of(node)
    ids = [node.store(f"n{at}") for at in range(5)]
    first = page(node, one).deliveries
    assert first[1].dot is not None
    told = one.told.merge(Cursor({first[1].dot.origin: first[1].dot.seq}))
    assert [d.body["memory_id"] for d in page(node, one, told).deliveries] == ids[2:]
    level = see(node, lambda view: view.have())
    assert see(node, lambda view: telling.begin(view, level)) == see(
        node, lambda view: view.last_pos()
    )


def test_a_delivery_has_one_name_however_often_it_is_made(node: Harness) -> None:
    node.call("Subscribe", url=URL)
    node.store("a")
    one = one_of(node)
    names = {delivery.id for _ in range(3) for delivery in page(node, one).deliveries}
    assert len(names) == 1


def test_a_subscription_is_not_told_of_itself_nor_of_what_is_kept_of_its_progress(
    node: Harness,
) -> None:
    node.call("Subscribe", url=URL)
    assert page(node, one_of(node)).deliveries == ()


def test_whoever_went_back_or_ended_it_is_noticed_before_anything_is_told(node: Harness) -> None:
    node.store("before")
    subscription_id = node.call("Subscribe", url=URL)["id"]
    one = one_of(node)
    node.store("a")
    elsewhere = Cursor()
    assert one.told != elsewhere

    def ask(before: Cursor) -> Any:
        return see(node, lambda view: telling.page(view, one, before, one.told, 0))

    assert ask(one.told) is not None
    assert ask(elsewhere) is None
    node.call("Unsubscribe", id=subscription_id)
    assert ask(one.told) is None


@pytest.mark.parametrize(
    "values",
    [{}, {"said": 7, "sealed": [], "told": 1}, {"told": "nonsense", "said": {"url": None}}],
)
def test_what_a_later_version_wrote_otherwise_reads_as_nothing(values: dict[str, Any]) -> None:
    one = telling.subscribed("s", Display("subscription:s", "subscription", values=values))
    assert (one.id, one.sealed, one.told) == ("s", {}, Cursor())
    assert one.url == ""


@pytest.mark.parametrize("said", [{}, {"owner": "user:a@1"}, {"owner": 7, "place": ""}])
def test_a_subscription_of_which_nobody_knows_who_it_is_for_is_told_nothing(
    node: Harness, said: dict[str, Any]
) -> None:
    node.call("Subscribe", url=URL)
    one = one_of(node)
    node.store("t")
    assert page(node, one).deliveries
    assert not page(node, replace(one, said=said)).deliveries
