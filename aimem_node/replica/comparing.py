"""Compare this node's state with the other members', and have broken ops from them.

Two members that hold the same logs must hold the same state. Where they do not, the sums say in
which of 256 buckets, and the hashes of the records there say which record: two questions.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from aimem_node.contract.errors import Failure
from aimem_node.replica.signatures import Verifier
from aimem_node.store.session import WriteSession
from aimem_node.store.view import View
from aimem_sync.cursor import Cursor
from aimem_sync.digest import Digest, bucket_of
from aimem_sync.divergence import Likeness, compare
from aimem_sync.dot import Dot
from aimem_sync.faults import PeerFault
from aimem_sync.members import Member
from aimem_sync.op import Op, decode_op

if TYPE_CHECKING:
    from aimem_node.replica.plane import Plane

READ_MS: Final = 60_000
RECORDS_PER_PAGE: Final = 500
SHOWN_MAX: Final = 5
"""Records that are named of a difference."""


async def compare_with_members(plane: "Plane") -> list[str]:
    """One line for each other member."""
    names = [m for m in plane.config.members if m.node_id != plane.identity.node_id]
    return [await _compared(plane, member) for member in names]


async def _compared(plane: "Plane", member: Member) -> str:
    called = member.name or member.node_id[:8]
    try:
        have, sums = await plane.net.sums(member.node_id)
    except (Failure, PeerFault) as failure:
        return f"{called}: not compared, {failure}"
    mine_have, mine = await _read_mine(plane)
    found = compare(mine_have, mine, have, sums)
    if found.likeness is Likeness.EQUAL:
        return f"{called}: equal, {len(mine_have)} logs and all records"
    if found.likeness is Likeness.UNKNOWN:
        ahead, behind = _ops(have, mine_have), _ops(mine_have, have)
        return f"{called}: not level, it has {ahead} ops more and {behind} ops less than this node"
    records, withheld = await _differing(plane, member, found.buckets)
    if not records:
        return f"{called}: equal but for {withheld} records that one of the two may not hold"
    shown = ", ".join(records[:SHOWN_MAX])
    more = f" and {len(records) - SHOWN_MAX} more" if len(records) > SHOWN_MAX else ""
    return f"{called}: the records differ: {shown}{more}"


async def _read_mine(plane: "Plane") -> tuple[Cursor, Digest]:
    def read(view: View) -> tuple[Cursor, Digest]:
        return view.have(), view.digest()

    return await plane.store.readers.read(read, READ_MS)


async def _differing(
    plane: "Plane", member: Member, buckets: Sequence[int]
) -> tuple[list[str], int]:
    """Records of these buckets that should be alike and are not; and how many need not be."""
    theirs = await plane.net.record_hashes(member.node_id, buckets)
    wanted = frozenset(buckets)

    def read(view: View) -> tuple[list[str], int]:
        mine = dict(record_hashes(view, wanted))
        names = sorted({*mine, *theirs})
        differ = [name for name in names if mine.get(name) != theirs.get(name)]
        bare = view.withheld_from(differ)
        unlike = [n for n in differ if n not in bare and _may_have(plane, view, member, n)]
        return unlike, len(differ) - len(unlike)

    return await plane.store.readers.read(read, READ_MS)


def _may_have(plane: "Plane", view: View, member: Member, record_id: str) -> bool:
    holders = None if plane.grants is None else plane.grants.holders(view, record_id)
    return holders is None or member.node_id in holders


def _ops(of: Cursor, beyond: Cursor) -> int:
    return sum(gap.last - gap.first + 1 for gap in of.missing_from(beyond))


async def fetch_broken(plane: "Plane", broken: Sequence[Dot]) -> list[str]:
    """Put back ops that are damaged here and whole elsewhere; a line about each kind of end."""
    verifier = Verifier(plane.history)
    back: list[Op] = []
    for dot in broken:
        op = await _fetched(plane, dot, verifier)
        if op is not None:
            back.append(op)
    if back:

        def job(session: WriteSession) -> int:
            return sum(session.mend(op) for op in back)

        await plane.store.writer.write(job)
    lines = [f"{len(back)} broken ops fetched from other members"] if back else []
    missing = len(broken) - len(back)
    if missing:
        lines.append(f"{missing} broken ops are held by no member in reach")
    return lines


async def _fetched(plane: "Plane", dot: Dot, verifier: Verifier) -> Op | None:
    for node_id in plane.core.links:
        try:
            found = await plane.net.ops_at(node_id, dot.origin, (dot.seq,))
            op = decode_op(found[0]) if found else None
        except (Failure, PeerFault):
            continue
        if op is not None and op.dot == dot and verifier.holds(op):
            return op
    return None


def record_hashes(view: View, buckets: frozenset[int]) -> Iterator[tuple[str, bytes]]:
    """Every record of these buckets with its hash. Reads all records: asked once in a blue moon."""
    after = ""
    while page := view.records_after(after, RECORDS_PER_PAGE):
        after = page[-1].state.record_id
        for kept in page:
            if bucket_of(kept.state.record_id) in buckets:
                yield kept.state.record_id, kept.hash
