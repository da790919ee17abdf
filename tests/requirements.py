"""The promises, as data: each with the tests that would catch us breaking it.

One row for each promise (A1 ... H). `TESTED` rows name tests that exist, and test_requirements.py
fails when one does not; a row is never struck out, it is only ever tested or named as still to
come, with the issue that brings it. The failures behind the promises are systems of this kind as
they were shipped, not guesses.
"""

from dataclasses import dataclass
from enum import Enum


class Status(Enum):
    """How far a promise is kept."""

    TESTED = "tested"
    "Every test it names exists and must pass."
    PARTLY = "partly"
    "What a single node can show is tested; the rest comes with the issue that it names."
    PLANNED = "planned"
    "In reach of the present work: the tests it names are still to be written."
    LATER = "later"
    "Comes with the issue that it names."


@dataclass(frozen=True, slots=True)
class Promise:
    """One row."""

    text: str
    """What must always be true."""
    status: Status
    tests: tuple[str, ...] = ()
    """As pytest names them: path::function, or a path for all of a file."""
    issue: int = 0
    """Of LATER and PARTLY: which piece of work brings the (rest of the) proof."""


def tested(text: str, *tests: str) -> Promise:
    """A promise whose tests exist."""
    return Promise(text, Status.TESTED, tests)


def partly(text: str, issue: int, *tests: str) -> Promise:
    """A promise of which one node's share is tested."""
    return Promise(text, Status.PARTLY, tests, issue)


def planned(text: str, *tests: str) -> Promise:
    """A promise within reach whose tests are still to be written, under these names."""
    return Promise(text, Status.PLANNED, tests)


def later(issue: int, text: str) -> Promise:
    """A promise that a later issue makes."""
    return Promise(text, Status.LATER, (), issue)


CLUSTER, SURFACE, RECALL, CHAOS = 3, 4, 5, 6

