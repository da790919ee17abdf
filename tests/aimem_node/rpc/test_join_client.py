"""Over real TLS: the right machine is spoken to, or nothing is said at all."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import grpc
import pytest

from aimem_node.clocks import SystemChance
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.handshake import Begin, Prove
from aimem_node.replica.identity import Identity
from aimem_node.replica.line import parse_line
from aimem_node.rpc.grpc_failures import FAILURE_KEY
from aimem_node.rpc.join_client import JoinDoor, failure_of, shown_certificate
from aimem_node.rpc.join_server import JoinServer
from tests.aimem_node.rpc.join_stage import RealPair, play


def test_a_machine_joins_over_tls_from_the_line_to_a_voter(tmp_path: Path) -> None:
    async def scene(pair: RealPair) -> None:
        pair.on_pause = pair.promote
        await pair.joining.begin(line=await pair.line())
        await pair.finish()
        done = pair.joining.progress()
        assert (done.step, done.failure) == ("voter", "")
        assert pair.new.history == pair.old.history
        assert pair.new.proofs == pair.old.proofs
        assert len(pair.new.config.voters) == 2

    play(tmp_path, scene)


def test_a_machine_that_knocks_joins_over_tls_once_it_is_approved(tmp_path: Path) -> None:
    async def scene(pair: RealPair) -> None:
        await pair.line()

        def nod() -> None:
            pair.promote()
            if pair.office.knocks() and not pair.beside:
                approve = pair.office.approve(pair.new.identity.fingerprint[:8])
                pair.beside.append(asyncio.create_task(approve))

        pair.on_pause = nod
        await pair.joining.begin(
            knock=f"127.0.0.1:{pair.server.port}",
            fingerprint=pair.old.identity.fingerprint,
        )
        await pair.finish()
        assert pair.joining.progress().step == "voter"

    play(tmp_path, scene)


def test_a_sponsor_that_restarts_is_found_again_and_knows_the_machine(tmp_path: Path) -> None:
    async def scene(pair: RealPair) -> None:
        line = await pair.line()
        pair.old.refuses = [Failure(Code.UNAVAILABLE, "no majority has answered")]
        port, restarts = pair.server.port, 0

        def restart() -> None:
            nonlocal restarts
            pair.promote()
            if restarts == 0:
                restarts += 1
                pair.beside = [asyncio.create_task(again())]

        async def again() -> None:
            await pair.server.close()
            pair.office = pair.make_office()
            pair.server.admission = pair.office
            await pair.server.open("127.0.0.1", port)

        pair.on_pause = restart
        await pair.joining.begin(line=line)
        await pair.finish()
        assert pair.joining.progress().failure == ""
        assert pair.joining.progress().step == "voter"
        assert restarts == 1
        assert pair.old.config.epoch == 3

    play(tmp_path, scene)


def test_another_machine_at_the_address_hears_nothing(tmp_path: Path) -> None:
    async def scene(pair: RealPair) -> None:
        line = await pair.line()
        port = pair.server.port
        await pair.server.close()
        stranger = Identity.load_or_create(str(tmp_path / "stranger"), SystemChance())
        pair.server = JoinServer(lambda: stranger, pair.real_clock)
        pair.server.admission = pair.office
        assert await pair.server.open("127.0.0.1", port) == port
        await pair.joining.begin(line=line)
        await pair.finish()
        told = pair.joining.progress()
        assert told.step == "failed"
        assert "is not the one that was meant" in told.failure
        assert stranger.fingerprint[:16] in told.failure
        assert "Nothing was sent" in told.next
        assert pair.office._new == {}

    play(tmp_path, scene)


def test_the_first_address_that_shows_the_right_certificate_is_taken(tmp_path: Path) -> None:
    async def scene(pair: RealPair) -> None:
        line = parse_line(await pair.line())
        stranger = Identity.load_or_create(str(tmp_path / "stranger"), SystemChance())
        other = JoinServer(lambda: stranger, pair.real_clock)
        other_port = await other.open("127.0.0.1", 0)
        closed = "127.0.0.1:1"
        sponsor = await JoinDoor().open(
            [closed, f"127.0.0.1:{other_port}", *line.addresses], line.fingerprint
        )
        assert sponsor.certificate == pair.old.identity.certificate
        assert sponsor.address == line.addresses[0]
        await sponsor.close()
        with pytest.raises(Failure) as caught:
            await JoinDoor().open([closed, f"127.0.0.1:{other_port}"], line.fingerprint)
        assert caught.value.code is Code.PERMISSION_DENIED
        await other.close()

    play(tmp_path, scene)


def test_nobody_at_the_address_is_said_with_the_reason_for_each(tmp_path: Path) -> None:
    async def scene(pair: RealPair) -> None:
        async def rude(_: Any, writer: asyncio.StreamWriter) -> None:
            writer.close()

        plain = await asyncio.start_server(rude, "127.0.0.1", 0)
        port = plain.sockets[0].getsockname()[1]
        with pytest.raises(Failure) as caught:
            await JoinDoor().open(["127.0.0.1:1", f"127.0.0.1:{port}"], "ab" * 32)
        assert caught.value.code is Code.UNAVAILABLE
        assert "127.0.0.1:1: " in caught.value.message
        assert f"127.0.0.1:{port}: " in caught.value.message
        assert "while an invitation is good" in caught.value.next
        plain.close()

    play(tmp_path, scene)


def test_the_certificate_is_shown_before_anything_is_said(tmp_path: Path) -> None:
    async def scene(pair: RealPair) -> None:
        await pair.line()
        der = await shown_certificate(f"127.0.0.1:{pair.server.port}")
        pem = ssl.DER_cert_to_PEM_cert(der).encode()
        assert pem.split() == pair.old.identity.cert_pem.split()

    play(tmp_path, scene)


def test_the_very_failure_of_the_sponsor_arrives(tmp_path: Path) -> None:
    async def scene(pair: RealPair) -> None:
        line = parse_line(await pair.line())
        sponsor = await JoinDoor().open(line.addresses, line.fingerprint)
        begin = Begin(line.invite_id, pair.new.identity.cert_pem, b"n" * 16, "", "")
        begun = await sponsor.begin(begin)
        with pytest.raises(Failure) as caught:
            await sponsor.prove(Prove(begun.session, b"no", b"no"))
        assert caught.value.code is Code.PERMISSION_DENIED
        assert caught.value.details == {"tries_left": 4}
        with pytest.raises(Failure) as caught:
            await sponsor.poll("unknown")
        assert (caught.value.code, caught.value.path) == (Code.NOT_FOUND, "$.session")
        await pair.server.close()
        with pytest.raises(Failure) as caught:
            await sponsor.poll("unknown")
        assert caught.value.code is Code.UNAVAILABLE
        await sponsor.close()

    play(tmp_path, scene)


@pytest.mark.parametrize("carried", [b"no json", b"[1]", b"\xff"])
def test_a_failure_that_cannot_be_read_is_one_of_the_connection(carried: bytes) -> None:
    class Broken:
        def trailing_metadata(self) -> Any:
            return ((FAILURE_KEY, carried),)

        def code(self) -> grpc.StatusCode:
            return grpc.StatusCode.UNAVAILABLE

    failure = failure_of(Broken(), "192.0.2.7:1")
    assert failure.code is Code.UNAVAILABLE
    assert "192.0.2.7:1" in failure.message
