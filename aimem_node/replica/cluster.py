"""What an operator and a joining machine do with the list of members.

Every change is one epoch, decided by the voters of the epoch before; this only finds the words for
it. The three ways that are no such change (found, adopt, force) put another list in the place of
the present one, and are the only ones that do.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from aimem_node import logs
from aimem_node.clocks import Chance
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import ClusterStatusResponse
from aimem_node.replica.identity import Identity
from aimem_node.replica.plane import Plane
from aimem_node.replica.replica import META_INCARNATION, Replica
from aimem_node.replica.seat import Level
from aimem_node.replica.standing import (
    META_CLUSTER_ID,
    encode_proof,
    first_config,
    proves,
    standing,
)
from aimem_node.replica.status import status_of
from aimem_node.store.session import WriteSession
from aimem_sync.dataplane import Standing
from aimem_sync.effects import Vote
from aimem_sync.hearing import OLD_IMAGE
from aimem_sync.members import Config, Member, Proof, Role, encode_config, why_not_next
from aimem_sync.op import Origin

if TYPE_CHECKING:
    from aimem_node.replica.votes import VoteFile

TRIES_MAX: Final = 8
"""Epochs that others may decide in between before a change is given up."""
PROMOTE_EVERY_S: Final = 0.5
LEAVE_WAIT_S: Final = 30.0
UNFENCE_EVERY_S: Final = 1.0


class Cluster:
    """The members, as something that can be changed."""

    def __init__(
        self, replica: Replica, plane: Plane, votes: "VoteFile", chance: Chance, *,
        name: str, retain: bool, ready_lag_ops: int = 10_000, snapshot_lag_ops: int = 20_000,
    ) -> None:  # fmt: skip
        self.replica = replica
        self.plane = plane
        self.name = name
        self.address = ""
        "Where this node listens for other members; empty while it does not."
        self.open_peer: Callable[[str], Any] | None = None
        "Open the peer listener at host:port (empty: choose); gives the address to be told."
        self.reopen_peer: Callable[[], Any] | None = None
        "Listen and dial anew, with another key."
        self.ready_lag_ops = ready_lag_ops
        self.meet_others: Callable[[], Awaitable[None]] | None = None
        "Makes the four above and the three below, if they are not there yet."
        self.invites: Any = None
        self.joining: Any = None
        self.rotating: Any = None
        self._votes = votes
        self._chance = chance
        self._retain = retain
        self._snapshot_lag_ops = snapshot_lag_ops
        self._changing = asyncio.Lock()
        self._log = logs.get("replica")

    # ---- the present list ----------------------------------------------------------------------

    @property
    def me(self) -> Member:
        """This node, as the others know it."""
        found = self.plane.config.member(self.plane.identity.node_id)
        if found is None:
            raise Failure(
                Code.UNAVAILABLE, "this node has been evicted from its cluster",
                next="Move its data directory away, and join as a new node.",
            )  # fmt: skip
        return found

    def find(self, text: str) -> Member:
        """The member with this name, node id or beginning of one. NOT_FOUND or AMBIGUOUS."""
        members = self.plane.config.members
        exact = [m for m in members if text in (m.node_id, m.name)]
        found = exact or [m for m in members if text and m.node_id.startswith(text.lower())]
        known = ", ".join(m.name or m.node_id[:8] for m in members)
        if not found:
            raise Failure(
                Code.NOT_FOUND, f"no member is called {text!r}", path="$.node",
                next=f"Members: {known}.",
            )  # fmt: skip
        if len(found) > 1:
            ids = [m.node_id for m in found]
            raise Failure(
                Code.AMBIGUOUS, f"{text!r} names several members", path="$.node",
                next="Give more of the node id.", details={"ids": ids},
            )  # fmt: skip
        return found[0]

    async def met(self) -> None:
        """Be ready to invite, to join and to change keys. Raises UNIMPLEMENTED without a way to."""
        if self.invites is None:
            if self.meet_others is None:
                raise _no_way()
            await self.meet_others()

    def status(self, _now_us: int) -> ClusterStatusResponse:
        """How the cluster stands, as this node sees it."""
        joining, office = self.joining, self.invites
        progress = joining.progress() if joining is not None else None
        knocks = office.knocks() if office is not None else ()
        return status_of(self, progress, knocks, self.ready_lag_ops)

    # ---- this node's seat, in the words of replica/seat.py ---------------------------------------

    @property
    def identity(self) -> Identity:
        """The key that is in use now."""
        return self.plane.identity

    @property
    def config(self) -> Config:
        """The members of now."""
        return self.plane.config

    @property
    def history(self) -> Sequence[Config]:
        """Every epoch, in order."""
        return self.plane.history

    @property
    def proofs(self) -> Sequence[Proof]:
        """One for each epoch of the history."""
        known = self.plane.core.council.proofs
        return tuple(known.get(config.epoch, ()) for config in self.plane.history)

    def proves(self, old: Config, new: Config, proof: Proof) -> bool:
        """Whether these endorsements are good signatures."""
        return proves(old, new, proof)

    async def listen(self, address: str) -> str:
        """Hear other members from now on; the host:port to tell them."""
        if self.open_peer is None:
            raise _no_way()
        self.address = await self.open_peer(address)
        if self.votes_here:
            await self.keep_address()
        return self.address

    async def has_memories(self) -> bool:
        """Whether anything was ever written on this node."""
        last = await self.replica.store.readers.read(lambda view: view.last_pos(), 5_000)
        return last > 0

    def level(self) -> Level:
        """How far this node is from holding all that the others hold."""
        plane = self.plane
        got, catchup = plane.download, plane.core.catchup
        awaited = {asked.pull_id for asked in catchup.asked.values()}
        if got is not None and not got.installed and (
            catchup.installing or got.pull_id in awaited
        ):  # fmt: skip
            return Level("snapshot", got.done, got.total)
        size = got.total if got is not None else 0
        now_us = plane.clock.monotonic_us()
        near = [li for li in plane.core.links.values() if li.in_reach(now_us)]
        if not near and not plane.is_alone:
            return Level("catch_up", 0, 0, size)
        have = plane.core.intake.have()
        ends: dict[Origin, int] = {}
        for link in near:
            for origin, seq in link.held.items():
                ends[origin] = max(ends.get(origin, 0), seq)
        missing = sum(max(0, seq - have.get(origin)) for origin, seq in ends.items())
        total = sum(ends.values())
        return Level("catch_up" if missing else "level", total - missing, total, size)

    def behind(self, epoch: int) -> frozenset[str]:
        """Members that have not said yet that they applied this epoch; those away included."""
        return frozenset(n for n, li in self.plane.core.links.items() if li.epoch < epoch)

    async def switch(self, identity: Identity) -> None:
        """Use this key from now on: for listening, for dialing, and for signing."""
        self.plane.identity = self.replica.identity = identity
        self.plane.core.council.sign = identity.sign
        if self.reopen_peer is not None:
            await self.reopen_peer()

    async def leave(self, *, force: bool) -> Config:
        """Have the others go on without this node, and go on alone with all that is here.

        Raises CONFLICT with what nobody else holds after some waiting, unless `force`.
        """
        plane = self.plane
        deadline_us = plane.clock.monotonic_us() + int(LEAVE_WAIT_S * 1e6)
        while not force:
            lacking = self._only_here()
            if not lacking:
                break
            if plane.clock.monotonic_us() >= deadline_us:
                raise Failure(
                    Code.CONFLICT, f"{lacking} ops are on no other voter's disk yet",
                    next="Wait until `aimem-node status` shows no lag, or leave with --force.",
                    details={"lag_ops": lacking},
                )  # fmt: skip
            await asyncio.sleep(0.1)
        me = plane.identity.node_id
        await self.change(lambda config: config.without(me) if config.member(me) else config)
        await self.found()
        return plane.config

    def _only_here(self) -> int:
        plane = self.plane
        others = plane.config.voters - {plane.identity.node_id}
        held = [li.held.get(plane.origin, 0) for n, li in plane.core.links.items() if n in others]
        return plane.core.own_seq - max(held, default=0)

    # ---- one step --------------------------------------------------------------------------------

    async def change(self, make: Callable[[Config], Config]) -> Config:
        """Have the voters decide on `make(present)`; tried again if another change came first.

        Raises CONFLICT if it may not be, UNAVAILABLE if no majority answers.
        """
        async with self._changing:
            reason = ""
            for _ in range(TRIES_MAX):
                before = self.plane.config
                wanted = make(before)
                if wanted == before:
                    return before
                if refused := why_not_next(before, wanted):
                    raise Failure(Code.CONFLICT, f"the members cannot change so: {refused}")
                done = await self.plane.ask_change(wanted)
                if done.won:
                    return wanted
                reason = done.reason
                now = self.plane.config
                if now.epoch == before.epoch or now.cluster_id != before.cluster_id:
                    break  # what was wanted of one cluster is not to be done to another
        raise Failure(
            Code.UNAVAILABLE,
            f"the members were not changed: {reason}",
            next="See `aimem-node status` for who is out of reach, then try again. It may still "
            "come to pass: `aimem-node members` shows it.",
            definite=False,
        )

    @property
    def votes_here(self) -> bool:
        """Whether this node is a voter, and may ask for changes."""
        return self.plane.identity.node_id in self.plane.config.voters

    async def keep_address(self) -> None:
        """Have the others know where this node listens, if that has changed.

        What it is called is theirs to say, since two may not have one name; only a node that is
        alone calls itself as it likes.
        """
        me = self.me
        name = self.name if self.plane.is_alone or not me.name else me.name

        def make(config: Config) -> Config:
            now = config.member(me.node_id)
            if now is None or (now.name, now.address) == (name, self.address):
                return config  # the look that everybody takes now and then came first
            return config.with_address(me.node_id, name, self.address)

        await self.change(make)

    async def promote_learners(self) -> None:
        """For ever: let learners that hold everything vote. One voter at a time looks after it."""
        while True:
            await asyncio.sleep(PROMOTE_EVERY_S)
            plane = self.plane
            learners = [m.node_id for m in plane.config.members if m.role is Role.LEARNER]
            near = plane.config.voters & plane.in_sync
            if not learners or min(near, default="") != plane.identity.node_id:
                continue
            for node_id in learners:
                if plane.core.lag_of(node_id) == 0:
                    with contextlib.suppress(Failure):  # tried again at the next round
                        await self.change(lambda config, n=node_id: config.with_voter(n))  # type: ignore[misc]

    # ---- another list in the place of the present one --------------------------------------------

    async def adopt(self, history: Sequence[Config], proofs: Sequence[Proof]) -> None:
        """Become a member of the cluster whose epochs these are. This node's own log comes along.

        Raises CONFLICT unless the last epoch names this node and its key.
        """
        last, me = history[-1], self.plane.identity
        member = last.member(me.node_id)
        if member is None or me.fingerprint not in member.fingerprints:
            raise Failure(Code.CONFLICT, "the other cluster's list does not name this node")
        await self._go_on(list(history), list(proofs))

    async def force(self, config: Config) -> None:
        """Go on under a list that nobody decided. The operator answers for it."""
        history = [*self.plane.core.council.history, config]
        known = self.plane.core.council.proofs
        proofs = [known.get(c.epoch, ()) for c in history]
        await self._go_on(history, proofs)

    async def found(self) -> None:
        """Become a cluster of one again, under a new name, with all that is here."""
        cluster_id = self._chance.token_hex(16)
        alone = first_config(self.plane.identity, cluster_id, self.name, "")
        past = self.plane.core.council.history
        retired = frozenset(n for config in past for n in (*config.everyone, *config.retired)) - {
            self.plane.identity.node_id
        }
        config = Config(past[-1].epoch + 1, alone.members, frozenset(), retired, cluster_id)
        await self.force(config)

    async def unfence(self, reason: str) -> None:
        """Go on under a new log, if this node's disk has only gone back in time.

        Nothing is lost by that: the others hold all of the old log, and it comes back from them.
        If this node has written since, what it wrote has numbers that others know for other ops;
        then only the operator can say which of the two histories is to stand.
        """
        plane = self.plane
        if reason != OLD_IMAGE:
            return
        # Behind all that the writer had in hand: what came to disk since the core heard of it last
        # may be another history than the one that others hold.
        head = await self.replica.store.writer.write(lambda session: session.head(plane.origin))
        while plane.core.fenced:
            for node_id in plane.core.links:
                with contextlib.suppress(Failure):
                    (theirs,) = await plane.net.chain_at(node_id, plane.origin, (max(head.seq, 1),))
                    if not head.seq or theirs == head.chain:
                        await self.renew()
                        return
                    if theirs:
                        plane.core.fenced = "others hold another history of this node's log"
                        self._log.error("forked", next="see docs/recovering.md")
                        return
            await asyncio.sleep(UNFENCE_EVERY_S)

    async def renew(self) -> None:
        """Begin a new log: the old one may have been told further than it is known here."""
        incarnation = self._chance.token_hex(8)
        self.replica.fence.renew(incarnation)

        def job(session: WriteSession) -> None:
            session.put_meta(META_INCARNATION, incarnation.encode())

        await self.replica.store.writer.write(job)
        council = self.plane.core.council
        proofs = [council.proofs.get(c.epoch, ()) for c in council.history]
        origin = Origin(self.plane.identity.node_id, incarnation)
        self._log.warning("new_log", origin=str(origin))
        begin = await self._standing(council.history, proofs, origin, self._votes.load())
        self.plane.swap(replace(begin, is_log_whole=True))

    async def _go_on(self, history: list[Config], proofs: list[Proof]) -> None:
        rows = [
            (config.epoch, encode_config(config), encode_proof(proof))
            for config, proof in zip(history, proofs, strict=True)
        ]

        def job(session: WriteSession) -> None:
            session.reset_configs(rows)
            session.put_meta(META_CLUSTER_ID, history[-1].cluster_id.encode())

        await self.replica.store.writer.write(job)
        begin = await self._standing(history, proofs, self.plane.origin, {})
        begin = replace(begin, is_log_whole=self.plane.core.startup.is_over_for_good)
        # Behind the votes in hand and before any under the new list: nothing comes in between.
        forgotten = self.plane.forget_votes()
        self.plane.swap(begin)
        try:
            await asyncio.wrap_future(forgotten)
        except Failure as failure:  # a vote of another cluster is not believed: see standing
            self._log.warning("votes_not_forgotten", why=str(failure))

    async def _standing(
        self, history: list[Config], proofs: list[Proof], origin: Origin,
        votes: Mapping[int, Vote],
    ) -> Standing:  # fmt: skip
        heads, floor = await self.replica.store.readers.read(
            lambda view: (view.heads(), view.floor()), 5_000
        )
        # What was kept since that was read is known to the core that is about to go.
        for log, head in self.plane.core.intake.durable.items():
            if log not in heads or heads[log].seq < head.seq:
                heads[log] = head
        by_epoch = {config.epoch: proof for config, proof in zip(history, proofs, strict=True)}
        return standing(
            self.plane.identity, origin, history, by_epoch, votes, heads, floor,
            retain=self._retain, snapshot_lag_ops=self._snapshot_lag_ops,
        )  # fmt: skip


def _no_way() -> Failure:
    return Failure(
        Code.UNIMPLEMENTED, "this node was started without a way to other members",
        next="Start it with aimem-node run or aimem-node start.",
    )  # fmt: skip
