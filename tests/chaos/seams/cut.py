"""A writer that is killed at a random call of its disk, again and again: python cut.py DIR SYNC N.

Each round is a process of its own, forked: SIGKILL must not be talked out of anything. Prints what
each round told somebody, what was found after the power cut, and what was taken back, as JSON.
"""

import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import apsw

from chaos.seams import disk as disks
from chaos.seams.disk import Disk, lose_unsynced

ROWS_MAX = 40
CALLS_MAX = 260
NAME = "aimem.db"


def write(data_dir: Path, sync: str, chance: random.Random, tell: int) -> None:
    """Commit rows and say so, until the disk strikes."""
    Disk(data_dir).mount()
    left = chance.randrange(1, CALLS_MAX)

    def strike() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    file: Any = disks._File
    for name in ("xWrite", "xSync", "xTruncate"):
        setattr(file, name, _struck(getattr(file, name), strike))
    connection = apsw.Connection(str(data_dir / NAME))
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", sync)
    connection.wal_autocheckpoint(chance.choice([0, 4, 1000]))
    for row in range(ROWS_MAX):
        size = chance.choice([10, 10, 6_000])
        connection.execute("INSERT INTO t VALUES(?, ?)", (row, chance.randbytes(size)))
        os.write(tell, f"{row}\n".encode())
        if chance.random() < 0.1:
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    os.kill(os.getpid(), signal.SIGKILL)


def _struck(call: Any, strike: Any) -> Any:
    def struck(*given: Any) -> Any:
        strike()
        answer = call(*given)
        strike()
        return answer

    return struck


def one(home: Path, sync: str, seed: int) -> dict[str, Any]:
    """One life and death of a store."""
    data_dir = home / f"{sync}-{seed}"
    data_dir.mkdir()
    with apsw.Connection(str(data_dir / NAME)) as connection:
        connection.execute("CREATE TABLE t(row INTEGER PRIMARY KEY, text)")
    connection.close()
    hear, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(hear)
        write(data_dir, sync, random.Random(seed), tell)
    os.close(tell)
    with os.fdopen(hear) as heard:
        told = [int(row) for row in heard.read().split()]
    os.waitpid(child, 0)
    taken_back = lose_unsynced(data_dir, random.Random(seed))
    left = apsw.Connection(str(data_dir / NAME))
    rows = [row for (row,) in left.execute("SELECT row FROM t ORDER BY row")]
    sound = left.execute("PRAGMA integrity_check").get
    left.close()
    return {"told": told, "rows": rows, "sound": sound, "taken_back": taken_back}


if __name__ == "__main__":
    where, how, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    print(json.dumps([one(where, how, seed) for seed in range(count)]))
