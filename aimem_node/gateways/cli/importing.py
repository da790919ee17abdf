"""`aimem import`: take an export in, page by page, and account for every record of it.

Each page carries a request key, so a page whose answer was lost is sent again without harm.
A record that the node refuses is named and left out, the rest of its page goes in, and the
command then ends with a failure: what is missing is never reported as done.
"""

from __future__ import annotations

import json
import os
import sys
import time

from aimem_node.gateways.cli import arguments, failures, fast
from aimem_node.gateways.cli import surface as surfaces
from aimem_node.gateways.cli.call import KEY, Caller
from aimem_node.gateways.cli.progress import Bar
from aimem_node.gateways.cli.proof import canonical
from aimem_node.gateways.cli.records import Records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from aimem_node.gateways.cli.records import Item

RECORDS_PER_PAGE = 500
"""Half of what the contract takes at once."""
PAGE_BYTES_MAX = 1_000_000
"""Half of the largest body a node takes."""
ATTEMPTS = 4
"""For a page whose answer did not come. The request key makes sending it again safe."""
PAUSE_S = 0.5
"""Doubles with every attempt."""
REFUSED_SHOWN_MAX = 10
FILE: dict[str, Any] = {"name": "file", "kind": "string", "positional": True}
PARTIAL: dict[str, Any] = {"name": "partial", "kind": "bool"}
"""What the command takes besides the fields of its operation."""


class Tally:
    """What has become of the records so far."""

    def __init__(self) -> None:
        self.done = {"imported": 0, "unchanged": 0, "updated": 0, "restamped": 0, "links": 0}
        self.sent = 0
        self.refused: list[tuple[str, str, failures.CallFailure]] = []
        """Where the record stands, what it is called, and why the node would not have it."""
        self.pending: dict[str, Any] | None = None
        """What the last page said that is not yet on enough nodes."""
        self.waiting = 0
        """Records that go in only once somebody has approved it."""
        self.unaccounted = 0
        """Memories that were sent and of which the node said nothing."""

    def add(self, name: str, answer: dict[str, Any], records: int) -> None:
        """Count in the answer to a page of "memories" or "links"."""
        said = {one: int(answer.get(one) or 0) for one in self.done}
        for one in self.done:
            self.done[one] += said[one]
        self.sent += records
        write = answer.get("write")
        if isinstance(write, dict) and write.get("outcome", "committed") != "committed":
            self.pending = write
            if write["outcome"] == "awaiting_approval":
                self.waiting += records
                return
        if name == "memories":
            told = said["imported"] + said["unchanged"] + said["updated"]
            self.unaccounted += max(0, records - told)


class Importer:
    """Sends pages of one export."""

    def __init__(
        self, caller: Caller, operation: dict[str, Any], values: dict[str, Any], tally: Tally
    ) -> None:
        self._caller = caller
        self._operation = operation
        self._values = values
        self._tally = tally
        # Not made from the content: importing once more after a delete must bring it back.
        self._key = str(values.get(KEY) or "import-" + os.urandom(12).hex())
        self._pages = 0

    def send(self, name: str, items: list[Item]) -> None:
        """Send one page of "memories" or "links". Raises CallFailure when it cannot be sent."""
        while items:
            self._pages += 1
            key = f"{self._key}:{self._pages}"
            values = self._values | {name: [item[2] for item in items], KEY: key}
            try:
                answer = answered(self._caller, self._operation, values)
            except failures.CallFailure as failure:
                index = refused_index(failure, name)
                if index is None or index >= len(items):
                    raise
                _, where, content = items[index]
                self._tally.refused.append((where, called(content), failure))
                items = [*items[:index], *items[index + 1 :]]
                continue
            self._tally.add(name, json.loads(answer), len(items))
            return


def answered(caller: Caller, operation: dict[str, Any], values: dict[str, Any]) -> bytes:
    """The answer to one write with a request key, asked for again while its fate is open."""
    pause_s = PAUSE_S
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return caller.call(operation, dict(values))
        except failures.CallFailure as failure:
            passing = failure.code in ("LIMITED", "NOT_WRITTEN")
            if attempt == ATTEMPTS or (failure.definite and not passing):
                raise
        time.sleep(pause_s)
        pause_s *= 2
    raise AssertionError("the last attempt returns or raises")


def run(rest: list[str], settings: dict[str, Any], env: Mapping[str, str]) -> int:
    """Import the file named in rest; 0 only if every record of it is in."""
    operation = surfaces.find(surfaces.load(), "import")
    if operation is None:
        raise failures.CallFailure("UNIMPLEMENTED", "this build has no import")
    own = arguments.with_own(operation, FILE, PARTIAL)
    values = arguments.Reading("import", own, settings).read(rest)
    partial = values.pop(PARTIAL["name"], False) is True
    name = values.pop(FILE["name"], None)
    fast.fill_in(operation, values, settings)
    caller = Caller(settings, env)
    if name is None and ("memories" in values or "links" in values):
        return fast.print_answer(operation, caller.call(operation, values), settings)
    if name is None:
        raise failures.usage(
            "aimem import needs one FILE, or - for standard input", "See: aimem help import"
        )
    records = Records.open(name)
    try:
        return _import(records, partial, caller, operation, values, settings)
    finally:
        records.close()


