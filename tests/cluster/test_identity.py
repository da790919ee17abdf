"""Who speaks is told by keys and by nothing else: not by names, not by addresses, not by claims."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from aimem_node.clocks import SystemChance
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.identity import Identity
from aimem_node.rpc import peer_asks as asks
from aimem_node.rpc.peer_access import reason_of
from aimem_node.rpc.peer_dialer import carried, claims, open_channel
from aimem_node.rpc.peer_net import PeerNet
from aimem_node.rpc.peer_pipe import BULK, LIVE, Pipe
from aimem_node.rpc.peer_server import SERVICE
from aimem_node.rpc.tls import server_credentials
from aimem_sync.change import Change, body_for
from aimem_sync.log import append
from aimem_sync.op import Kind, Stamp, encode_op
from chaos.team import Team

PENDING = {"allow_pending": True, "deadline_ms": 50}


def hello(team: Team, *, key_of: str, claims_of: str, body_of: str, to: str) -> str:
    """The reason why a Hello is refused; "" if it is answered."""
    config, identity = team.config(to), team.identities[key_of]
    member = config.member(team.ids[to])
    assert member is not None
    mine = asks.Hello(
        config.cluster_id, team.plane(body_of).origin, config.epoch,
        team.plane(body_of).core.intake.have(), team.clocks[to].now_us(),
    )  # fmt: skip

    async def ask() -> str:
        channel = open_channel(f"127.0.0.1:{team.ports[to]}", identity, member)
        try:
            call = channel.unary_unary(f"/{SERVICE}/Hello")
            said = claims(config, team.ids[claims_of])
            await call(asks.hello_bytes(mine), timeout=10, metadata=said)
        except grpc.aio.AioRpcError as error:
            refused = carried(error)
            return reason_of(refused) if refused else error.code().name
        finally:
            await channel.close()
        return ""

    return str(team.run(ask()))


def test_a_node_that_claims_another_ones_id_over_its_own_key_is_refused(three: Team) -> None:
    honest = hello(three, key_of="b", claims_of="b", body_of="b", to="c")
    assert honest == ""
    assert hello(three, key_of="b", claims_of="a", body_of="a", to="c") == "wrong_node"
    assert hello(three, key_of="b", claims_of="a", body_of="b", to="c") == "wrong_node"
    assert hello(three, key_of="b", claims_of="b", body_of="a", to="c") == "wrong_node"
    assert three.plane("c").tallies.refused["wrong_node"] == 3


def test_a_stranger_with_a_members_name_and_id_is_not_heard(three: Team, tmp_path: Path) -> None:
    twin = Identity.load_or_create(str(tmp_path / "twin"), SystemChance())
    three.identities["x"], three.ids["x"] = twin, three.ids["b"]
    assert hello(three, key_of="x", claims_of="b", body_of="b", to="c") == "UNAVAILABLE"


# ---- what a member says about others -----------------------------------------------------------


def forged(team: Team, origin_of: str, signed_by: str) -> bytes:
    """The next op of one node's log, as another node would write it: encoded."""
    plane = team.plane(origin_of)
    head = plane.core.intake.durable[plane.origin]
    change = Change("f" * 32, "memory", kind=Kind.PURGE)
    stamp = Stamp(lamport=head.seq + 1_000, wall_us=team.clocks["a"].now_us(), epoch=1)
    body = body_for(change, None, plane.origin)
    op = append(
        head, stamp, change.kind, change.record_id, body, "test", "", plane.origin,
        team.identities[signed_by].sign,
    )  # fmt: skip
    return encode_op(op)


def test_a_forged_op_is_refused_whoever_passes_it_on(three: Team) -> None:
    three.store("a", "true")
    three.until_level()
    before = three.have("c")
    op = forged(three, "a", signed_by="b")
    # As a page of a pull, and as a's own push would look.
    three.loop_call(three.net("b").send_page, three.ids["c"], 1, [op], [])
    three.loop_call(three.net("b").send_append, three.ids["c"], 1, 0, [op], [])
    three.until(lambda: three.plane("c").tallies.refused["bad_sig"] == 2, "c has seen both")
    assert three.have("c") == before
    # Signed by its origin indeed, but pushed by another node: a push is for one's own log.
    true = forged(three, "a", signed_by="a")
    three.loop_call(three.net("b").send_append, three.ids["c"], 1, 0, [true], [])
    notes = three.plane("c").tallies.notes
    three.until(lambda: notes["an Append of another node's log"] == 1, "c has seen it")
    assert three.have("c") == before
    assert three.store("a", "and on", options={"w": 3})["write"]["outcome"] == "committed"


def test_every_frame_of_a_day_played_again_changes_nothing_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[PeerNet, Pipe, bytes]] = []
    arrived = PeerNet.arrived

    def note(self: PeerNet, pipe: Pipe, frame: bytes) -> None:
        heard.append((self, pipe, frame))
        arrived(self, pipe, frame)

    monkeypatch.setattr(PeerNet, "arrived", note)
    team = Team(tmp_path, 3, spare=1)
    try:
        for name in "abc":
            team.until_in_sync(name, 3)
        kept = team.store("a", "kept", content="one")["id"]
        gone = team.store("b", "gone")["id"]
        team.until_level()
        team.call("c", "Update", id=kept, content="two")
        team.call("a", "Delete", id=gone)
        team.part("c")
        team.store("a", "while c was away", options=PENDING)
        team.store("c", "while c was away too", options=PENDING)
        team.heal()
        team.until_level()
        team.start("d")
        team.join("d", "a")
        team.until_level()
        team.until_agreed()
        state = [(team.have(n), team.digest(n), team.config(n)) for n in team.nodes]
        monkeypatch.undo()
        frames = list(heard)
        assert len(frames) > 50
        team.run(_replay(frames, arrived))
        # And over the connection of every other member, as a thief among them would.
        team.run(_replay(list(_over_others(team, frames)), arrived))
        team.until_level()
        assert [(team.have(n), team.digest(n), team.config(n)) for n in team.nodes] == state
        for name in team.nodes:
            assert not team.plane(name).core.fenced
            assert not team.plane(name).core.intake.forked
            assert team.call(name, "Verify", deep=True)["ok"]
        for name in team.nodes:
            team.until_in_sync(name, 4)
        assert team.store("d", "on", options={"w": 4})["write"]["outcome"] == "committed"
        assert team.titles("a") == ["kept", "on", "while c was away", "while c was away too"]
    finally:
        team.close()