PROMISES: dict[str, Promise] = {
    # A. Quorum writing
    "A1": later(CLUSTER, "W decides when we answer, never who receives"),
    "A2": planned(
        "a retry with the same request key changes nothing and gives the first answer",
        "tests/surfaces/test_writing.py::test_a_retry_with_the_same_key_gives_the_first_answer",
        "tests/chaos/test_kill.py::test_a_killed_node_keeps_every_acknowledged_memory_and_none_twice",
    ),
    "A3": later(CLUSTER, "acks are counted by pinned identity, never by address"),
    "A4": later(CLUSTER, "a write has one monotonic deadline"),
    "A5": later(
        CLUSTER, "an ack names ops that are on disk; anything else is a nack with a reason"
    ),
    "A6": planned(
        "only the node opens the store; every client goes through it",
        "tests/surfaces/test_one_door.py::test_every_way_in_works_with_the_database_file_unreadable",
    ),
    "A7": partly(
        "every state change of every kind is an op in one log",
        CLUSTER,
        "tests/surfaces/test_one_door.py::test_every_writing_operation_appends_an_op",
    ),
    "A8": later(CLUSTER, "ops made by background work pass the same door as any other"),
    "A9": partly(
        "unknown kinds and fields are kept and relayed byte for byte",
        CLUSTER,
        "tests/aimem_sync/test_op.py",
    ),
    "A10": later(CLUSTER, "a TLS or identity failure is reported as one, with the peer's name"),
    "A11": later(CLUSTER, "back-pressure, never a silent drop"),
    "A12": later(CLUSTER, "heal time after a partition is bounded and measured"),
    # B. Catch-up and ordering
    "B1": planned(
        "a cursor advances over a contiguous, durable prefix, in the rows' own transaction",
        "tests/aimem_node/store/test_session.py::test_a_gap_is_refused_and_leaves_the_cursor",
        "tests/aimem_node/store/test_crash.py::test_nothing_acknowledged_is_lost_when_killed",
    ),
    "B2": later(CLUSTER, "a source returns the position it examined, not the one it sent"),
    "B3": later(CLUSTER, "cursors are per-origin integers without ties"),
    "B4": later(CLUSTER, "a cursor never depends on wall time; a relayed op keeps its origin"),
    "B5": later(CLUSTER, "push and pull read one log"),
    "B6": partly(
        "one codec for every way an op or a record travels",
        CLUSTER,
        "tests/aimem_node/contract/test_codec.py",
        "tests/aimem_node/operations/test_transfer.py",
    ),
    "B7": later(CLUSTER, "repeated failure is loud: log, metric, status, readiness"),
    "B9": later(CLUSTER, "catch-up drains until level"),
    "B10": later(CLUSTER, "one task for each peer; a stuck one delays nobody"),
    "B11": partly(
        "order is (Lamport, origin); the losing version is kept and visible",
        CLUSTER,
        "tests/aimem_sync/test_merge.py",
        "tests/aimem_sync/test_lamport.py",
    ),
    "B12": tested(
        "identity is the record's id; every merge rule commutes, associates and repeats",
        "tests/aimem_sync/test_merge.py",
        "tests/aimem_sync/test_display.py",
    ),
    "B14": later(CLUSTER, "version N and N+1 run together"),
    # C. Deletion
    "C1": planned(
        "a delete is an op; only a causally later write revives",
        "tests/aimem_sync/test_display.py",
    ),
    "C2": planned(
        "every write path meets the delete in its own transaction",
        "tests/aimem_node/operations/test_archive.py::test_a_deleted_memory_stays_deleted_on_every_path",
    ),
    "C4": planned(
        "erasing removes the text from store, full text, history, answers kept and log",
        "tests/aimem_node/operations/test_forgetting.py::test_an_erased_text_is_in_no_file",
    ),
    "C5": later(CLUSTER, "deletes are collected only after every member's cursor has passed"),
    "C6": planned(
        "content that was deleted can be stored again",
        "tests/aimem_node/operations/test_memories.py::test_deleted_content_can_be_stored_again",
    ),
    # D. Identity
    "D1": planned(
        "the principal comes from the connection; a request's agent id is a claim, checked",
        "tests/aimem_node/rpc/test_principals.py::test_a_claim_never_makes_a_caller_somebody_else",
    ),
    "D2": planned(
        "internal principals cannot be spelled on the wire",
        "tests/aimem_node/rpc/test_principals.py::test_reserved_names_are_refused_however_spelled",
    ),
    "D3": later(CLUSTER, "a node's id is bound to its pinned key"),
    "D4": later(CLUSTER, "a node holds, and a caller sees, only what was granted"),
    "D6": planned(
        "no plaintext and no anonymous caller outside loopback",
        "tests/aimem_node/test_config.py::test_plaintext_beyond_loopback_is_refused",
    ),
    "D7": partly(
        "strict lists with line numbers, live reload, two fingerprints during rotation",
        CLUSTER,
        "tests/aimem_node/rpc/test_access.py",
    ),
    "D8": later(CLUSTER, "ops are verified against their origin's key; replaying one does nothing"),
    "D10": planned(
        "import stamps the importer and keeps the original author as a claim",
        "tests/aimem_node/operations/test_transfer.py::test_an_import_is_stamped_with_the_importer",
    ),
    "D11": planned(
        "a stock MCP client works against its local node; each refusal names the fix",
        "tests/surfaces/test_mcp.py::test_a_stock_client_works_without_set_up",
    ),
    "D12": planned(
        "a malformed list refuses to start, or keeps the last good one on reload",
        "tests/aimem_node/rpc/test_access.py::test_a_malformed_list_never_becomes_an_empty_one",
    ),
    "D13": planned(
        "ids never reach paths; secrets are typed and redacted",
        "tests/surfaces/test_bad_input.py::test_an_id_that_looks_like_a_path_is_only_an_id",
    ),
    # E. Governance
    "E1": later(SURFACE, "one resolver for display and for enforcement"),
    "E2": later(SURFACE, "the gate stands at the single append point"),
    "E4": later(SURFACE, "an error while looking up a rule is a refusal, with its own error"),
    "E5": partly(
        "check and count in one transaction",
        SURFACE,
        "tests/aimem_node/operations/test_memories.py::test_a_title_cannot_be_taken_twice_at_once",
    ),
    "E8": later(SURFACE, "requester is not approver; a vote is a fact; the op is done once"),
    "E9": later(SURFACE, "policy is parsed strictly, and the default is to deny"),
    "E10": planned(
        "each operation declares its role; a missing declaration fails start-up",
        "tests/aimem_node/contract/test_operations.py::test_an_operation_without_a_role_is_refused",
    ),
    # F. Outbound calls
    "F1": later(SURFACE, "an outbound call goes only to an address that was checked"),
    "F2": later(SURFACE, "webhooks are signed over time, delivery and body"),
    "F3": later(SURFACE, "a webhook follows the log with its own cursor"),
    "F5": planned(
        "every inbound size is capped",
        "tests/surfaces/test_bad_input.py::test_a_body_that_is_too_large_is_refused_as_such",
    ),
    # G. Storage and index
    "G1": later(RECALL, "the vector index never evicts; vectors are finite and of one model"),
    "G2": later(RECALL, "the vector index is a cache that is verified and rebuilt online"),
    "G3": later(CLUSTER, "every applied record gets its vector on the node that holds it"),
    "G4": partly(
        "the filter is part of the search",
        RECALL,
        "tests/aimem_node/store/test_search.py::test_one_row_among_many_is_found_in_its_namespace",
    ),
    "G5": partly(
        "the answer says which mode ran and what was unavailable",
        RECALL,
        "tests/aimem_node/operations/test_recall.py",
    ),
    "G6": planned(
        "archive is a state of the record: nothing is lost by it",
        "tests/aimem_node/operations/test_archive.py::test_a_restored_memory_is_what_it_was",
    ),
    "G7": planned(
        "every released schema migrates with real rows, after an automatic backup",
        "tests/aimem_node/store/test_database.py::test_an_older_file_is_backed_up_and_migrated",
    ),
    "G8": planned(
        "export and import prove counts and hashes; partial is a failure",
        "tests/aimem_node/operations/test_transfer.py::test_an_export_taken_in_again_is_the_same",
    ),
    "G9": planned(
        "query text never reaches full-text syntax",
        "tests/aimem_node/store/test_fulltext.py::test_no_query_is_syntax",
    ),
    "G10": later(RECALL, "model calls have a budget and hold no lock"),
    # H. Chaos evidence
    "H": partly(
        "faults are real, runs without acknowledgements fail, and checkers are seen to fail",
        CHAOS,
        "tests/chaos/test_verdict.py",
        "tests/chaos/test_kill.py",
    ),
}
