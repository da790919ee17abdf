"""Which members may hold the text of which ops, and how the others keep their place in the log.

A member without a grant for a namespace gets the op without its body: the chain covers only the
body's hash, so the log verifies all the same. It hands on no such op, since it cannot know who may
have the body, and it asks for the bodies again when a grant has changed.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from aimem_node import logs
from aimem_node.contract.errors import Failure
from aimem_node.store.answers import Answer, dot_of
from aimem_node.store.session import WriteSession
from aimem_node.store.view import View
from aimem_sync.dot import Dot, Origin
from aimem_sync.faults import OpFault, PeerFault
from aimem_sync.op import Kind, Op, decode_op, encode_op

if TYPE_CHECKING:
    from aimem_node.replica.plane import Plane

COPIES: Final = "copies:"
"""How the ids of the records begin that say where copies are kept."""
Holders: TypeAlias = frozenset[str] | None
MayHold: TypeAlias = Callable[[View, Op], bool]


@dataclass(frozen=True, slots=True)
class Grants:
    """Who may hold what, as the records say it. What they mean is not this room's to know."""

    is_any: Callable[[View], bool]
    "Whether any namespace says anything: mostly not, and then nothing more is asked."
    holders: Callable[[View, str], Holders]
    "Which members may hold a record; None: all."
    excludes: Callable[[View, str], bool]
    "Whether any namespace is withheld from this member."


ASK_EVERY_S: Final = 30.0
ASK_EVERY_S_MAX: Final = 240.0
ASKED_MAX: Final = 256
READ_MS: Final = 10_000


def bare(op: Op) -> Op:
    """The op as a member without a grant gets it."""
    return replace(op, body=None)


def speaks_of_grants(ops: Iterable[Op]) -> bool:
    """Whether any of these ops may change who may hold what."""
    return any(op.record_id.startswith(COPIES) for op in ops)


def anybody(_view: View, _op: Op) -> bool:
    """Where nothing is withheld from anybody."""
    return True


def may_hold(grants: Grants, node_id: str) -> MayHold:
    """What says of an op whether this member may hold its body."""

    def answer(view: View, op: Op) -> bool:
        if op.kind == Kind.PURGE or op.record_id.startswith(COPIES):
            return True
        holders = grants.holders(view, op.record_id)
        return holders is None or node_id in holders

    return answer


def holders_of_all(grants: Grants, view: View, record_ids: Iterable[str]) -> Holders:
    """Which members may hold all of these records; None: every member."""
    found: Holders = None
    for record_id in record_ids:
        holders = grants.holders(view, record_id)
        if holders is not None:
            found = holders if found is None else found & holders
    return found


def stripped(
    view: View, ops: Sequence[bytes], beside: Sequence[bytes], grants: Grants, node_id: str
) -> tuple[list[bytes], list[bytes]]:
    """Encoded ops and what is beside them, without what this member may not hold.

    An answer is kept back if any record of which it may speak is: it may say more than its op.
    """
    allowed = may_hold(grants, node_id)
    sent: list[bytes] = []
    kept_back: set[Dot] = set()
    for encoded in ops:
        op = decode_op(encoded)
        if op.body is None or allowed(view, op):
            sent.append(encoded)
        else:
            kept_back.add(op.dot)
            sent.append(encode_op(bare(op)))
    told = [one for one in beside if dot_of(one) not in kept_back]
    return sent, [one for one in told if _may_be_told(view, one, grants, node_id)]


def _may_be_told(view: View, beside: bytes, grants: Grants, node_id: str) -> bool:
    try:
        holders = holders_of_all(grants, view, Answer.decode(beside).record_ids)
    except OpFault:  # of a later form: who knows what it says
        return False
    return holders is None or node_id in holders


class Bodies:
    """Asks other members for the bodies that this node lacks."""

    def __init__(self, plane: "Plane") -> None:
        self._plane = plane
        self._wanted = asyncio.Event()
        self._log = logs.get("replica")

    def ask_soon(self) -> None:
        """A grant has changed."""
        self._wanted.set()

    async def run(self) -> None:
        """For ever; cancelled when the node stops. What nobody gives is asked for less and less."""
        pause_s = ASK_EVERY_S
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._wanted.wait()
            pause_s = ASK_EVERY_S if self._wanted.is_set() else min(2 * pause_s, ASK_EVERY_S_MAX)
            self._wanted.clear()
            try:
                if await self.ask():
                    pause_s = ASK_EVERY_S
            except Failure as failure:  # asked again at the next round
                self._log.warning("bodies_not_fetched", why=failure.message)

    async def ask(self) -> int:
        """Ask for all of them once; how many came."""
        after, came = 0, 0
        while True:
            page = await self._page(after)
            if not page:
                return came
            after = page[-1][0]
            by_log: dict[Origin, list[int]] = {}
            for _, dot in page:
                by_log.setdefault(dot.origin, []).append(dot.seq)
            for origin, seqs in by_log.items():
                came += await self._ask_about(origin, tuple(seqs))

    async def _page(self, after: int) -> list[tuple[int, Dot]]:
        def read(view: View) -> list[tuple[int, Dot]]:
            return view.withheld_after(after, ASKED_MAX)

        return await self._plane.store.readers.read(read, READ_MS)

    async def _ask_about(self, origin: Origin, seqs: tuple[int, ...]) -> int:
        for node_id in list(self._plane.core.links):
            try:
                encoded = await self._plane.net.ops_at(node_id, origin, seqs)
                ops = [op for op in map(decode_op, encoded) if op.body is not None]
            except (Failure, PeerFault):
                continue
            if ops:
                return await self._keep(ops)
        return 0

    async def _keep(self, ops: Sequence[Op]) -> int:
        def job(session: WriteSession) -> int:
            return sum(session.mend(op) for op in ops)

        return await self._plane.store.writer.write(job)
