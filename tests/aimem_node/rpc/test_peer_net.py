"""Members over real connections: what goes through, what is refused, and what is cut off."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from aimem_node.clocks import SystemChance
from aimem_node.replica.certs import der_of
from aimem_node.replica.identity import Identity
from aimem_node.rpc import peer_frames
from aimem_node.rpc.peer_pipe import LIVE, Pipe
from aimem_sync.cursor import Cursor
from aimem_sync.events import Disconnected
from aimem_sync.log import Head
from aimem_sync.messages import Append, Message, Page, Pull
from aimem_sync.op import encode_op
from tests.aimem_node.rpc.peer_stage import (
    HOST,
    Box,
    Stage,
    beat,
    config_of,
    make_ops,
    member,
    play,
)
from tests.aimem_node.rpc.test_tls import weak_identity


def test_members_hear_one_another_over_both_streams(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob, cat = await stage.team("ann", "bob", "cat")
        ann.net.send(bob.node_id, beat(1))
        bob.net.send(cat.node_id, beat(2))
        pull = Pull(5, (ann.side.origin,), Cursor(), 256)
        cat.net.send(ann.node_id, pull)
        assert (await bob.side.told.get())[:2] == (ann.identity.fingerprint, beat(1))
        assert (await cat.side.told.get())[:2] == (bob.identity.fingerprint, beat(2))
        assert (await ann.side.told.get())[:2] == (cat.identity.fingerprint, pull)
        assert ann.net.why_not(bob.node_id) == ""

    play(tmp_path, scene)


def test_ops_and_the_answers_beside_them_go_as_they_are(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob = await stage.team("ann", "bob")
        ops = make_ops(ann.identity, 3)
        encoded = [encode_op(op) for op in ops]
        ann.net.send_append(bob.node_id, 1, 2, encoded, [b"an answer"])
        message = Append(1, tuple(ops), 2)
        assert await bob.side.told.get() == (ann.identity.fingerprint, message, (b"an answer",))
        bob.net.send_page(ann.node_id, 9, encoded, [])
        assert await ann.next_heard() == Page(9, tuple(ops))

    play(tmp_path, scene)


def test_who_only_dials_is_answered_over_what_it_dialed(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, hidden = await stage.box("ann"), await stage.box("hidden", listens=False)
        config = config_of(ann.member, hidden.member)
        ann.follow(config)
        hidden.follow(config)
        await ann.link()
        ann.net.send(hidden.node_id, beat(4))
        assert await hidden.next_heard() == beat(4)
        ann.net.download(hidden.node_id, 1)
        assert await ann.side.events.get() == Disconnected(hidden.node_id)

    play(tmp_path, scene)


def test_a_node_that_is_not_pinned_is_refused_and_said_to_be(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob, eve = await stage.boxes_of("ann", "bob", "eve")
        ann.follow(config_of(ann.member, bob.member))
        bob.follow(config_of(ann.member, bob.member))
        eve.follow(config_of(ann.member, eve.member))
        assert await eve.refusal() == ("ann", "key_refused")
        assert eve.net.why_not(ann.node_id).startswith("refused: it refuses this node's key")
        assert not ann.net.is_linked(eve.node_id)
        assert ann.side.told.empty()

    play(tmp_path, scene)


def test_a_node_that_shows_another_certificate_is_a_refusal_and_not_unreachable(
    tmp_path: Path,
) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob, eve = await stage.boxes_of("ann", "bob", "eve")
        bob_at_eves = replace(bob.member, address=eve.address)
        ann.follow(config_of(ann.member, bob_at_eves))
        eve.follow(config_of(ann.member, eve.member))
        assert await ann.refusal() == ("bob", "wrong_certificate")
        assert "is not its own" in ann.net.why_not(bob.node_id)

    play(tmp_path, scene)


def test_nobody_there_is_unreachable_and_no_refusal(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob = await stage.boxes_of("ann", "bob")
        await bob.net.close()
        ann.follow(config_of(ann.member, bob.member))
        said: asyncio.Queue[str] = asyncio.Queue()
        dialer = ann.net._dialers[bob.node_id]
        dialer._unreachable = said.put_nowait  # type: ignore[method-assign]
        assert await said.get() == "nothing listens there"
        assert ann.refusals.empty()

    play(tmp_path, scene)


def test_a_node_may_not_give_the_name_of_another_over_its_own_certificate(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob, cat = await stage.boxes_of("ann", "bob", "cat")
        ann.follow(config_of(ann.member, bob.member, cat.member))
        # Bob's certificate, under Cat's name, in whatever Bob says.
        liar = Identity(
            cat.node_id, bob.identity.certificate, bob.identity.key_pem, bob.identity._key
        )
        await bob.net.renew(liar)
        bob.follow(config_of(ann.member, bob.member, cat.member))
        assert (await ann.refusal("wrong_node"))[0] == "bob"
        while await bob.refusal("wrong_node") != ("ann", "wrong_node"):
            pass
        assert ann.side.told.empty()

    play(tmp_path, scene)


def test_a_node_that_answers_under_another_name_is_not_spoken_to(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob = await stage.boxes_of("ann", "bob")
        bob.side.origin = ann.side.origin
        config = config_of(ann.member, bob.member)
        bob.follow(config_of(ann.member, replace(bob.member, address="")))
        ann.follow(config)
        assert await ann.refusal() == ("bob", "wrong_node")

    play(tmp_path, scene)


def test_members_of_two_clusters_do_not_mix(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob = await stage.boxes_of("ann", "bob")
        config = config_of(ann.member, bob.member)
        ann.follow(config)
        bob.follow(replace(config, cluster_id="c2" * 16))
        assert await ann.refusal() == ("bob", "wrong_cluster")
        ann.follow(replace(config, cluster_id="c2" * 16), config)
        assert await ann.link() == bob.node_id

    play(tmp_path, scene)


async def ended(box: Box, of: Box) -> None:
    """Within the second that is promised, and with the reason."""
    async with asyncio.timeout(1):
        assert await box.link(up=False) == of.node_id


def test_who_is_evicted_is_cut_off_in_the_middle_of_a_stream(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob, cat = await stage.team("ann", "bob", "cat")
        before = config_of(ann.member, bob.member, cat.member)
        ann.follow(before.without(cat.node_id), before)
        assert not ann.net.is_linked(cat.node_id)
        ann.net.send(cat.node_id, beat(1))
        await ended(cat, ann)
        assert (await cat.refusal())[1] in {"revoked", "key_refused"}
        assert await ann.side.events.get() == Disconnected(cat.node_id)
        assert cat.side.told.empty()
        bob.net.send(ann.node_id, beat(2))
        assert await ann.next_heard() == beat(2)

    play(tmp_path, scene)


def test_what_an_evicted_node_still_sends_is_not_heard(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, cat = await stage.team("ann", "cat")
        left = Pipe(cat.node_id, (cat.identity.fingerprint,), LIVE, is_dialed=False)
        before = config_of(ann.member, cat.member)
        ann.follow(before.without(cat.node_id), before)
        ann.net.arrived(left, peer_frames.frame_bytes(beat(1)))
        assert ann.side.told.empty()

    play(tmp_path, scene)


async def black_hole(stage: Stage) -> str:
    """A place that takes connections and never says a word."""

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(1 << 16):
                pass
        finally:
            writer.close()

    server = await asyncio.start_server(swallow, HOST, 0)

    async def end() -> None:
        server.close()

    stage.ends.append(end)
    return f"{HOST}:{server.sockets[0].getsockname()[1]}"


def test_a_member_that_never_answers_delays_no_other(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob, stuck = await stage.boxes_of("ann", "bob", "stuck")
        config = config_of(
            ann.member, bob.member, replace(stuck.member, address=await black_hole(stage))
        )
        ann.follow(config)
        bob.follow(config)
        assert await ann.link() == bob.node_id
        ann.net.send(stuck.node_id, beat(1))
        ann.net.send(bob.node_id, beat(2))
        assert await bob.next_heard() == beat(2)
        assert not ann.net.is_linked(stuck.node_id)

    play(tmp_path, scene)


def test_a_frame_that_is_heard_again_only_arrives_again(tmp_path: Path) -> None:
    """What makes a repetition harmless is the core; here it must break nothing and add nothing."""

    async def scene(stage: Stage) -> None:
        ann, bob = await stage.team("ann", "bob")
        ops = make_ops(ann.identity, 2)
        frames = [
            peer_frames.append_bytes(1, 1, [encode_op(op) for op in ops], [b"x"]),
            peer_frames.frame_bytes(beat(1)),
            peer_frames.page_bytes(3, [encode_op(op) for op in ops]),
            peer_frames.frame_bytes(Pull(1, (ann.side.origin,), Cursor(), 3)),
        ]
        pipe = ann.net._pipes[bob.node_id, LIVE][-1]
        for _ in range(2):
            for frame in frames:
                pipe.send(frame)
        first = [await bob.side.told.get() for _ in frames]
        assert [await bob.side.told.get() for _ in frames] == first
        assert ann.net.is_linked(bob.node_id)
        assert bob.refusals.empty()

    play(tmp_path, scene)


def over_the_wire(
    home: Path, frame: Callable[[Box, Box, Box], bytes]
) -> Callable[[Stage], Awaitable[None]]:
    """Ann sends Bob a frame that he must not believe; she is refused it and stays connected."""

    async def scene(stage: Stage) -> None:
        ann, bob, cat = await stage.team("ann", "bob", "cat")
        ann.net._pipes[bob.node_id, LIVE][-1].send(frame(ann, bob, cat))
        peer, reason = await bob.refusal()
        assert (peer, reason) == ("ann", "bad_sig")
        ann.net.send(bob.node_id, beat(1))
        assert await bob.next_heard() == beat(1)

    return scene


def test_an_op_that_a_relay_made_up_is_refused(tmp_path: Path) -> None:
    def frame(ann: Box, _bob: Box, cat: Box) -> bytes:
        forged = make_ops(cat.identity, 1, sign=ann.identity.sign)
        return peer_frames.page_bytes(1, [encode_op(op) for op in forged])

    play(tmp_path, over_the_wire(tmp_path, frame))


def test_an_op_that_a_relay_puts_before_a_true_one_is_refused(tmp_path: Path) -> None:
    def frame(ann: Box, _bob: Box, cat: Box) -> bytes:
        true = make_ops(cat.identity, 2)
        forged = make_ops(cat.identity, 1, sign=ann.identity.sign)[0]
        forged = replace(forged, record_id="another", chain=true[0].chain)
        return peer_frames.page_bytes(1, [encode_op(forged), encode_op(true[1])])

    play(tmp_path, over_the_wire(tmp_path, frame))


def test_ops_of_a_node_that_nobody_knows_yet_are_left_out(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob = await stage.team("ann", "bob")
        stranger = Box(tmp_path, "new")
        ops = [*make_ops(ann.identity, 1), *make_ops(stranger.identity, 1)]
        ann.net.send_page(bob.node_id, 1, [encode_op(op) for op in ops], [])
        assert await bob.next_heard() == Page(1, tuple(ops[:1]))

    play(tmp_path, scene)


def test_garbage_is_counted_against_its_sender_and_costs_nothing_else(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob = await stage.team("ann", "bob")
        pipe = ann.net._pipes[bob.node_id, LIVE][-1]
        pipe.send(b"\xff\xff\xff")
        assert await bob.refusal() == ("ann", "malformed")
        # A frame of a kind that a later version sends: field 500, empty.
        pipe.send(b"\xa2\x1f\x00")
        pipe.send(peer_frames.frame_bytes(beat(1)))
        assert await bob.next_heard() == beat(1)
        assert bob.net.counts["later_kind"] == 1

    play(tmp_path, scene)


def test_a_mistake_in_the_core_does_not_cost_the_connection(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob = await stage.team("ann", "bob")
        heard, broken = bob.side.heard, asyncio.Event()

        def breaks(*_: object) -> None:
            broken.set()
            raise AssertionError("a bug")

        bob.side.heard = breaks  # type: ignore[assignment]
        ann.net.send(bob.node_id, beat(1))
        await broken.wait()
        bob.side.heard = heard  # type: ignore[method-assign]
        ann.net.send(bob.node_id, beat(2))
        assert await bob.next_heard() == beat(2)

    play(tmp_path, scene)


def test_a_member_that_comes_back_is_found_again(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob = await stage.team("ann", "bob")
        config = config_of(ann.member, bob.member)
        port = bob.net.port
        await bob.net.close()
        assert await ann.link(up=False) == bob.node_id
        bob.begin()
        bob.follow(config)
        assert await bob.net.listen(HOST, port) == port
        assert await ann.link() == bob.node_id
        # Over what Ann dialed or over what Bob dialed: either is a way.
        ann.net.send(bob.node_id, beat(7))
        assert await bob.next_heard() == beat(7)

    play(tmp_path, scene)


def test_a_member_that_moves_is_dialed_at_its_new_address(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann = await stage.box("ann")
        bob = await stage.box("bob")
        silent = replace(ann.member, address="")
        bob.follow(config_of(silent, bob.member))
        ann.follow(config_of(ann.member, replace(bob.member, address=await black_hole(stage))))
        ann.follow(config_of(ann.member, bob.member, epoch=2))
        assert await ann.link() == bob.node_id

    play(tmp_path, scene)


async def repeated(sender: Box, receiver: Box, message: Message) -> Any:
    """What the receiver hears first, if the sender says it again and again as beats are."""

    async def say() -> None:
        while True:
            sender.net.send(receiver.node_id, message)
            await asyncio.sleep(0.05)

    saying = asyncio.ensure_future(say())
    try:
        return await receiver.side.told.get()
    finally:
        saying.cancel()


def test_a_key_is_replaced_without_losing_anybody(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob = await stage.team("ann", "bob")
        old, new = bob.identity, bob.identity.make_next(str(bob.home), SystemChance())
        first = config_of(ann.member, bob.member)
        both = first.with_key(bob.node_id, new.fingerprint, der_of(new.cert_pem))
        for box in (ann, bob):
            box.follow(both, first)
        await bob.net.renew(new)
        only = both.without_key(bob.node_id, old.fingerprint)
        for box in (ann, bob):
            box.follow(only, first, both)
        fingerprint, message, _ = await repeated(bob, ann, beat(2))
        await repeated(ann, bob, beat(1))
        assert (fingerprint, message) == (new.fingerprint, beat(2))
        # What the old key has signed stays believed.
        ops = make_ops(old, 2)
        newer = make_ops(new, 2, Head(ops[-1].seq, ops[-1].chain))
        bob.net.send_append(ann.node_id, 3, 0, [encode_op(op) for op in (*ops, *newer)], [])
        while not isinstance(message, Append):
            message = await ann.next_heard()
        assert message.ops == (*ops, *newer)

    play(tmp_path, scene)


def test_a_node_that_is_no_member_dials_nobody(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob = await stage.team("ann", "bob")
        before = config_of(ann.member, bob.member)
        ann.follow(before.without(ann.node_id), before)
        assert ann.net._dialers == {}

    play(tmp_path, scene)


def test_a_pin_that_may_sign_others_opens_nothing(tmp_path: Path) -> None:
    """Certificates in a list of members were checked when they came in; not checked twice, and
    still no root if one slipped through."""

    async def scene(stage: Stage) -> None:
        ann = await stage.box("ann")
        pem = weak_identity(tmp_path / "weak")
        weak = member(ann.identity)
        der = der_of(pem)
        weak = replace(
            weak, node_id="ab" * 16, fingerprints=(hashlib.sha256(der).hexdigest(),),
            certificates=(der,), address=f"{HOST}:1", name="weak",
        )  # fmt: skip
        ann.follow(config_of(ann.member, weak))
        assert await ann.refusal() == ("weak", "wrong_certificate")
        assert pem not in ann.net._server._shown[1]

    play(tmp_path, scene)