def _import(
    records: Records, partial: bool, caller: Caller, operation: dict[str, Any],
    values: dict[str, Any], settings: dict[str, Any],
) -> int:  # fmt: skip
    if records.problems and not partial:
        raise failures.CallFailure(
            "CORRUPT",
            f"this export is not whole: {'; '.join(records.problems)}. Nothing was imported",
            next_step="Make the export again, or take in what is there with --partial.",
        )
    tally = Tally()
    importer = Importer(caller, operation, values, tally)
    total = records.memories + records.links
    stopped: failures.CallFailure | None = None
    with Bar("importing", total, sys.stderr) as bar:
        try:
            for name, items in (
                ("memories", records.memory_items()),
                ("links", records.link_items()),
            ):
                for page in pages(items):
                    importer.send(name, page)
                    bar.reach(tally.sent)
        except failures.CallFailure as failure:
            stopped = failure
    _report(records, tally, settings)
    return _verdict(records, tally, stopped)


def pages(items: Iterator[Item]) -> Iterator[list[Item]]:
    """Items in pages within both bounds; an item larger than a page has one of its own."""
    page: list[Item] = []
    size = 0
    for item in items:
        item_bytes = len(canonical(item[2])) + 1
        if page and (len(page) == RECORDS_PER_PAGE or size + item_bytes > PAGE_BYTES_MAX):
            yield page
            page, size = [], 0
        page.append(item)
        size += item_bytes
    if page:
        yield page


def refused_index(failure: failures.CallFailure, name: str) -> int | None:
    """Which record of a page a failure points at: 3 for "$.memories[3].title"; None if none."""
    begin = f"$.{name}["
    if not failure.definite or not failure.path.startswith(begin):
        return None
    number = failure.path[len(begin) :].partition("]")[0]
    return int(number) if number.isdigit() else None


def called(content: dict[str, Any]) -> str:
    """A record's title, or what else names it."""
    link = f"{content.get('source_id')} -> {content.get('target_id')}"
    return str(content.get("title") or content.get("id") or link)[:80]


def _report(records: Records, tally: Tally, settings: dict[str, Any]) -> None:
    missing = records.memories + records.links - tally.sent + tally.unaccounted + tally.waiting
    if settings.get("json"):
        refused = [
            {"at": where, "name": name} | failure.to_json()
            for where, name, failure in tally.refused
        ]
        said = tally.done | {"missing": missing, "refused": refused, "problems": records.problems}
        sys.stdout.write(json.dumps(said, ensure_ascii=False) + "\n")
        return
    done = tally.done
    sys.stdout.write(
        f"{done['imported']} imported, {done['updated']} updated, {done['unchanged']} unchanged, "
        f"{done['links']} links new\n"
    )
    if done["restamped"]:
        failures.note(
            f"{done['restamped']} records now name you as their agent; the original is in their "
            "metadata (--trust-source keeps it)"
        )
    for name, times in records.left_out.items():
        failures.note(f"field {name!r} of {times} records has no place here and was left out")


def _verdict(records: Records, tally: Tally, stopped: failures.CallFailure | None) -> int:
    """0 if everything is in; else the failure's exit code, after saying what is missing."""
    total = records.memories + records.links
    for where, name, failure in tally.refused[:REFUSED_SHOWN_MAX]:
        failures.note(f"missing: {where} ({name}): {failure.sentence()}")
    if len(tally.refused) > REFUSED_SHOWN_MAX:
        failures.note(f"missing: {len(tally.refused) - REFUSED_SHOWN_MAX} more, see --json")
    if stopped is not None:
        stopped.show(sys.stderr)
        failures.note(f"stopped: {total - tally.sent} of {total} records are not in")
        return stopped.exit_code or 1
    if tally.refused:
        failures.note(f"{len(tally.refused)} of {total} records were refused and are not in")
        return tally.refused[0][2].exit_code or 1
    if tally.unaccounted:
        failures.note(f"the node did not say what became of {tally.unaccounted} memories")
        return failures.EXITS["CORRUPT"]
    if records.problems:
        failures.note(f"the export was not whole: {'; '.join(records.problems)}")
        return failures.EXITS["CORRUPT"]
    if tally.waiting:
        failures.note(f"{tally.waiting} of {total} records wait for approval and are not in yet")
    if tally.pending is not None:
        failures.note(failures.pending(tally.pending))
        return failures.PENDING_EXIT
    return 0
