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
    "In reach of the present work: some of the tests it names are still to be written."
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
    """Which later piece of work brings the proof, or the rest of it; 0 when none is needed."""


def tested(text: str, *tests: str) -> Promise:
    """A promise whose tests exist."""
    return Promise(text, Status.TESTED, tests)


def partly(text: str, issue: int, *tests: str) -> Promise:
    """A promise of which one node's share is tested."""
    return Promise(text, Status.PARTLY, tests, issue)


def planned(text: str, *tests: str, issue: int = 0) -> Promise:
    """A promise within reach, some of whose tests are still to be written, under these names."""
    return Promise(text, Status.PLANNED, tests, issue)


def later(issue: int, text: str) -> Promise:
    """A promise that a later issue makes."""
    return Promise(text, Status.LATER, (), issue)


CLUSTER, SURFACE, RECALL, CHAOS = 3, 4, 5, 6
"""The issues that are still to come, by what they bring."""

SYNC = "tests/aimem_sync/"
STORE = "tests/aimem_node/store/"
OPERATIONS = "tests/aimem_node/operations/"
RPC = "tests/aimem_node/rpc/"
SURFACES = "tests/surfaces/"
CONTRACT = "tests/aimem_node/contract/"
GATEWAYS = "tests/aimem_node/gateways/"

