"""Rows made again from records that have not changed, after what is shown of them has.

A row is what its record shows by the rules of the version that wrote it, and it is written again
only when its record is. Where two wrote at once the rules have been refined since, so a file of an
earlier version brings rows that no version of now would make.
"""

from __future__ import annotations

import json
from typing import Any, Final

import apsw

from aimem_node.store.index import Index
from aimem_node.store.ledger import Ledger
from aimem_node.store.shelf import Renewal, Shelf
from aimem_node.store.view import View, kept_record
from aimem_sync.display import display
from aimem_sync.faults import PeerFault

RECORDS_AT_ONCE: Final = 500


def show_again(connection: apsw.Connection) -> None:
    """Make the rows of every record of which two heads stand side by side.

    Inside a transaction, on a file that has all its tables. What cannot be read is left as it is,
    for `verify` to tell of.
    """
    view, index = View(connection), Index(connection)
    shelf = Shelf(connection, Ledger(connection), index)
    after = ""
    while page := view.record_rows(after, RECORDS_AT_ONCE):
        after = page[-1][0]
        shelf.put([one for row in page if (one := _again(row)) is not None])
    index.write()


def _again(row: tuple[Any, ...]) -> Renewal | None:
    encoded = row[1]
    try:
        heads = json.loads(encoded).get("h", {})
        if all(len(versions) < 2 for versions in heads.values()):
            return None  # most are such, and are not worth being read as a whole
        kept = kept_record(row)
    except (ValueError, LookupError, TypeError, AttributeError, PeerFault):
        return None
    shown = display(kept.state)
    # Neither is a state to be kept at hand, nor is it known whether other ops speak of it.
    return Renewal(
        kept, kept.born_lamport, kept.born_id, kept.state.type, kept.hash, encoded, shown,
        state=None, told=None,
    )  # fmt: skip
