"""The invitations that this node has given out, kept so that each is used once and no more.

A used one stays until it expires, bound to the key that used it: a machine whose connection broke
just after it was admitted comes back with the same line and is told so, while any other machine
with that line is refused. Five wrong proofs end an invitation, whoever gave them.
"""

import asyncio
import base64
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from aimem_node.clocks import Chance
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.kept import damaged, keep, recall
from aimem_node.replica.line import INVITE_ID_BYTES, SECRET_BYTES

FILE_NAME: Final = "invites.json"
FAILS_MAX: Final = 5
INVITES_MAX: Final = 64
"""Kept at once. Nobody invites so many machines within an hour by hand."""
_NEW_LINE = "Run `aimem-node invite` on a member for a new line."


@dataclass(frozen=True, slots=True)
class Invite:
    """One invitation, or one approval of a machine that knocked."""

    invite_id: str
    secret: bytes
    "Empty for an approval: its machine knocked without a line."
    name: str
    expires_us: int
    fails: int = 0
    used_by: str = ""
    "Fingerprint of the key that used it; empty while nobody has."

    @property
    def is_dead(self) -> bool:
        """Whether too many wrong proofs were given for it."""
        return self.fails >= FAILS_MAX


class Invites:
    """The invitations of this node. Lives on one event loop."""

    def __init__(self, home: Path, chance: Chance) -> None:
        """Read what was kept in home. Raises CORRUPT or STORAGE."""
        self._path = home / FILE_NAME
        self._chance = chance
        self._lock = asyncio.Lock()
        self._all = {one.invite_id: one for one in _read(self._path)}

    def open_until_us(self) -> int:
        """When the last invitation ends; 0 if there is none."""
        return max((one.expires_us for one in self._all.values() if not one.is_dead), default=0)

    async def make(self, name: str, expires_us: int, now_us: int) -> Invite:
        """A new invitation, on disk. Raises LIMITED if there are too many already."""
        invite_id = self._chance.token_hex(INVITE_ID_BYTES)
        secret = bytes.fromhex(self._chance.token_hex(SECRET_BYTES))
        return await self._add(Invite(invite_id, secret, name, expires_us), now_us)

    async def approve(self, fingerprint: str, name: str, expires_us: int, now_us: int) -> Invite:
        """Remember that a machine which knocked may join, so that it is told when it comes back."""
        invite_id = self._chance.token_hex(INVITE_ID_BYTES)
        made = Invite(invite_id, b"", name, expires_us, used_by=fingerprint)
        return await self._add(made, now_us)

    def approval_of(self, fingerprint: str, now_us: int) -> Invite | None:
        """The approval of this key, if there is one."""
        for one in self._all.values():
            if not one.secret and one.used_by == fingerprint and now_us < one.expires_us:
                return one
        return None

    def usable(self, invite_id: str, fingerprint: str, now_us: int) -> Invite:
        """The invitation, if this key may use it now. Raises a Failure that says why not."""
        found = self._all.get(invite_id)
        if found is None or not found.secret:
            raise Failure(
                Code.NOT_FOUND, "this node gave out no such invitation, or has forgotten it",
                path="$.line", next=_NEW_LINE,
            )  # fmt: skip
        if found.is_dead:
            raise Failure(
                Code.PERMISSION_DENIED,
                f"the invitation was ended after {FAILS_MAX} wrong proofs",
                path="$.line",
                next="Somebody may have tried to guess it. " + _NEW_LINE,
            )
        if now_us >= found.expires_us:
            raise Failure(
                Code.PERMISSION_DENIED,
                "the invitation has expired, by the clock of the node that gave it",
                path="$.line",
                next=_NEW_LINE,
            )
        if found.used_by not in ("", fingerprint):
            raise Failure(
                Code.CONFLICT,
                f"the invitation was used already, by the key {found.used_by[:16]}…",
                path="$.line",
                next="If that was no machine of yours, evict it. " + _NEW_LINE,
            )
        return found

    async def failed(self, invite_id: str) -> int:
        """Count a wrong proof; how many are left before the invitation ends."""
        async with self._lock:
            found = self._all.get(invite_id)
            if found is None:
                return 0
            await self._put(replace(found, fails=found.fails + 1))
            return max(0, FAILS_MAX - found.fails - 1)

    async def use(self, invite_id: str, fingerprint: str, now_us: int) -> Invite:
        """Bind the invitation to this key for ever; on disk when this returns.

        Raises as `usable` does, and STORAGE: then it was not used.
        """
        async with self._lock:
            found = self.usable(invite_id, fingerprint, now_us)
            if found.used_by != fingerprint:
                found = replace(found, used_by=fingerprint)
                await self._put(found)
            return found

    async def _add(self, made: Invite, now_us: int) -> Invite:
        async with self._lock:
            for one in list(self._all.values()):
                if now_us >= one.expires_us:
                    del self._all[one.invite_id]
            if len(self._all) >= INVITES_MAX:
                raise Failure(
                    Code.LIMITED, f"{INVITES_MAX} invitations are open already",
                    next="Wait until one expires.",
                )  # fmt: skip
            await self._put(made)
            return made

    async def _put(self, one: Invite) -> None:
        """On disk first, believed second."""
        changed = {**self._all, one.invite_id: one}
        facts = {"version": 1, "invites": [_encode(each) for each in changed.values()]}
        await asyncio.to_thread(keep, self._path, facts)
        self._all = changed


def _encode(one: Invite) -> dict[str, Any]:
    return {
        "id": one.invite_id,
        "secret": base64.b64encode(one.secret).decode("ascii"),
        "name": one.name,
        "expires_us": one.expires_us,
        "fails": one.fails,
        "used_by": one.used_by,
    }


def _read(path: Path) -> list[Invite]:
    facts = recall(path)
    if facts is None:
        return []
    try:
        return [
            Invite(
                invite_id=str(one["id"]),
                secret=base64.b64decode(one["secret"], validate=True),
                name=str(one["name"]),
                expires_us=int(one["expires_us"]),
                fails=int(one["fails"]),
                used_by=str(one["used_by"]),
            )
            for one in facts["invites"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(path) from error