PROMISES: dict[str, Promise] = {
    # A. Quorum writing
    "A1": later(CLUSTER, "W decides when we answer, never who receives"),
    "A2": partly(
        "a retry with the same request key changes nothing and gives the first answer",
        CLUSTER,
        OPERATIONS + "test_memories.py::test_a_retry_with_the_request_key_does_nothing_twice",
        OPERATIONS + "test_memories.py::test_a_request_key_used_for_another_request_is_refused",
        SURFACES + "test_behaviours.py::test_a_request_key_makes_a_retry_safe",
        "tests/chaos/test_kill.py::"
        "test_a_killed_node_keeps_every_acknowledged_memory_and_none_twice",
    ),
    "A3": later(CLUSTER, "acks are counted by pinned identity, never by address"),
    "A4": later(CLUSTER, "a write has one monotonic deadline"),
    "A5": later(CLUSTER, "an ack names ops that are on disk; anything else is a nack and says why"),
    "A6": tested(
        "only the node opens the store; every client goes through it",
        SURFACES + "test_one_door.py::test_every_way_in_works_with_the_database_unreadable_to_it",
        SURFACES + "test_one_door.py::"
        "test_the_guard_of_that_test_does_catch_a_client_that_opens_the_store",
    ),
    "A7": partly(
        "every state change of every kind is an op in one log",
        CLUSTER,
        SURFACES + "test_one_door.py::test_every_writing_operation_appends_an_op",
    ),
    "A8": partly(
        "ops made by background work pass the same door as any other",
        CLUSTER,
        OPERATIONS + "test_recall.py::test_flushed_recalls_are_ops_and_make_no_event",
    ),
    "A9": partly(
        "unknown kinds and fields are kept and relayed byte for byte",
        CLUSTER,
        SYNC + "test_op.py::test_an_op_of_any_kind_is_read_back_as_it_was_written",
        SYNC + "test_merge.py::"
        "test_unknown_kinds_and_withheld_bodies_say_nothing_until_they_can_be_read",
    ),
    "A10": later(CLUSTER, "a TLS or identity failure is reported as one, with the peer's name"),
    "A11": later(CLUSTER, "back-pressure, never a silent drop"),
    "A12": later(CLUSTER, "heal time after a partition is bounded and measured"),
    # B. Catch-up and ordering
    "B1": partly(
        "a cursor advances over a contiguous, durable prefix, in the rows' own transaction",
        CLUSTER,
        STORE + "test_session.py::test_an_op_after_a_gap_is_refused_and_nothing_of_it_kept",
        STORE + "test_writer.py::test_a_job_that_fails_loses_only_its_own_changes",
        STORE + "test_writer.py::test_a_killed_node_has_every_acknowledged_write_once",
        STORE + "test_writer.py::test_after_a_failed_sync_nothing_is_believed_any_more",
    ),
    "B2": later(CLUSTER, "a source returns the position it examined, not the one it sent"),
    "B3": later(CLUSTER, "cursors are per-origin integers without ties"),
    "B4": later(CLUSTER, "a cursor never depends on wall time; a relayed op keeps its origin"),
    "B5": later(CLUSTER, "push and pull read one log"),
    "B6": partly(
        "one codec for every way an op or a record travels",
        CLUSTER,
        CONTRACT + "test_wire.py::test_every_value_survives_the_wire",
        CONTRACT + "test_json_values.py::test_every_value_survives_json",
        OPERATIONS + "test_transfer.py::"
        "test_what_one_node_exports_another_imports_and_exports_alike",
    ),
    "B7": later(CLUSTER, "repeated failure is loud: log, metric, status, readiness"),
    "B9": later(CLUSTER, "catch-up drains until level"),
    "B10": later(CLUSTER, "one task for each peer; a stuck one delays nobody"),
    "B11": partly(
        "order is (Lamport, origin); the losing version is kept and visible",
        CLUSTER,
        SYNC + "test_merge.py::"
        "test_every_order_with_any_repetition_ends_in_one_state_one_display_one_digest",
        SYNC + "test_display.py::"
        "test_the_highest_in_the_order_of_writes_is_shown_and_the_rest_are_conflicts",
        SYNC + "test_lamport.py::test_the_largest_leap_is_taken_and_one_more_is_refused",
    ),
    "B12": tested(
        "identity is the record's id; every merge rule commutes, associates and repeats",
        SYNC + "test_merge.py::test_join_is_commutative_associative_and_idempotent",
        SYNC + "test_merge.py::test_the_fold_agrees_with_a_model_that_keeps_every_op",
        SYNC + "test_display.py::test_a_demotion_by_one_who_knew_the_tier_holds",
    ),
    "B14": later(CLUSTER, "version N and N+1 run together"),
    # C. Deletion
    "C1": partly(
        "a delete is an op; only a causally later write revives",
        CLUSTER,
        SYNC + "test_display.py::test_a_delete_that_nobody_contradicts_holds",
        SYNC + "test_display.py::test_upkeep_does_not_bring_a_deleted_record_back",
        SYNC + "test_display.py::"
        "test_an_edit_wins_over_a_concurrent_delete_and_the_delete_is_flagged",
    ),
    "C2": partly(
        "every write path meets the delete in its own transaction",
        CLUSTER,
        OPERATIONS + "test_archive.py::test_an_erased_record_cannot_be_brought_back",
        SYNC + "test_merge.py::test_a_purged_record_never_returns_whatever_comes_after",
    ),
    "C4": partly(
        "erasing removes the text from store, full text, kept answers, history and log",
        CLUSTER,
        OPERATIONS + "test_archive.py::test_erasing_removes_the_text_from_every_file",
        STORE + "test_session.py::test_a_purge_erases_the_text_everywhere_and_for_good",
    ),
    "C5": later(CLUSTER, "deletes are collected only after every member's cursor has passed"),
    "C6": tested(
        "content that was deleted can be stored again",
        OPERATIONS + "test_memories.py::"
        "test_a_deleted_memory_is_gone_and_its_words_can_be_stored_again",
    ),
    # D. Identity
    "D1": tested(
        "the principal comes from the connection; a request's agent id is a claim, checked",
        OPERATIONS + "test_memories.py::test_a_claimed_agent_is_kept_and_a_reserved_one_refused",
        RPC + "test_principals.py::test_a_token_speaks_only_for_the_agents_granted_to_it",
        RPC + "test_principals.py::test_an_agent_id_is_the_claim_then_the_hint_then_the_principal",
    ),
    "D2": tested(
        "internal principals cannot be spelled on the wire",
        RPC + "test_principals.py::test_an_internal_name_cannot_be_spelled_by_anyone",
        RPC + "test_principals.py::test_whatever_is_claimed_the_answer_is_a_sound_id_or_a_refusal",
    ),
    "D3": later(CLUSTER, "a node's id is bound to its pinned key"),
    "D4": later(CLUSTER, "a node holds, and a caller sees, only what was granted"),
    "D6": partly(
        "no plaintext and no anonymous caller outside loopback",
        CLUSTER,
        "tests/aimem_node/test_config.py::"
        "test_plaintext_beyond_loopback_is_refused_whatever_else_is_set",
        RPC + "test_grpc_server.py::test_a_caller_who_is_not_pinned_never_reaches_an_operation",
        RPC + "test_grpc_server.py::test_plaintext_is_not_understood_on_the_tls_port",
    ),
    "D7": partly(
        "strict lists with line numbers, live reload, two fingerprints during rotation",
        CLUSTER,
        RPC + "test_access_files.py::test_a_bad_pin_is_refused_with_the_number_of_its_line",
        RPC + "test_access_files.py::"
        "test_two_fingerprints_of_one_name_stand_side_by_side_during_a_rotation",
        RPC + "test_access.py::test_a_change_of_the_files_is_in_force_at_the_next_look",
        RPC + "test_grpc_server.py::test_a_pin_is_in_force_without_a_restart",
    ),
    "D8": partly(
        "ops are idempotent, and verified against their origin's key",
        CLUSTER,
        SYNC + "test_merge.py::test_a_replayed_op_changes_nothing",
        SYNC + "test_log.py::test_every_flipped_bit_is_detected",
    ),
    "D10": tested(
        "import stamps the importer and keeps the original author as a claim",
        OPERATIONS + "test_transfer.py::"
        "test_an_import_is_stamped_with_the_importer_and_keeps_the_original_as_a_claim",
        OPERATIONS + "test_transfer.py::"
        "test_a_forged_reserved_author_is_refused_even_when_the_source_is_trusted",
    ),
    "D11": tested(
        "a stock MCP client works against its local node; each refusal names the fix",
        GATEWAYS + "test_mcp_server.py::test_a_stock_client_lists_and_calls_tools_in_either_era",
        GATEWAYS + "test_mcp_server.py::"
        "test_what_goes_wrong_in_a_tool_reaches_the_agent_with_the_way_out",
        CONTRACT + "test_errors.py::test_without_a_better_idea_the_table_says_what_to_do",
    ),
    "D12": tested(
        "a malformed list refuses to start, or keeps the last good one on reload",
        RPC + "test_access.py::test_a_file_that_is_broken_at_the_start_refuses_to_start",
        RPC + "test_access.py::"
        "test_a_file_that_breaks_while_running_leaves_the_last_good_list_in_force",
    ),
    "D13": tested(
        "ids never reach paths; secrets are typed and redacted",
        SURFACES + "test_bad_input.py::test_an_id_that_looks_like_a_path_is_only_an_id",
        CONTRACT + "test_calls.py::test_a_token_is_not_shown",
        RPC + "test_access.py::test_a_token_is_found_by_its_text_and_kept_only_as_a_hash",
    ),
    # E. Governance
    "E1": later(SURFACE, "one resolver for display and for enforcement"),
    "E2": later(SURFACE, "the gate stands at the single append point"),
    "E4": later(SURFACE, "an error while looking up a rule is a refusal, with its own error"),
    "E5": partly(
        "check and count in one transaction",
        SURFACE,
        "tests/aimem_node/replica/test_replica.py::"
        "test_the_same_title_from_many_callers_at_once_is_one_memory",
    ),
    "E8": later(SURFACE, "requester is not approver; a vote is a fact; the op is done once"),
    "E9": later(SURFACE, "policy is parsed strictly, and the default is to deny"),
    "E10": tested(
        "each operation declares its role; a missing declaration fails start-up",
        CONTRACT + "test_facts.py::"
        "test_a_declaration_that_a_surface_could_not_honour_stops_the_start",
        CONTRACT + "test_operations.py::test_only_the_operator_may_look_after_the_node",
    ),
    # F. Outbound calls
    "F1": later(SURFACE, "an outbound call goes only to an address that was checked"),
    "F2": later(SURFACE, "webhooks are signed over time, delivery and body"),
    "F3": later(SURFACE, "a webhook follows the log with its own cursor"),
    "F5": tested(
        "every inbound size is capped",
        GATEWAYS + "test_http.py::test_a_body_above_two_mebibytes_is_413_however_it_is_sent",
        GATEWAYS + "test_mcp_socket.py::test_a_message_too_large_ends_that_conversation_only",
        RPC + "test_grpc_server.py::test_a_request_above_the_limit_is_too_large_and_never_seen",
        CONTRACT + "test_json_text.py::test_a_text_beyond_its_bound_is_not_even_read",
        CONTRACT + "test_json_text.py::test_free_json_is_bounded_in_depth",
    ),
    # G. Storage and index
    "G1": later(RECALL, "the vector index never evicts; vectors are finite and of one model"),
    "G2": later(RECALL, "the vector index is a cache that is verified and rebuilt online"),
    "G3": later(CLUSTER, "every applied record gets its vector on the node that holds it"),
    "G4": partly(
        "the filter is part of the search",
        RECALL,
        OPERATIONS + "test_recall.py::"
        "test_one_memory_among_many_namespaces_is_found_even_by_frequent_words",
    ),
    "G5": partly(
        "the answer says which mode ran and what was unavailable",
        RECALL,
        OPERATIONS + "test_recall.py::test_recall_says_what_made_each_score",
    ),
    "G6": tested(
        "archive is a state of the record: nothing is lost by it",
        OPERATIONS + "test_archive.py::test_archive_and_restore_lose_no_field",
    ),
    "G7": tested(
        "every released schema migrates with real rows, after an automatic backup",
        STORE + "test_schema.py::test_an_older_file_is_backed_up_and_brought_forward_with_its_rows",
        STORE + "test_schema.py::test_a_step_that_fails_leaves_the_file_as_it_was",
    ),
    "G8": tested(
        "export and import prove counts and hashes; partial is a failure",
        OPERATIONS
        + "test_transfer.py::test_what_one_node_exports_another_imports_and_exports_alike",
        OPERATIONS + "test_transfer.py::test_one_bad_record_keeps_the_whole_batch_out",
        "tests/aimem_node/gateways/cli/test_transfer.py::"
        "test_an_import_that_is_cut_short_exits_with_a_failure",
        "tests/aimem_node/gateways/cli/test_transfer.py::"
        "test_an_export_that_is_not_whole_leaves_no_file",
    ),
    "G9": tested(
        "query text never reaches full-text syntax",
        OPERATIONS + "test_recall.py::test_no_query_text_is_ever_read_as_syntax",
    ),
    "G10": later(RECALL, "model calls have a budget and hold no lock"),
    # H. Chaos evidence
    "H": partly(
        "faults are real, runs without acknowledgements fail, and checkers are seen to fail",
        CHAOS,
        "tests/chaos/test_verdict.py::test_a_bad_history_breaks_the_check_that_is_meant_for_it",
        "tests/chaos/test_verdict.py::test_a_run_that_acknowledged_nothing_proves_nothing",
        "tests/chaos/test_kill.py::"
        "test_a_killed_node_keeps_every_acknowledged_memory_and_none_twice",
    ),
}
