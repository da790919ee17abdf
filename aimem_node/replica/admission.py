"""The sponsor's side of joining: whom to believe, and what to ask the voters.

A sponsor only vouches. It makes sure that the machine at the other end holds the line and the key
it shows; that it becomes a member is decided by the voters, like every change of the list. The way
in stands open until the last invitation ends, and no longer: whoever knocks without a line can do
so only then.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from aimem_node import logs
from aimem_node.clocks import Chance, Clock
from aimem_node.contract import values
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.addresses import (
    LOOPBACK,
    first_ones,
    is_usable,
    join_address,
    own_host,
    split_address,
)
from aimem_node.replica.certs import der_of
from aimem_node.replica.handshake import (
    KNOCKING,
    NAME_BYTES_MAX,
    NONCE_BYTES,
    PROTOCOL,
    Begin,
    Begun,
    Prove,
    Proved,
    Stage,
    Word,
    is_mac_of,
    joiner_words,
    mac_of,
    sponsor_words,
    transcript,
)
from aimem_node.replica.identity import Certificate, is_node_id
from aimem_node.replica.invites import Invites
from aimem_node.replica.knocks import KNOCK_LASTS_US, Knocks
from aimem_node.replica.line import Line
from aimem_node.replica.seat import Seat
from aimem_sync.members import Config, Member, Role

PROVE_WITHIN_US: Final = 60_000_000
POLL_WITHIN_US: Final = 900_000_000
SESSIONS_MAX: Final = 64
"""Of those that have proved nothing, and again of those that have. The oldest make room."""
ANSWER_WITHIN_S: Final = 2.0
"""A decree takes milliseconds when a majority is in reach. Past this the other end asks again."""
TERMINAL: Final = frozenset({Code.CONFLICT, Code.PERMISSION_DENIED, Code.INVALID_ARGUMENT})
"""What asking the voters once more cannot mend."""


class Listener(Protocol):
    """The way in. rpc/join_server.py is the real one."""

    async def open(self, host: str, port: int) -> int:
        """Listen there, or on another port if that one is taken; the port. STORAGE if none."""
        ...

    async def close(self) -> None:
        """Hear nobody any more."""
        ...


@dataclass(frozen=True, slots=True)
class Invited:
    """What the operator is told who invites."""

    line: str
    invite_id: str
    expires_us: int
    address: str
    "host:port where the new machine is going to ask."


@dataclass(slots=True)
class Session:
    """One machine at the door."""

    begin: Begin
    begun: Begun
    certificate: Certificate
    source: str
    ends_us: int
    "By the clock that never jumps."


class Admission:
    """See the module. Lives on one event loop."""

    def __init__(
        self, seat: Seat, invites: Invites, listener: Listener, clock: Clock, chance: Chance
    ) -> None:
        """Opens nothing yet: run `keep_door`."""
        self._seat = seat
        self._invites = invites
        self._listener = listener
        self._clock = clock
        self._chance = chance
        self._waiting = Knocks()
        self._new: OrderedDict[str, Session] = OrderedDict()
        self._proved: OrderedDict[str, Session] = OrderedDict()
        self._deciding: dict[str, asyncio.Task[Config]] = {}
        self._changed = asyncio.Event()
        self._log = logs.get("replica")

    # ---- what the operator asks ----------------------------------------------------------------

    async def invite(self, name: str, ttl_s: int, address: str = "") -> Invited:
        """A line with which one machine can join within ttl_s. Opens the way in.

        Raises CONFLICT if this node does not vote, INVALID_ARGUMENT, LIMITED or STORAGE.
        """
        self._must_vote()
        _must_be_a_name(name)
        if address:
            split_address(address)
        told = await self._open(address)
        now_us = self._clock.now_us()
        expires_us = (now_us // 1_000_000 + ttl_s) * 1_000_000
        made = await self._invites.make(name, expires_us, now_us)
        self._changed.set()
        line = Line(
            cluster_id=self._seat.config.cluster_id,
            addresses=told,
            fingerprint=self._seat.identity.fingerprint,
            invite_id=made.invite_id,
            secret=made.secret,
            expires_us=expires_us,
            name=name,
        )
        self._log.info("invited", invite=made.invite_id, ttl_s=ttl_s, address=told[0])
        return Invited(str(line), made.invite_id, expires_us, told[0])

    async def approve(self, fingerprint: str, name: str = "") -> tuple[Member, int]:
        """Admit the machine that knocked with this key; it, and the epoch of now.

        Raises NOT_FOUND or AMBIGUOUS, and what a change of members raises. What was approved stays
        so: if no majority was in reach, the machine is admitted when it asks again.
        """
        self._must_vote()
        _must_be_a_name(name)
        wanted = fingerprint.strip().lower().removeprefix("sha256:").replace(":", "")
        found = _member_with(self._seat.config, wanted)
        if found is not None:
            return found, self._seat.config.epoch
        knock = self._waiting.find(wanted, self._clock.monotonic_us())
        now_us = self._clock.now_us()
        if self._invites.approval_of(knock.certificate.fingerprint, now_us) is None:
            await self._invites.approve(
                knock.certificate.fingerprint, name, now_us + KNOCK_LASTS_US, now_us
            )
            self._changed.set()
        config = await self._admit(knock.certificate, name or knock.name, knock.address)
        member = config.member(knock.certificate.common_name)
        assert member is not None
        return member, config.epoch

    def knocks(self) -> tuple[values.Knock, ...]:
        """Who waits to be approved, the oldest first."""
        return self._waiting.shown(self._clock.monotonic_us())

    # ---- the way in ------------------------------------------------------------------------------

    def look_again(self) -> None:
        """The node has another key or address: show that one to who joins from now on."""
        self._changed.set()

    async def keep_door(self) -> None:
        """For ever: open while an invitation is good, also after a restart, and closed after."""
        while True:
            self._changed.clear()
            left_us = self._invites.open_until_us() - self._clock.now_us()
            try:
                if left_us > 0:
                    await self._open("")
                else:
                    await self._listener.close()
            except Failure as failure:
                self._log.warning("join_listener_not_opened", error=str(failure))
            try:
                async with asyncio.timeout(left_us / 1e6 if left_us > 0 else None):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _open(self, address: str) -> tuple[str, ...]:
        """Open the way in; the addresses under which it is found, the likeliest first."""
        host, port = split_address(await self._seat.listen(address))
        local = not is_usable(host) and host.startswith(("127.", "::1"))
        everywhere = "[::]" if ":" in host else "0.0.0.0"  # noqa: S104 - it is meant for others
        # One above the port of the members, so that whoever opens a firewall knows it beforehand.
        got = await self._listener.open(LOOPBACK if local else everywhere, port + 1)
        hosts = (host,) if local else (host, own_host())
        return first_ones([join_address(one, got) for one in hosts], 8)

    # ---- what the joining machine asks -----------------------------------------------------------

    def begin(self, begin: Begin, source: str = "") -> Begun:
        """Let a machine introduce itself. Raises a Failure that says why it may not go on."""
        certificate = _checked(begin)
        if begin.invite_id != KNOCKING:
            now_us = self._clock.now_us()
            self._invites.usable(begin.invite_id, certificate.fingerprint, now_us)
        begun = Begun(
            session=self._chance.token_hex(16),
            nonce=bytes.fromhex(self._chance.token_hex(NONCE_BYTES)),
            cluster_id=self._seat.config.cluster_id,
        )
        ends_us = self._clock.monotonic_us() + PROVE_WITHIN_US
        _put(self._new, begun.session, Session(begin, begun, certificate, source, ends_us))
        return begun

    async def prove(self, prove: Prove) -> Proved:
        """Check the proof, use the invitation, ask the voters. A session has one try."""
        session = self._new.pop(prove.session, None)
        if session is None and prove.session in self._proved:
            raise Failure(
                Code.PERMISSION_DENIED, "this proof was given already",
                path="$.session", next="Begin again.",
            )  # fmt: skip
        if session is None or session.ends_us <= self._clock.monotonic_us():
            raise _forgotten()
        agreed = transcript(session.begin, session.begun, self._seat.identity.certificate)
        secret = await self._check(session, prove, joiner_words(agreed))
        session.ends_us = self._clock.monotonic_us() + POLL_WITHIN_US
        _put(self._proved, prove.session, session)
        word = await self._word(session)
        words = sponsor_words(agreed)
        mac = mac_of(secret, session.begin.invite_id, words) if secret else b""
        return Proved(self._seat.identity.sign(words), mac, word)

    async def poll(self, session_id: str) -> Word:
        """How the joining stands. Raises NOT_FOUND if the session has ended: begin again."""
        session = self._proved.get(session_id)
        if session is None or session.ends_us <= self._clock.monotonic_us():
            self._proved.pop(session_id, None)
            raise _forgotten()
        session.ends_us = self._clock.monotonic_us() + POLL_WITHIN_US
        return await self._word(session)

    async def _check(self, session: Session, prove: Prove, words: bytes) -> bytes:
        """The secret that the proof was made with, used up now; empty for one who knocked."""
        begin, certificate = session.begin, session.certificate
        signed = certificate.verifies(prove.signature, words)
        if begin.invite_id == KNOCKING:
            if not signed:
                raise _unproven("the signature is not over what was agreed on")
            self._knock(session)
            return b""
        now_us = self._clock.now_us()
        invite = self._invites.usable(begin.invite_id, certificate.fingerprint, now_us)
        if not signed:
            left = await self._invites.failed(begin.invite_id)
            raise _unproven("the signature is not over what was agreed on", left)
        if not is_mac_of(prove.mac, invite.secret, begin.invite_id, words):
            left = await self._invites.failed(begin.invite_id)
            raise _unproven("the secret is not the one of the invitation", left)
        await self._invites.use(begin.invite_id, certificate.fingerprint, now_us)
        return invite.secret

    def _knock(self, session: Session) -> None:
        fingerprint = session.certificate.fingerprint
        is_member = self._seat.config.node_of(fingerprint) is not None
        if is_member or self._invites.approval_of(fingerprint, self._clock.now_us()) is not None:
            return
        self._waiting.add(
            session.certificate, session.begin.name, session.begin.address, session.source,
            self._clock.now_us(), self._clock.monotonic_us(),
        )  # fmt: skip

    async def _word(self, session: Session) -> Word:
        certificate = session.certificate
        fingerprint = certificate.fingerprint
        name = session.begin.name
        if self._seat.config.node_of(fingerprint) is None:
            if session.begin.invite_id == KNOCKING:
                approval = self._invites.approval_of(fingerprint, self._clock.now_us())
                if approval is None:
                    self._waiting.find(fingerprint, self._clock.monotonic_us())
                    return Word(Stage.WAITING, "waits to be approved on a member")
                name = approval.name or name
            failure = await self._settle(certificate, name, session.begin.address)
            if failure is not None:
                return Word(Stage.DECIDING, failure)
        seat = self._seat
        return Word(Stage.ADMITTED, "admitted", tuple(seat.history), tuple(seat.proofs))

    async def _settle(self, certificate: Certificate, name: str, address: str) -> str | None:
        """Ask the voters, and wait a little; None once it is a member, else what is waited for."""
        fingerprint = certificate.fingerprint
        task = self._deciding.get(fingerprint)
        if task is None:
            admit = self._admit(certificate, name, address)
            task = self._deciding[fingerprint] = asyncio.create_task(admit)
        await asyncio.wait({task}, timeout=ANSWER_WITHIN_S)
        if not task.done():
            return "the voters have been asked"
        self._deciding.pop(fingerprint, None)
        error = task.exception()
        if isinstance(error, Failure) and error.code not in TERMINAL:
            return error.message
        if error is not None:
            raise error
        return None

    async def _admit(self, certificate: Certificate, name: str, address: str) -> Config:
        """Have the voters take it in as a learner; also right if it is one already."""
        make = _admitting(certificate, name, address)
        try:
            config = await self._seat.change(make)
        except Failure as failure:
            if self._seat.config.node_of(certificate.fingerprint) is None:
                self._log.warning("join_not_decided", error=str(failure))
                raise
            config = self._seat.config
        self._waiting.drop(certificate.fingerprint)
        self._log.info("joined", node=certificate.common_name, name=name, epoch=config.epoch)
        return config

    def _must_vote(self) -> None:
        me = self._seat.config.member(self._seat.identity.node_id)
        if me is None or me.role is not Role.VOTER:
            raise Failure(
                Code.CONFLICT, "this node does not vote yet, so it cannot admit another",
                next="Wait until it has caught up, or do it on another member.",
            )  # fmt: skip


def _admitting(certificate: Certificate, name: str, address: str) -> Callable[[Config], Config]:
    """What makes of a list the one with this machine in it. Raises if it may not be a member."""
    node_id, fingerprint = certificate.common_name, certificate.fingerprint

    def make(config: Config) -> Config:
        if config.node_of(fingerprint) == node_id:
            return config
        if node_id in config.retired or fingerprint in config.revoked:
            raise Failure(
                Code.CONFLICT,
                "this machine was evicted from the cluster, and its key is refused for ever",
                next="Move its data directory away and join with a fresh one.",
            )
        if config.member(node_id) is not None:
            raise Failure(
                Code.CONFLICT,
                f"the node {node_id} is a member already, under another key",
                next="Is it a copy of a member's data directory? Join with a fresh one.",
            )
        told = _unique_name(config, name or f"node-{node_id[:6]}")
        return config.with_learner(node_id, fingerprint, told, address, der_of(certificate.pem))

    return make


def _unique_name(config: Config, name: str) -> str:
    """A name that no member has: lab, or else lab-2, lab-3 and so on."""
    taken = {member.name for member in config.members}
    number, told = 1, name
    while told in taken:
        number += 1
        suffix = f"-{number}"
        told = name.encode()[: NAME_BYTES_MAX - len(suffix)].decode("utf-8", "ignore") + suffix
    return told


def _member_with(config: Config, fingerprint: str) -> Member | None:
    """The member whose key is exactly this one."""
    return next((m for m in config.members if fingerprint in m.fingerprints), None)


def _checked(begin: Begin) -> Certificate:
    """The certificate of an introduction in which everything is as it should be."""
    if begin.protocol != PROTOCOL:
        raise Failure(
            Code.UNIMPLEMENTED,
            f"the joining machine speaks version {begin.protocol}, this member {PROTOCOL}",
            next="Bring both to the same version of aimem.",
        )
    certificate = Certificate.parse(begin.certificate, "the joining machine's certificate")
    if not is_node_id(certificate.common_name):
        raise Failure(Code.INVALID_ARGUMENT, "the certificate does not name a node")
    if len(begin.nonce) != NONCE_BYTES:
        raise Failure(Code.INVALID_ARGUMENT, f"the nonce is not {NONCE_BYTES} bytes")
    _must_be_a_name(begin.name)
    if begin.address:
        split_address(begin.address)
    return certificate


def _must_be_a_name(name: str) -> None:
    if len(name.encode()) > NAME_BYTES_MAX or not name.isprintable():
        raise Failure(
            Code.INVALID_ARGUMENT,
            f"the name is not printable text of at most {NAME_BYTES_MAX} bytes",
            path="$.name",
        )


def _put(sessions: "OrderedDict[str, Session]", key: str, session: Session) -> None:
    sessions[key] = session
    while len(sessions) > SESSIONS_MAX:
        sessions.popitem(last=False)


def _forgotten() -> Failure:
    return Failure(
        Code.NOT_FOUND, "the sponsor does not know this session (any more)",
        path="$.session", next="Begin again.",
    )  # fmt: skip


def _unproven(why: str, left: int | None = None) -> Failure:
    details: dict[str, Any] = {} if left is None else {"tries_left": left}
    more = "" if left is None else f" {left} more tries, then the invitation ends."
    return Failure(
        Code.PERMISSION_DENIED,
        f"the proof was refused: {why}",
        path="$.proof",
        next="Copy the line again." + more,
        details=details,
    )
