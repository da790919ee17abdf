"""Give this node a new key without a moment in which it has none that the others accept.

A key proves the node, it is not the node: for a while two are good. The new one is made, the voters
put it beside the old one, every member has applied that, the files change places, and then the
voters drop the old one for ever. What there is on disk and in the list of members says which of
these is next, so whatever interrupts it, the same command goes on. That the new key is this node's
is shown twice: its certificate is signed with it and names the node, and the epoch that brings it
is proposed and endorsed with the old one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from aimem_node import logs
from aimem_node.clocks import Chance
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.certs import der_of
from aimem_node.replica.identity import Identity, identity_dir
from aimem_node.replica.kept import damaged, forget, keep, recall
from aimem_node.replica.seat import Seat
from aimem_sync.members import Config, Role

FILE_NAME: Final = "rotating.json"
SPREAD_LOOK_S: Final = 0.1
SPREAD_LOOKS_MAX: Final = 100
"""Ten seconds for every member to apply an epoch, which takes those in reach milliseconds."""
DROP_TRIES_MAX: Final = 10
DROP_PAUSE_S: Final = 0.5
"""Between tries to drop the old key: the others have to dial the new one first."""

Pause = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Replaced:
    """The two keys of a rotation that is under way."""

    old: str
    "Fingerprint."
    new: str


class Rotation:
    """See the module. Lives on one event loop."""

    def __init__(
        self, data_dir: str, seat: Seat, chance: Chance, pause: Pause = asyncio.sleep
    ) -> None:
        """Reads whether one is under way. Raises CORRUPT if that cannot be read."""
        self._data_dir = data_dir
        self._path: Path = identity_dir(data_dir) / FILE_NAME
        self._seat = seat
        self._chance = chance
        self._pause = pause
        self._under_way = _read(self._path)
        self._lock = asyncio.Lock()
        self._log = logs.get("replica")

    @property
    def is_under_way(self) -> bool:
        """Whether a rotation was begun and not finished: then `run` goes on with it."""
        return self._under_way is not None

    async def resume(self) -> None:
        """After a start: go on with what was interrupted. What fails is logged, and stays so."""
        if self.is_under_way:
            try:
                await self.run()
            except Failure as failure:
                self._log.warning("key_not_replaced", why=str(failure))

    async def run(self) -> Config:
        """Replace the key, or go on with it; the epoch in which only the new one is good.

        Raises CONFLICT if this node may not or another run is on, UNAVAILABLE if no majority or not
        every member followed (one that is away does not), STORAGE. After any of them the node works
        as before, with one key or with two, and the next run goes on.
        """
        if self._lock.locked():
            raise Failure(
                Code.CONFLICT, "the key is being replaced already", next="Wait until it is done."
            )
        async with self._lock:
            me = self._seat.config.member(self._seat.identity.node_id)
            if me is None or me.role is not Role.VOTER:
                raise Failure(
                    Code.CONFLICT, "this node does not vote yet, so it cannot replace its key",
                    next="Wait until it has caught up and is a voter.",
                )  # fmt: skip
            keys = await self._prepare()
            if self._seat.identity.fingerprint != keys.new:
                await self._add(keys)
                await self._spread()
                await self._switch(keys)
            return await self._drop(keys)

    async def _prepare(self) -> Replaced:
        """Make the new key, or find the one that was made."""
        identity = self._seat.identity
        keys = self._under_way
        if keys is not None and identity.fingerprint not in (keys.old, keys.new):
            keys = None  # the identity was restored from elsewhere since
        if keys is not None and identity.fingerprint == keys.new:
            return keys
        following = await asyncio.to_thread(identity.make_next, self._data_dir, self._chance)
        if keys is None or keys.new != following.fingerprint:
            keys = Replaced(identity.fingerprint, following.fingerprint)
            await asyncio.to_thread(keep, self._path, asdict(keys))
        self._under_way = keys
        return keys

    async def _add(self, keys: Replaced) -> None:
        """Have the voters put the new key beside the old one."""
        following = Identity.load_next(self._data_dir)
        assert following is not None, "it was prepared"
        node_id, new, der = following.node_id, keys.new, der_of(following.cert_pem)

        def make(config: Config) -> Config:
            if config.node_of(new) == node_id:
                return config
            return config.with_key(node_id, new, der)

        config = await self._seat.change(make)
        self._log.info("key_added", fingerprint=new, epoch=config.epoch)

    async def _spread(self) -> None:
        """Wait until every member has applied it, those away included: see Seat.behind."""
        epoch = self._seat.config.epoch
        for _ in range(SPREAD_LOOKS_MAX):
            behind = self._seat.behind(epoch)
            if not behind:
                return
            await self._pause(SPREAD_LOOK_S)
        names = ", ".join(self._name(node_id) for node_id in sorted(behind))
        raise Failure(
            Code.UNAVAILABLE, f"not every member has heard of the new key: {names}",
            next="Both keys are good until then. Start who is away, or evict it if it is gone, "
            "and run `aimem-node rotate-key` again.",
        )  # fmt: skip

    async def _switch(self, keys: Replaced) -> None:
        identity = await asyncio.to_thread(Identity.switch, self._data_dir)
        assert identity.fingerprint == keys.new
        await self._seat.switch(identity)
        self._log.info("key_switched", fingerprint=keys.new)

    async def _drop(self, keys: Replaced) -> Config:
        """Have the voters refuse the old key for ever."""
        node_id = self._seat.identity.node_id

        def make(config: Config) -> Config:
            if config.node_of(keys.old) != node_id:
                return config
            return config.without_key(node_id, keys.old)

        for tries in range(1, DROP_TRIES_MAX + 1):
            try:
                config = await self._seat.change(make)
                break
            except Failure as failure:
                if failure.code is not Code.UNAVAILABLE or tries == DROP_TRIES_MAX:
                    raise
            await self._pause(DROP_PAUSE_S)
        await asyncio.to_thread(forget, self._path)
        self._under_way = None
        self._log.info("key_dropped", fingerprint=keys.old, epoch=config.epoch)
        return config

    def _name(self, node_id: str) -> str:
        member = self._seat.config.member(node_id)
        return (member.name if member else "") or node_id[:8]


def _read(path: Path) -> Replaced | None:
    facts = recall(path)
    if facts is None:
        return None
    old, new = facts.get("old"), facts.get("new")
    if not isinstance(old, str) or not isinstance(new, str):
        raise damaged(path)
    return Replaced(old, new)
