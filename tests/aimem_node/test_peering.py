"""Where a node is heard: nowhere, until it is asked; then at one place, and there again."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aimem_node import peering as peering_module
from aimem_node.config import Settings
from aimem_node.contract.errors import Failure
from aimem_node.main import Core
from aimem_node.peering import PLACE, Peering, no_detour
from aimem_node.replica import kept
from aimem_node.replica.identity import identity_dir
from chaos.team import free_port
from tests.harness import HandClock, SeededChance

HANG_S = 20
"""Reached only when something hangs."""
OWN = "192.0.2.7"
"""What this machine is said to be called in these tests."""


@pytest.fixture(autouse=True)
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peering_module, "own_host", lambda: OWN)
    monkeypatch.setattr(peering_module, "PEER_PORT", free_port())


def play(
    home: Path, scene: Callable[[Core, Peering], Awaitable[None]], *, begin: bool = True,
    **settings: Any,
) -> None:  # fmt: skip
    """One start of a node, up to its peering, and its end."""

    async def run() -> None:
        given = Settings(data_dir=home, name="a", embedder="off", **settings)
        core = await Core.start(home, HandClock(), SeededChance(), given)
        peering = Peering(core.cluster, given, HandClock(), SeededChance(), no_detour)
        try:
            async with asyncio.timeout(HANG_S):
                if begin:
                    await peering.start()
                await scene(core, peering)
        finally:
            await peering.stop()
            await core.stop()

    asyncio.run(run())


def place(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = kept.recall(Path(identity_dir(str(home))) / PLACE) or {}
    return found


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def is_heard(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def taken(port: int) -> Iterator[None]:
    """Somebody else listens there."""
    with socket.create_server(("0.0.0.0", port)):
        yield


def test_a_lone_node_opens_nothing_and_keeps_no_place(tmp_path: Path) -> None:
    async def scene(_core: Core, peering: Peering) -> None:
        assert peering.address == ""
        assert not is_heard(peering_module.PEER_PORT)

    play(tmp_path, scene)
    assert place(tmp_path) == {}


def test_it_chooses_a_port_when_it_is_asked_to_be_heard_and_tells_the_others(
    tmp_path: Path,
) -> None:
    async def scene(core: Core, peering: Peering) -> None:
        told = await core.cluster.listen("")
        assert told == peering.address == f"{OWN}:{peering_module.PEER_PORT}"
        assert is_heard(port_of(told))
        assert core.cluster.me.address == told
        assert await core.cluster.listen("") == told, "asked twice, it stays where it is"

    play(tmp_path, scene)
    assert place(tmp_path)["port"] == peering_module.PEER_PORT


def test_a_port_that_is_taken_is_passed_over(tmp_path: Path) -> None:
    async def scene(core: Core, _peering: Peering) -> None:
        with taken(peering_module.PEER_PORT):
            told = await core.cluster.listen("")
        assert port_of(told) == peering_module.PEER_PORT + 2, "new ones knock at the one between"

    play(tmp_path, scene)


def test_when_every_port_is_taken_the_failure_is_told_and_it_can_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peering_module, "PORTS_TRIED", 1)

    async def scene(core: Core, peering: Peering) -> None:
        with taken(peering_module.PEER_PORT), pytest.raises(Failure) as refused:
            await core.cluster.listen("")
        assert refused.value.definite
        assert str(peering_module.PEER_PORT) in refused.value.message
        assert peering.address == ""
        assert port_of(await core.cluster.listen("")) == peering_module.PEER_PORT

    play(tmp_path, scene)


def test_a_port_that_was_set_is_the_only_one_and_if_it_is_taken_the_start_says_so(
    tmp_path: Path,
) -> None:
    port = free_port()

    async def scene(_core: Core, peering: Peering) -> None:
        with taken(port), pytest.raises(Failure) as refused:
            await peering.start()
        assert refused.value.definite
        assert str(port) in refused.value.message

    play(tmp_path, scene, begin=False, peer=f"0.0.0.0:{port}")


def test_it_is_found_at_the_same_place_after_a_restart(tmp_path: Path) -> None:
    seen: list[str] = []

    async def first(core: Core, _peering: Peering) -> None:
        with taken(peering_module.PEER_PORT):
            seen.append(await core.cluster.listen(""))

    async def second(_core: Core, peering: Peering) -> None:
        seen.append(peering.address)
        assert is_heard(port_of(peering.address))

    play(tmp_path, first)
    play(tmp_path, second)
    assert seen[0] == seen[1]


def test_a_place_that_is_taken_at_the_next_start_is_not_given_up_silently(tmp_path: Path) -> None:
    async def first(core: Core, _peering: Peering) -> None:
        await core.cluster.listen("")

    async def second(_core: Core, peering: Peering) -> None:
        with taken(peering_module.PEER_PORT), pytest.raises(Failure) as refused:
            await peering.start()
        assert refused.value.definite

    play(tmp_path, first)
    play(tmp_path, second, begin=False)
    assert place(tmp_path)["port"] == peering_module.PEER_PORT


def test_an_address_that_was_given_is_told_and_remembered_before_anything_found(
    tmp_path: Path,
) -> None:
    given = f"lab-1.example:{free_port()}"

    async def first(core: Core, _peering: Peering) -> None:
        assert await core.cluster.listen(given) == given
        assert is_heard(port_of(given))
        assert await core.cluster.listen("") == given

    async def second(core: Core, peering: Peering) -> None:
        assert peering.address == given
        assert core.cluster.me.address == given

    play(tmp_path, first)
    play(tmp_path, second)
    assert place(tmp_path)["given"] is True


def test_what_was_found_is_found_anew_when_the_machine_is_called_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def first(core: Core, _peering: Peering) -> None:
        await core.cluster.listen("")

    async def second(core: Core, peering: Peering) -> None:
        assert peering.address == f"192.0.2.99:{peering_module.PEER_PORT}"
        told = asyncio.Event()
        core.plane.net.follow = lambda *_: told.set()  # type: ignore[method-assign]
        if core.cluster.me.address != peering.address:
            await told.wait()
        assert core.cluster.me.address == peering.address

    play(tmp_path, first)
    monkeypatch.setattr(peering_module, "own_host", lambda: "192.0.2.99")
    play(tmp_path, second)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"peer": "127.0.0.1:{port}"}, "127.0.0.1:{port}"),
        ({"peer": "0.0.0.0:{port}"}, OWN + ":{port}"),
        ({"peer": "0.0.0.0:{port}", "advertise": "lab.example:9"}, "lab.example:9"),
    ],
)
def test_what_is_told_follows_what_was_set(
    tmp_path: Path, settings: dict[str, str], told: str
) -> None:
    port = free_port()
    given = {name: value.format(port=port) for name, value in settings.items()}

    async def scene(_core: Core, peering: Peering) -> None:
        assert peering.address == told.format(port=port)
        assert is_heard(port)

    play(tmp_path, scene, **given)


def test_a_node_that_stops_is_heard_no_more(tmp_path: Path) -> None:
    ports: list[int] = []

    async def scene(core: Core, _peering: Peering) -> None:
        ports.append(port_of(await core.cluster.listen("")))

    play(tmp_path, scene)
    assert not is_heard(ports[0])


def test_another_key_is_shown_at_the_same_place(tmp_path: Path) -> None:
    async def scene(core: Core, peering: Peering) -> None:
        told = await core.cluster.listen("")
        await peering.reopen()
        assert peering.address == told
        assert is_heard(port_of(told))

    play(tmp_path, scene)


def test_a_damaged_note_of_the_place_is_no_reason_to_fail_silently(tmp_path: Path) -> None:
    async def first(core: Core, _peering: Peering) -> None:
        await core.cluster.listen("")

    async def second(_core: Core, peering: Peering) -> None:
        with pytest.raises(Failure):
            await peering.start()

    play(tmp_path, first)
    note = Path(identity_dir(str(tmp_path))) / PLACE
    assert json.loads(note.read_bytes())
    note.write_bytes(b"{")
    play(tmp_path, second, begin=False)
