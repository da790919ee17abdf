"""Become a member of another node's cluster: a walk of a few steps that any crash only interrupts.

Each step is written down before it is believed, and each can be done twice: the sponsor knows a
machine again by its key, the list of members is adopted whole or not at all, and what follows is
what every member does all the time. So the same command again, or a restart, simply goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from aimem_node import logs
from aimem_node.clocks import Chance, Clock
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import JoinResponse
from aimem_node.replica.handshake import (
    NAME_BYTES_MAX,
    NONCE_BYTES,
    Begin,
    Door,
    Prove,
    Sponsor,
    Stage,
    Word,
    is_mac_of,
    joiner_words,
    mac_of,
    sponsor_words,
    transcript,
)
from aimem_node.replica.join_state import (
    AFTER,
    BEFORE,
    JoinState,
    Step,
    Target,
    load_state,
    save_state,
    target_of,
)
from aimem_node.replica.line import parse_line
from aimem_node.replica.seat import Seat
from aimem_sync.members import Config, Proof, Role, why_not_next

TRIES_MAX: Final = 4
"""Of reaching the sponsor in a row, about seven seconds in all. Then an operator should look."""
FIRST_PAUSE_S: Final = 1.0
"""Before the second try; doubled before each one after."""
POLL_S: Final = 1.0
LOOK_S: Final = 0.2
FIRST_WORD_S: Final = 1.0
"""How long the one who asks waits for the first steps, so that most errors come at once."""
PASSING: Final = frozenset({Code.UNAVAILABLE, Code.LIMITED, Code.DEADLINE})
"""What trying again may mend."""

_SAID = {
    Step.NONE: "this node was not asked to join another's cluster",
    Step.SPONSOR: "looking for the sponsor",
    Step.IDENTITY: "proving who this machine is",
    Step.ADMITTED: "admitted as a learner",
    Step.SNAPSHOT: "taking in a snapshot",
    Step.CATCH_UP: "catching up",
    Step.VOTER: "a voter",
    Step.FAILED: "did not join",
}

Pause = Callable[[float], Awaitable[None]]


class Joining:
    """See the module. Lives on one event loop."""

    def __init__(
        self, home: Path, seat: Seat, door: Door, clock: Clock, chance: Chance,
        pause: Pause = asyncio.sleep,
    ) -> None:  # fmt: skip
        """Reads how far it was. Raises CORRUPT if that cannot be read."""
        self._home = home
        self._seat = seat
        self._door = door
        self._clock = clock
        self._chance = chance
        self._pause = pause
        self._state = load_state(home)
        self._waits = ""
        "What the sponsor says that is being waited for."
        self._task: asyncio.Task[None] | None = None
        self._asking = asyncio.Lock()
        self._log = logs.get("replica")

    # ---- what others ask of it -------------------------------------------------------------------

    def start(self) -> None:
        """Go on with what a restart interrupted, if anything."""
        if self._state.step in (*BEFORE, *AFTER):
            self._go()

    async def close(self) -> None:
        """Stop where it is; the next start goes on."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def progress(self) -> JoinResponse:
        """How far it is."""
        state, config = self._state, self._seat.config
        level = self._seat.level() if state.step in AFTER else None
        said = self._waits or _SAID[Step(state.step)]
        if state.step == Step.CATCH_UP and level is not None and level.step == "level":
            said = "holds everything, and waits to be let vote"
        return JoinResponse(
            step=state.step,
            said=said,
            done=level.done if level else 0,
            total=level.total if level else 0,
            epoch=config.epoch,
            voters=len(config.voters),
            needed=config.majority,
            failure=state.failure,
            next=state.next,
            fingerprint=self._seat.identity.fingerprint,
            snapshot_bytes=state.snapshot_bytes,
        )

    async def begin(
        self, *, line: str = "", knock: str = "", fingerprint: str = "", name: str = "",
        address: str = "", bring: bool = False,
    ) -> JoinResponse:  # fmt: skip
        """Join with a line, or by knocking; with neither, say how far it is.

        Raises INVALID_ARGUMENT for a line that is none, CONFLICT if this node cannot join. What
        fails later is in the answer: step `failed`, with the reason and what to do.
        """
        if not line and not knock:
            return self.progress()
        target = target_of(line, knock, fingerprint)
        if len(name.encode()) > NAME_BYTES_MAX or not name.isprintable():
            raise Failure(
                Code.INVALID_ARGUMENT,
                f"the name is not printable text of at most {NAME_BYTES_MAX} bytes",
                path="$.name",
            )
        async with self._asking:
            if not self._is_running_to(target):
                await self._begin(target, line, knock, name, address, bring=bring)
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=FIRST_WORD_S)
        return self.progress()

    async def _begin(
        self, target: Target, line: str, knock: str, name: str, address: str, *, bring: bool
    ) -> None:
        await self.close()
        await self._check(target, bring=bring)
        if not (self._state.said == target.said and self._is_in(self._state.cluster_id)):
            await self._save(
                JoinState(
                    step=Step.SPONSOR.value,
                    said=target.said,
                    line=line,
                    knock="" if line else knock,
                    fingerprint=target.fingerprint,
                    cluster_id=target.cluster_id,
                    name=name or target.name or self._seat.name,
                    address=address,
                    bring=bring,
                )
            )
        self._go()

    def _is_running_to(self, target: Target) -> bool:
        running = self._task is not None and not self._task.done()
        return running and self._state.said == target.said

    async def _check(self, target: Target, *, bring: bool) -> None:
        """Whether this node may join there at all. Raises a Failure that says why not."""
        seat = self._seat
        if target.fingerprint == seat.identity.fingerprint:
            raise Failure(
                Code.INVALID_ARGUMENT, "the line was made by this very node",
                path="$.line", next="Use it on the machine that is to join.",
            )  # fmt: skip
        config = seat.config
        if self._state.said == target.said and self._is_in(self._state.cluster_id):
            return
        if len(config.members) > 1:
            if target.cluster_id == config.cluster_id:
                why, step = (
                    "this node is a member of that cluster already",
                    "See aimem-node status.",
                )
            else:
                why = f"this node belongs to a cluster of {len(config.members)} already"
                step = "Leave that one first: aimem-node leave. Or use a fresh data directory."
            raise Failure(Code.CONFLICT, why, next=step)
        if not bring and await seat.has_memories():
            raise Failure(
                Code.CONFLICT, "there are memories on this node already",
                path="$.bring",
                next="Add --bring to take them into the cluster, or join with a fresh data "
                "directory.",
            )  # fmt: skip

    # ---- the walk --------------------------------------------------------------------------------

    def _go(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._walk())

    async def _walk(self) -> None:
        try:
            if not self._is_in(self._state.cluster_id):
                await self._enter()
            await self._climb()
        except Failure as failure:
            await self._fail(failure)
        except Exception as error:
            self._log.error("join_broke", error=repr(error), exc_info=error)
            await self._fail(Failure(Code.INTERNAL, f"joining broke: {error!r}"))

    async def _fail(self, failure: Failure) -> None:
        self._waits = ""
        self._log.warning("join_failed", step=self._state.step, why=failure.message)
        told = replace(
            self._state, step=Step.FAILED.value, failure=failure.message, next=failure.next
        )
        try:
            await self._save(told)
        except Failure:
            self._state = told  # shown, if not kept: the disk is why it failed

    async def _enter(self) -> None:
        """Up to being a member. Tried again from the start whenever the sponsor gets lost."""
        address = await self._seat.listen(self._state.address)
        await self._save(replace(self._state, address=address, failure="", next=""))
        tries, pause_s = 0, FIRST_PAUSE_S
        while True:
            step = self._state.step
            try:
                word = await self._admission()
                break
            except Failure as failure:
                lost = failure.code is Code.NOT_FOUND and failure.path == "$.session"
                if self._state.step != step:
                    tries, pause_s = 0, FIRST_PAUSE_S  # it came further than before
                tries += 1
                if not lost and failure.code not in PASSING:
                    raise
                if tries >= TRIES_MAX:
                    raise self._explained(failure) from failure
            await self._pause(pause_s)
            pause_s *= 2
        self._must_be_sound(word)
        await self._seat.adopt(word.history, word.proofs)
        epoch = word.history[-1].epoch
        self._log.info("join_admitted", epoch=epoch, members=len(word.history[-1].members))
        self._waits = ""
        await self._save(replace(self._state, step=Step.ADMITTED.value, line="", epoch=epoch))

    async def _admission(self) -> Word:
        """Speak to the sponsor until it says that this node is a member."""
        target = self._state.target()
        await self._to(Step.SPONSOR)
        sponsor = await self._door.open(target.addresses, target.fingerprint)
        try:
            await self._to(Step.IDENTITY)
            session, word = await self._prove(target, sponsor)
            while word.stage is not Stage.ADMITTED:
                self._waits = word.said
                await self._pause(POLL_S)
                word = await sponsor.poll(session)
            return word
        finally:
            await sponsor.close()

    async def _prove(self, target: Target, sponsor: Sponsor) -> tuple[str, Word]:
        identity = self._seat.identity
        nonce = bytes.fromhex(self._chance.token_hex(NONCE_BYTES))
        state = self._state
        begin = Begin(target.invite_id, identity.cert_pem, nonce, state.name, state.address)
        begun = await sponsor.begin(begin)
        if target.cluster_id not in ("", begun.cluster_id):
            raise Failure(
                Code.CONFLICT, "the sponsor belongs to another cluster than when it made the line",
                path="$.line", next="Run `aimem-node invite` there again.",
            )  # fmt: skip
        agreed = transcript(begin, begun, sponsor.certificate)
        words = joiner_words(agreed)
        mac = mac_of(target.secret, target.invite_id, words) if target.secret else b""
        proved = await sponsor.prove(Prove(begun.session, identity.sign(words), mac))
        words = sponsor_words(agreed)
        honest = sponsor.certificate.verifies(proved.signature, words)
        if target.secret:
            honest &= is_mac_of(proved.mac, target.secret, target.invite_id, words)
        if not honest:
            raise Failure(
                Code.PERMISSION_DENIED, "the sponsor did not prove that it made the line",
                next="Do not trust that machine. Make a new line on a member.",
            )  # fmt: skip
        if begun.cluster_id != state.cluster_id:
            await self._save(replace(state, cluster_id=begun.cluster_id))
        return begun.session, proved.word

    def _must_be_sound(self, word: Word) -> None:
        """The list that the sponsor gave is one that its voters decided, and names this node."""
        history, proofs = word.history, word.proofs
        why = "" if history and len(history) == len(proofs) else "it is empty"
        for old, new, proof in zip(history, history[1:], proofs[1:], strict=False):
            if old.cluster_id == new.cluster_id:  # else an operator forced it and answers for it
                why = why or why_not_next(old, new) or self._why_unproven(old, new, proof)
        if not why:
            last, me = history[-1], self._seat.identity
            if last.cluster_id != self._state.cluster_id:
                why = "it is another cluster's"
            elif last.node_of(me.fingerprint) != me.node_id:
                why = "it does not name this node"
        if why:
            raise Failure(
                Code.PERMISSION_DENIED,
                f"the sponsor's list of members is not to be believed: {why}",
                next="Look at the sponsor: aimem-node verify there.",
            )  # fmt: skip

    def _why_unproven(self, old: Config, new: Config, proof: Proof) -> str:
        endorsers = {one.node_id for one in proof}
        enough = len(endorsers) == len(proof) >= old.majority and endorsers <= old.voters
        if enough and self._seat.proves(old, new, proof):
            return ""
        return f"epoch {new.epoch} has no proof"

    async def _climb(self) -> None:
        """From being a member to voting. Copying and letting vote are other rooms' business."""
        me = self._seat.identity.node_id
        while True:
            member = self._seat.config.member(me)
            if member is None:
                raise Failure(
                    Code.CONFLICT, "this node was evicted before it had caught up",
                    next="Move its data directory away, and join as a new node.",
                )  # fmt: skip
            if member.role is Role.VOTER:
                break
            level = self._seat.level()
            step = Step.SNAPSHOT if level.step == Step.SNAPSHOT else Step.CATCH_UP
            bytes_seen = max(self._state.snapshot_bytes, level.snapshot_bytes)
            await self._to(step, bytes_seen)
            await self._pause(LOOK_S)
        await self._to(Step.VOTER, self._seat.level().snapshot_bytes)
        self._log.info("join_done", epoch=self._seat.config.epoch)

    async def _to(self, step: Step, snapshot_bytes: int = 0) -> None:
        told = replace(
            self._state,
            step=step.value,
            failure="",
            next="",
            line=self._state.line if step in BEFORE else "",
            snapshot_bytes=max(snapshot_bytes, self._state.snapshot_bytes),
        )
        if told != self._state:
            await self._save(told)

    async def _save(self, state: JoinState) -> None:
        """On disk first, believed second."""
        await asyncio.to_thread(save_state, self._home, state)
        self._state = state

    def _is_in(self, cluster_id: str) -> bool:
        """Whether this node is a member of that cluster by now."""
        config = self._seat.config
        is_member = config.member(self._seat.identity.node_id) is not None
        return bool(cluster_id) and config.cluster_id == cluster_id and is_member

    def _explained(self, failure: Failure) -> Failure:
        """The failure, with the likeliest reason by this machine's clock, which may be wrong."""
        again = "Then run the same command again: it goes on where it was."
        if self._state.line and parse_line(self._state.line).is_over(self._clock.now_us()):
            again = "By this machine's clock the line has expired: run `aimem-node invite` again."
        return Failure(failure.code, failure.message, next=f"{failure.next} {again}")
