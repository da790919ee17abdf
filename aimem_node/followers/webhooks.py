"""Tell receivers what happened: at least once, in order, from one member of the cluster.

Who delivers a subscription is no secret agreement: of the voters in reach it is the first one, by
node id, whose key opens the secret, and only while a majority is in reach. When it is gone the next
one goes on from where the log says that the receiver has been told. What was sent since is sent
again, under the same delivery id.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from aimem_node import logs
from aimem_node.clocks import Chance, Clock
from aimem_node.contract.errors import Failure
from aimem_node.metrics import Metrics
from aimem_node.outbound.reachable import Allowed
from aimem_node.outbound.sealing import private_key_of, public_key_of, seal, unseal
from aimem_node.outbound.signing import sign
from aimem_node.replica.replica import Intent, Replica, Tx
from aimem_node.replica.subscribed import Counted, Delivery, Subscribed, Telling
from aimem_node.replica.writing import HERE
from aimem_node.store.view import View
from aimem_sync.cursor import Cursor

T = TypeVar("T")

LOOK_EVERY_S: Final = 2.0
"""Between two looks at who delivers what, when nothing happens."""
READ_MS: Final = 5_000
KEEP_EVERY: Final = 50
"""Deliveries after which it is logged how far a receiver has been told."""
KEEP_AFTER_S: Final = 1.0
"""Quiet after which it is: one op for a burst, not one for each event."""
WALKED_MAX: Final = 20_000
"""Ops passed without an event after which it is logged too: a successor need not walk them."""
RETRY_AFTER_S: Final = (1.0, 5.0, 30.0, 120.0, 600.0, 1_800.0, 7_200.0)
"""Before each further attempt; after the last one a delivery is given up. Three hours in all."""

Post = Callable[[str, Mapping[str, str], bytes], Awaitable[int]]
"""Sends a body to a URL; the status of the answer. Raises Failure if none came, or it may not."""
Moved = Callable[[int], Awaitable[None]]
"""Returns once the log reaches further than a position."""


class Webhooks:
    """Deliveries of this node. See the module."""

    def __init__(
        self,
        replica: Replica,
        telling: Telling,
        post: Post,
        moved: Moved,
        clock: Clock,
        chance: Chance,
        metrics: Metrics,
        allowed: Allowed,
    ) -> None:
        self.allowed = allowed
        self._replica = replica
        self._telling = telling
        self._post = post
        self._moved = moved
        self._clock = clock
        self._chance = chance
        self._metrics = metrics
        self._author = f"node:{replica.identity.node_id}"
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._counted: dict[str, Counted] = {}
        self._log = logs.get("followers")

    # ---- for operations ------------------------------------------------------------------------

    def member_keys(self) -> Mapping[str, bytes]:
        """Certificates (DER) of all members by fingerprint."""
        members = self._replica.plane.config.members
        return {name: key for member in members for name, key in member.keys().items() if key}

    def counted(self, subscription_id: str) -> Counted:
        """How one stands, as far as this node knows."""
        return self._counted.get(subscription_id, Counted())

    # ---- who delivers what ---------------------------------------------------------------------

    async def run(self) -> None:
        """For ever; cancelled when the node stops."""
        try:
            while True:
                try:
                    await self._look()
                except Failure as failure:  # looked at again soon
                    self._log.warning("subscriptions_not_read", why=failure.message)
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            await self._end(list(self._tasks))

    async def _look(self) -> None:
        """Start what is this node's to deliver, and stop what is not any more."""
        if not self._tasks and not await self._read(self._telling.is_any):
            return
        standing = {one.id: one for one in await self._read(self._telling.all_standing)}
        mine = {}
        for name, one in standing.items():
            deliverer = self._deliverer(one)
            counted = replace(self.counted(name), deliverer=deliverer)
            if not deliverer:
                why = "no member in reach can open its secret, or too few members are in reach"
                counted = replace(counted, state="blocked", reason=why)
            self._counted[name] = counted
            if deliverer == self._replica.identity.node_id:
                mine[name] = one
        await self._end([name for name in self._tasks if name not in mine])
        for name, one in mine.items():
            try:
                await self._seal_for_all(one)
            except Failure as failure:  # one that is damaged holds up no other
                self._note(name, state="blocked", reason=failure.message)
            task = self._tasks.get(name)
            if task is None or task.done():
                self._tell_why_ended(name, task)
                self._tasks[name] = asyncio.create_task(self._deliver(one))

    def _tell_why_ended(self, name: str, task: asyncio.Task[None] | None) -> None:
        error = None if task is None or task.cancelled() else task.exception()
        if error is not None:
            self._log.warning("deliveries_stopped", subscription=name, why=repr(error))
            self._note(name, state="retrying", reason=f"{type(error).__name__} while delivering")

    def _deliverer(self, one: Subscribed) -> str:
        """Node id of the member whose turn it is; empty if it is nobody's."""
        plane = self._replica.plane
        config, now_us = plane.config, self._clock.monotonic_us()
        near = {n for n, link in plane.core.links.items() if link.in_reach(now_us)}
        near.add(plane.core.me)
        voters = [voter for voter in sorted(config.voters) if voter in near]
        if 2 * len(voters) <= len(config.voters):
            return ""
        keys = {member.node_id: member.fingerprints for member in config.members}
        able = (voter for voter in voters if any(key in one.sealed for key in keys[voter]))
        return next(able, "")

    async def _seal_for_all(self, one: Subscribed) -> None:
        """Let members that came later, or have a new key, open the secret too."""
        wanted = self.member_keys()
        if set(wanted) == set(one.sealed):
            return
        keys = {fingerprint: public_key_of(der) for fingerprint, der in wanted.items()}
        sealed = seal(self._secret(one), keys, one.id)
        await self._write(lambda tx: self._telling.keep_sealed(tx, one.id, sealed))

    def _secret(self, one: Subscribed) -> bytes:
        identity = self._replica.plane.identity
        sealed = one.sealed.get(identity.fingerprint, "")
        return unseal(sealed, private_key_of(identity.key_pem), one.id, identity.fingerprint)

    async def _end(self, names: list[str]) -> None:
        for name in names:
            task = self._tasks.pop(name)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task

    # ---- one subscription ----------------------------------------------------------------------

    async def _deliver(self, one: Subscribed) -> None:
        """Send what comes, in order, until it is another's turn or somebody goes back in time."""
        telling, told = self._telling, one.told
        kept = told
        pos = await self._read(lambda view: telling.begin(view, told))
        unkept = walked = 0
        while True:
            for letter in await self._read(partial(telling.given_up, one=one)):
                await self._send_again(one, letter)
            page = await self._read(partial(telling.page, one=one, before=kept, told=told, pos=pos))
            if page is None:
                return  # it has ended, or somebody went back to a moment: begin there
            for delivery in page.deliveries:
                await self._send(one, delivery)
                assert delivery.dot is not None
                told = told.merge(Cursor({delivery.dot.origin: delivery.dot.seq}))
                unkept += 1
                if unkept >= KEEP_EVERY:
                    if not await self._keep(one, kept, told):
                        return
                    kept, unkept, walked = told, 0, 0
            walked += page.pos - pos
            told, pos = page.told, page.pos
            if not page.is_last:
                continue
            if unkept or walked > WALKED_MAX:
                if await self._moves(pos, KEEP_AFTER_S):
                    continue
                if not await self._keep(one, kept, told):
                    return
                kept, unkept, walked = told, 0, 0
            await self._moves(pos, LOOK_EVERY_S)

    async def _moves(self, pos: int, within_s: float) -> bool:
        """Wait until the log reaches further than a position, or the time is up."""
        try:
            # wait_for of Python 3.11 forgets that it was cancelled when both come at once, and then
            # whoever waits for the end of a delivery waits for ever.
            async with asyncio.timeout(within_s):
                await self._moved(pos)
        except TimeoutError:
            return False
        return True

    async def _send(self, one: Subscribed, delivery: Delivery) -> None:
        """Send until it is taken, or give it up. Others wait behind it: order is promised."""
        reason = ""
        for pause_s in (*RETRY_AFTER_S, None):
            reason = await self._attempt(one, delivery)
            if not reason:
                return
            if pause_s is None:
                break
            self._note(one.id, state="retrying", reason=reason)
            jitter = int(self._chance.token_hex(2), 16) / 65_536
            await asyncio.sleep(pause_s * (0.75 + jitter / 2))
        self._metrics.webhooks.labels("given_up").inc()
        self._log.warning("delivery_given_up", subscription=one.id, why=reason)
        attempts = len(RETRY_AFTER_S) + 1
        await self._write(lambda tx: self._telling.give_up(tx, one, delivery, attempts, reason))

    async def _send_again(self, one: Subscribed, letter: Delivery) -> None:
        """Try once more what was given up: one attempt, and it stays where it is if that fails."""
        reason = await self._attempt(one, letter)
        if reason:
            await self._write(lambda tx: self._telling.give_up(tx, one, letter, 1, reason))
        else:
            await self._write(lambda tx: self._telling.bury(tx, one, letter.id))

    async def _attempt(self, one: Subscribed, delivery: Delivery) -> str:
        """Send once; empty if it was taken, else why not."""
        body = json.dumps(delivery.body, ensure_ascii=False, separators=(",", ":")).encode()
        self._note(one.id, state="delivering", reason="")
        try:
            now_s = self._clock.now_us() // 1_000_000
            headers = sign(self._secret(one), delivery.id, body, now_s)
            status = await self._post(one.url, headers, body)
        except Failure as failure:
            reason = failure.message
        else:
            reason = "" if 200 <= status < 300 else f"the receiver answered {status}"
        counted = self.counted(one.id)
        if reason:
            self._metrics.webhooks.labels("failed").inc()
            self._counted[one.id] = replace(counted, failed=counted.failed + 1, reason=reason)
            return reason
        self._metrics.webhooks.labels("taken").inc()
        self._counted[one.id] = replace(
            counted, taken=counted.taken + 1, last_us=self._clock.now_us(), state="waiting"
        )
        return ""

    def _note(self, name: str, *, state: str, reason: str) -> None:
        self._counted[name] = replace(self.counted(name), state=state, reason=reason)

    async def _keep(self, one: Subscribed, before: Cursor, told: Cursor) -> bool:
        keep = partial(self._telling.keep_told, subscription_id=one.id, before=before, told=told)
        return await self._write(keep) > 0

    async def _read(self, function: Callable[[View], T]) -> T:
        return await self._replica.store.readers.read(function, READ_MS)

    async def _write(self, work: Callable[[Tx], int]) -> int:
        intent: Intent[int] = Intent(
            author=self._author, now_us=self._clock.now_us(), encode=lambda n: str(n).encode(),
            decode=int,
        )  # fmt: skip
        return (await self._replica.write(intent, work, HERE)).response