async def _replay(frames: list[tuple[PeerNet, Pipe, bytes]], arrived: Any) -> None:
    for net, pipe, frame in frames:
        arrived(net, pipe, frame)


def _over_others(
    team: Team, frames: list[tuple[PeerNet, Pipe, bytes]]
) -> Iterator[tuple[PeerNet, Pipe, bytes]]:
    nets = {team.net(name): name for name in team.nodes}
    for net, pipe, frame in frames:
        for (node_id, stream), pipes in net._pipes.items():
            if net in nets and node_id != pipe.node_id and stream == pipe.name and pipes:
                yield net, pipes[0], frame


# ---- connections -------------------------------------------------------------------------------


def test_a_revoked_key_is_cut_off_in_the_middle_of_its_streams(three: Team) -> None:
    config, identity = three.config("a"), three.identities["c"]
    member = config.member(three.ids["a"])
    assert member is not None

    async def streams() -> list[str]:
        """Both streams, open while the key is revoked: what each ends with."""
        channel = open_channel(f"127.0.0.1:{three.ports['a']}", identity, member)
        said = claims(config, identity.node_id)
        calls = [
            channel.stream_stream(f"/{SERVICE}/{name}")(metadata=said) for name in (LIVE, BULK)
        ]
        ends: list[str] = []
        try:
            for call in calls:
                await call.wait_for_connection()
            await three.acall("a", "Evict", node="c")
            for call in calls:
                try:
                    async with asyncio.timeout(1):
                        while await call.read() is not grpc.aio.EOF:
                            pass
                        ends.append((await call.code()).name)
                except grpc.aio.AioRpcError as error:
                    refused = carried(error)
                    ends.append(reason_of(refused) if refused else error.code().name)
        finally:
            await channel.close()
        return ends

    assert three.run(streams()) == ["revoked", "revoked"]


def test_a_wrong_certificate_is_called_that_and_not_a_missing_quorum(
    three: Team, tmp_path: Path
) -> None:
    stranger = Identity.load_or_create(str(tmp_path / "stranger"), SystemChance())
    three.stop("b")

    async def stand_in() -> grpc.aio.Server:
        server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        assert server.add_secure_port(
            f"127.0.0.1:{three.ports['b']}", server_credentials(stranger, None)
        )
        await server.start()
        return server

    server = three.run(stand_in())
    try:
        refused = three.plane("a").tallies.refused
        three.until(lambda: refused["wrong_certificate"], "a has looked at it")
        away = three.ids["b"]
        three.until(lambda: away not in three.plane("a").in_sync, "b is away")
        seen = three.status("a", of="b")
        assert "certificate" in seen["reason"]
        assert stranger.fingerprint[:16] in seen["reason"]
        metrics = three.core("a").metrics.text().decode()
        assert 'aimem_peers_refused_total{reason="wrong_certificate"}' in metrics
        # A write that b is wanted for says so too.
        with pytest.raises(Failure) as missed:
            three.store("a", "all three", options={"w": 3})
        assert missed.value.code is Code.NOT_WRITTEN
        (peer,) = [p for p in missed.value.details["peers"] if p["name"] == "b"]
        assert peer["state"] == "unreachable"
        assert "certificate" in peer["reason"]
        pending = three.store("a", "pending", options={"w": 3, **PENDING})["write"]
        (peer,) = [p for p in pending["peers"] if p["name"] == "b"]
        assert "certificate" in peer["reason"]
    finally:
        three.run(server.stop(0))


def test_two_members_at_one_address_never_make_two_acks(three: Team) -> None:
    three.stop("c")
    # Wherever c is dialed, b answers: by a wrong entry in the list, or by a router.
    three.detour = lambda one, other: three.links.get((one, "b" if other == "c" else other))
    for name in "ab":
        three.stop(name)
    for name in "ab":
        three.start(name)
    three.until_in_sync("a", 2)
    moved = three.call_change("a", "c", address=f"127.0.0.1:{three.ports['b']}")
    addresses = {m.name: m.address for m in moved.members}
    assert addresses["b"] == addresses["c"]
    refused = three.plane("a").tallies.refused
    three.until(lambda: refused["wrong_certificate"], "a has noticed who answers there")
    with pytest.raises(Failure) as missed:
        three.store("a", "all three", options={"w": 3})
    assert missed.value.code is Code.NOT_WRITTEN
    written = three.store("a", "two", options={"w": 3, "allow_pending": True, "deadline_ms": 500})
    assert written["write"]["outcome"] == "pending"
    assert written["write"]["acks"] == 2
    assert three.store("a", "a majority")["write"]["outcome"] == "committed"
