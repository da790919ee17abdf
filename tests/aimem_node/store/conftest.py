"""A store in a directory of its own, and pens that write ops as a replica would."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimem_node.store.session import WriteSession
from aimem_node.store.store import Store
from aimem_sync.change import Change, body_for
from aimem_sync.display import Display
from aimem_sync.lamport import next_lamport
from aimem_sync.log import append
from aimem_sync.op import Kind, Op, Origin, Stamp

NOW_US = 1_700_000_000_000_000
HOUR_US = 3_600_000_000


class Pen:
    """Stamps changes as one origin. `session` may be another node's: then it writes there."""

    def __init__(self, digit: str = "a", author: str = "user:ann") -> None:
        self.origin = Origin(digit * 32, digit * 16)
        self.author = author

    def op(self, session: WriteSession, change: Change, key: str = "", at_us: int = NOW_US) -> Op:
        body = body_for(change, session.state(change.record_id), self.origin)
        return append(
            session.head(self.origin),
            Stamp(next_lamport(session.lamport()), at_us, 0),
            change.kind,
            change.record_id,
            body,
            self.author,
            key,
            self.origin,
            lambda chain: b"signed" + chain,
        )

    def write(
        self, session: WriteSession, change: Change, key: str = "", at_us: int = NOW_US
    ) -> Display | None:
        return session.take(self.op(session, change, key, at_us))

    @staticmethod
    def memory(
        record_id: str, title: str = "title", content: str = "content", **more: Any
    ) -> Change:
        """A wish for a whole memory; registers by name, facts among them."""
        facts = {
            "agent_id": more.pop("agent_id", "ai:claude"),
            "author": "user:ann",
            "session": more.pop("session", ""),
            "source": more.pop("source", "api"),
            "happened_at": more.pop("happened_at", None),
            "created_at": more.pop("created_at", NOW_US),
        }
        body = {"title": title, "content": content, "metadata": more.pop("metadata", {})}
        tags = tuple(more.pop("tags", ()))
        registers = {
            "namespace": "global",
            "scope": "private",
            "tier": "mid",
            "priority": 5,
            "confidence": 1.0,
            "expires_at": None,
            "updated_at": facts["created_at"],
            **more,
        }
        return Change(record_id, "memory", {"body": body, "facts": facts, **registers}, tag=tags)

    @staticmethod
    def link(
        record_id: str, source_id: str, target_id: str, relation: str = "related_to"
    ) -> Change:
        body = {
            "source_id": source_id,
            "target_id": target_id,
            "relation": relation,
            "observed_by": "ai:claude",
            "created_at": NOW_US,
            "valid_from": NOW_US,
        }
        return Change(record_id, "link", {"body": body, "valid_until": None})

    @staticmethod
    def edit(record_id: str, type: str = "memory", **registers: Any) -> Change:  # noqa: A002
        return Change(record_id, type, registers)

    @staticmethod
    def delete(record_id: str, type: str = "memory") -> Change:  # noqa: A002
        return Change(record_id, type, {"life": {"is": "deleted"}})

    @staticmethod
    def archive(record_id: str, reason: str = "archive", at_us: int = NOW_US) -> Change:
        life = {"is": "archived", "reason": reason, "at": at_us, "expires_at": None}
        return Change(record_id, "memory", {"life": life})

    @staticmethod
    def purge(record_id: str) -> Change:
        return Change(record_id, "memory", kind=Kind.PURGE)


class Bench:
    """An open store with short words for what tests do all the time."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.failures: list[str] = []
        self.store = Store.open(data_dir, self.failures.append, readers=2)
        self.pen = Pen()

    def do(self, job: Any) -> Any:
        """Run a job on the writer and wait for it."""
        return self.store.writer.submit(job).result(30)

    def see(self, read: Any, budget_ms: int = 20_000) -> Any:
        """Run a read and wait for it."""
        return self.store.readers.submit(read, budget_ms).result(30)

    def put(self, *changes: Change, pen: Pen | None = None, key: str = "") -> Any:
        """Write changes in one job; returns what is shown of the last one's record."""
        chosen = pen or self.pen

        def job(session: WriteSession) -> Any:
            shown = None
            for change in changes:
                shown = chosen.write(session, change, key)
            return shown

        return self.do(job)

    def again(self) -> None:
        """Close and open, as after a restart."""
        self.store.close()
        self.store = Store.open(self.data_dir, self.failures.append, readers=2)


@pytest.fixture
def now_us() -> int:
    return NOW_US


@pytest.fixture
def pen() -> type[Pen]:
    return Pen


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "node")
    yield bench
    bench.store.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Bench]:
    """Another node's store."""
    bench = Bench(tmp_path / "other")
    bench.pen = Pen("b", "user:bob")
    yield bench
    bench.store.close()


@pytest.fixture
def vectored(tmp_path: Path) -> Iterator[Any]:
    """A store whose vectors a test makes."""
    from tests.aimem_node.store.vectored import Vectored  # it stands on what is above

    made = Vectored(tmp_path / "node")
    yield made
    made.store.close()
