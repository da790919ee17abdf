"""Sessions that write and read, keep a token each, and never believe more than they were told.

A session that got no answer asks again under the same request key, and a refusal by another node
then does not take back what may have happened on the first.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from aimem_sync.change import Change
from aimem_sync.cursor import Cursor
from aimem_sync.effects import Answer, Changed, Outcome, RefuseRead
from aimem_sync.members import Config, Member
from tests.sim.world import MS, SECOND, Node, World, node_name

PATIENCE_US = 3 * SECOND
"""After this long without an answer a client takes its outcome for unknown."""


@dataclass
class Session:
    """One client: one thing at a time."""

    number: int
    home: str
    seen: Cursor = field(default_factory=Cursor)
    request: int = 0
    "The one it waits for; 0 if none."
    reading: bool = False
    key: str = ""
    change: Change | None = None
    tries: int = 0
    count: int = 0
    needed: int = 0
    eligible: frozenset[str] | None = None


class Clients:
    """All sessions of a run."""

    def __init__(self, world: World, sessions: int, *, w_any: bool, pending: float) -> None:
        self.world = world
        self.rng = world.rng
        self.w_any = w_any
        self.pending = pending
        self.stopped = False
        self.reads = 0
        names = sorted(world.first.everyone)
        self.sessions = [Session(i, self.rng.choice(names)) for i in range(sessions)]
        self.of: dict[int, Session] = {}
        world.on_answer = self.answered
        world.on_read = self.read_done
        for session in self.sessions:
            world.after(self.rng.randint(700 * MS, SECOND), self.next, session)

    def next(self, session: Session) -> None:
        """Begin something new, or try again what was left open."""
        if self.stopped:
            return
        rng, world = self.rng, self.world
        names = sorted(world.latest().everyone)
        if session.home not in names or rng.random() < 0.15:
            session.home = rng.choice(names)
        node = world.nodes[session.home]
        if node.core is None:
            world.after(100 * MS, self.next, session)
            return
        if session.key and session.tries < 6:
            self._write(session)
        elif rng.random() < 0.25:
            session.reading = True
            wait = rng.choice((0, 100, 500)) * MS
            self._expect(session, world.last_request + 1)
            world.read(session.home, session.seen, wait)
        else:
            session.count += 1
            session.key = f"k{session.number}-{session.count}"
            session.change = self._change(session)
            session.tries = 0
            voters = len(world.first.voters)
            session.needed, session.eligible = 0, None
            if self.w_any and rng.random() < 0.3:
                session.needed = rng.randint(1, voters)
            if self.w_any and rng.random() < 0.2:
                # A namespace that only some may hold: this node alone, or with another one.
                session.eligible = frozenset({session.home, rng.choice(names)})
            self._write(session)

    def _write(self, session: Session) -> None:
        assert session.change is not None
        session.tries += 1
        session.reading = False
        self._expect(session, self.world.last_request + 1)
        self.world.write(
            session.home, session.change, session.key, needed=session.needed,
            wait_us=self.rng.choice((50, 300, 1_000)) * MS,
            allow_pending=self.rng.random() < self.pending, eligible=session.eligible,
        )  # fmt: skip

    def _expect(self, session: Session, request: int) -> None:
        session.request = request
        self.of[request] = session
        self.world.after(PATIENCE_US, self._unknown, session, request)

    def _unknown(self, session: Session, request: int) -> None:
        if session.request == request:
            self.world.notes["unknown"] += 1
            session.request = 0
            self.next(session)

    def answered(self, node: Node, answer: Answer) -> None:
        session = self.of.get(answer.request)
        if session is None or session.request != answer.request:
            return
        session.request = 0
        self.world.notes[answer.outcome.value] += 1
        dot = node.disk.known(session.key)
        if dot is not None and answer.outcome is not Outcome.NOT_WRITTEN:
            session.seen = session.seen.merge(Cursor({dot.origin: dot.seq}))
        if answer.outcome is Outcome.COMMITTED or session.tries >= 4:
            session.key = ""
        self.world.after(self.rng.randint(10 * MS, 150 * MS), self.next, session)

    def read_done(self, node: Node, read: int, refused: RefuseRead | None) -> None:
        session = self.of.get(read)
        if session is None or session.request != read:
            return
        session.request = 0
        have = node.disk.image.have()
        if refused is None:
            self.reads += 1
            if not have.dominates(session.seen):
                self.world.oracles.fail("I9", "a read has missed what its session had seen")
            session.seen = session.seen.merge(have)
        else:
            self.world.notes["read lost" if refused.lost else "read refused"] += 1
            # What is gone for good is taken out of the token, or no read would ever be served.
            if refused.lost:
                gone = {r.origin: have.get(r.origin) for r in refused.missing}
                session.seen = Cursor({**session.seen.seqs, **gone})
        self.world.after(self.rng.randint(10 * MS, 100 * MS), self.next, session)

    def _change(self, session: Session) -> Change:
        rng = self.rng
        record = f"r{rng.randint(1, 6)}" if rng.random() < 0.7 else f"n-{session.key}"
        word = f"{session.key}-{rng.randint(0, 99)}"
        draw = rng.random()
        if draw < 0.45:
            return Change(record, "memory", set={rng.choice(("title", "content")): word})
        if draw < 0.65:
            return Change(record, "memory", tag=(rng.choice("ab"),))
        if draw < 0.8:
            return Change(record, "memory", untag=(rng.choice("ab"),))
        if draw < 0.9:
            return Change(record, "memory", count={"recalls": rng.randint(1, 3)})
        return Change(record, "memory", set={"life": {"is": "deleted"}})


class Operators:
    """Ask for changes of members, again and again until it is so."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rng = world.rng
        self.stopped = False
        self.wanted: list[tuple[str, str]] = []
        "(verb, node) still to be done."
        self.new_keys: dict[str, str] = {}
        "Of nodes whose key is being replaced."
        world.on_changed = self.changed

    def want(self, verb: str, name: str) -> None:
        self.wanted.append((verb, name))
        self._try(verb, name)

    def _try(self, verb: str, name: str) -> None:
        if self.stopped or (verb, name) not in self.wanted:
            return
        world = self.world
        if self._is_done(verb, name, world.latest()):
            self.wanted.remove((verb, name))
            world.notes[verb] += 1
            self._after(verb, name)
            return
        able = [n for n in sorted(world.latest().voters) if world.nodes[n].core is not None]
        if verb != "rotate":
            able = [n for n in able if n != name]
        # Two operators at once: their wishes must not both come true for one epoch.
        for proposer in self.rng.sample(able, min(len(able), self.rng.choice((1, 1, 2)))):
            core = world.nodes[proposer].core
            new = self._next(verb, name, core.config) if core is not None else None
            if new is not None:
                world.change(proposer, new)
        world.after(self.rng.randint(300 * MS, 900 * MS), self._try, verb, name)

    def _is_done(self, verb: str, name: str, config: Config) -> bool:
        if verb == "rotate":
            member = config.member(name)
            return member is None or member.fingerprints == (self.new_keys.get(name),)
        return {
            "join": name in config.everyone,
            "promote": name in config.voters,
            "evict": name not in config.everyone,
        }[verb]

    def _next(self, verb: str, name: str, now: Config) -> Config | None:
        """The epoch that comes nearer to what is wanted; None if it is not the time for it."""
        member = now.member(name)
        if verb == "join":
            return (
                now.with_learner(name, self.world.nodes[name].fingerprint) if not member else None
            )
        if member is None:
            return None
        if verb == "promote":
            return now.with_voter(name)
        if verb == "evict":
            return now.without(name) if len(now.voters) > 1 else None
        return self._rotate(name, now, member)

    def _rotate(self, name: str, now: Config, member: Member) -> Config | None:
        node = self.world.nodes[name]
        new = self.new_keys.get(name) or self.new_keys.setdefault(name, self.world.new_key(name))
        if new not in member.fingerprints:
            return now.with_key(name, new)
        if node.fingerprint != new:
            # Who has not yet heard of the new key could not be talked to any more.
            if all(n.disk.image.history[-1].node_of(new) == name for n in self.world.members()):
                node.fingerprint = new
            return None
        old = next((key for key in member.fingerprints if key != new), None)
        return now.without_key(name, old) if old is not None else None

    def _after(self, verb: str, name: str) -> None:
        world = self.world
        if verb == "evict":
            world.oracles.lost_disk(name)
            if self.rng.random() < 0.5:
                world.after(self.rng.randint(500 * MS, 2 * SECOND), self._rejoin, name)
        elif verb == "join":
            self.give_chain(name)
            world.start(name)
            self.want("promote", name)
        elif verb == "rotate":
            self.new_keys.pop(name, None)

    def _rejoin(self, name: str) -> None:
        """The box of an evicted node comes back as another one, with nothing of the old."""
        if not self.stopped and not self.wanted:
            self.world.crash(name)
            new = node_name(len(self.world.nodes) + 1)
            self.world.add(new)
            self.world.notes["rejoin"] += 1
            self.want("join", new)

    def give_chain(self, name: str) -> None:
        """What a sponsor gives to a newcomer: every epoch that was decided, with its proof."""
        best = max(self.world.nodes.values(), key=lambda n: n.disk.epoch()).disk.image
        image = self.world.nodes[name].disk.image
        image.history, image.proofs = list(best.history), dict(best.proofs)

    def changed(self, node: Node, changed: Changed) -> None:
        self.world.notes["change won" if changed.won else "change lost"] += 1
