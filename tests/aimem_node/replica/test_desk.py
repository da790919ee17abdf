"""What lies on the plane's desk: things that came in one moment leave it together."""

import asyncio

from aimem_node.replica.desk import Together


def test_what_comes_in_one_turn_of_the_loop_is_handed_on_once_and_in_order() -> None:
    async def scene() -> list[tuple[int, ...]]:
        told: list[tuple[int, ...]] = []
        together: Together[int] = Together(lambda *given: told.append(given))
        together.add(1)
        together.add(2)
        assert told == []
        await asyncio.sleep(0)
        together.add(3)
        await asyncio.sleep(0)
        return told

    assert asyncio.run(scene()) == [(1, 2), (3,)]


def test_what_is_handed_on_early_is_not_handed_on_again() -> None:
    async def scene() -> list[tuple[int, ...]]:
        told: list[tuple[int, ...]] = []
        together: Together[int] = Together(lambda *given: told.append(given))
        together.add(1)
        together.hand_on()
        together.hand_on()
        await asyncio.sleep(0)
        return told

    assert asyncio.run(scene()) == [(1,)]
