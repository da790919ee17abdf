"""The promises, as data: each with the tests that would catch us breaking it.

One row for each promise (A1 ... H). `TESTED` rows name tests that exist, and test_requirements.py
fails when one does not; a row is never struck out, it is only ever tested or named as still to
come, with the issue that brings it. The failures behind the promises are systems of this kind as
they were shipped, not guesses.
"""

from tests.promise import Promise, tested
from tests.requirements_stored import STORED

SYNC = "tests/aimem_sync/"
STORE = "tests/aimem_node/store/"
OPERATIONS = "tests/aimem_node/operations/"
RPC = "tests/aimem_node/rpc/"
REPLICA = "tests/aimem_node/replica/"
CLUSTERS = "tests/cluster/"
SIM = "tests/sim/"
SURFACES = "tests/surfaces/"
CONTRACT = "tests/aimem_node/contract/"
GATEWAYS = "tests/aimem_node/gateways/"
OUTBOUND = "tests/aimem_node/outbound/"
FOLLOWERS = "tests/aimem_node/followers/"
EMBEDDING = "tests/aimem_node/embedding/"

PROMISES: dict[str, Promise] = {
    # A. Quorum writing
    "A1": tested(
        "W decides when we answer, never who receives",
        CLUSTERS + "test_quorum.py::test_w_decides_when_we_answer_and_never_who_receives",
        SYNC + "test_dataplane.py::"
        "test_a_write_is_stamped_sent_to_all_and_committed_by_the_first_two",
    ),
    "A2": tested(
        "a retry with the same request key changes nothing and gives the first answer",
        OPERATIONS + "test_memories.py::test_a_retry_with_the_request_key_does_nothing_twice",
        OPERATIONS + "test_memories.py::test_a_request_key_used_for_another_request_is_refused",
        SURFACES + "test_behaviours.py::test_a_request_key_makes_a_retry_safe",
        "tests/chaos/test_kill.py::"
        "test_a_killed_node_keeps_every_acknowledged_memory_and_none_twice",
        CLUSTERS + "test_quorum.py::"
        "test_a_write_whose_holders_vanish_is_pending_and_every_retry_gives_that_one_write",
        CLUSTERS + "test_quorum.py::test_a_retry_at_another_node_finds_the_first_answer_there",
        CLUSTERS + "test_quorum.py::"
        "test_the_same_key_on_both_sides_of_a_partition_makes_one_memory",
        CLUSTERS + "test_quorum.py::"
        "test_a_write_without_a_majority_in_reach_is_refused_before_anything_is_written",
        SURFACES + "test_outcomes.py::"
        "test_a_refused_write_names_every_peer_and_its_reason_on_every_way",
    ),
    "A3": tested(
        "acks are counted by pinned identity, never by address",
        CLUSTERS + "test_identity.py::test_two_members_at_one_address_never_make_two_acks",
        SYNC + "test_quorum.py::test_learners_and_strangers_count_for_nothing",
        SIM + "test_mutants.py::test_the_mutant_dies",
    ),
    "A4": tested(
        "a write has one monotonic deadline",
        SYNC + "test_quorum.py::"
        "test_an_ack_one_millisecond_before_the_deadline_counts_and_one_at_it_does_not",
        REPLICA + "test_writing.py::"
        "test_time_running_out_leaves_the_write_pending_with_everyones_reason",
    ),
    "A5": tested(
        "an ack names ops that are on disk; anything else is a nack and says why",
        SYNC + "test_hearing.py::test_an_append_is_acknowledged_once_it_is_on_disk_and_not_before",
        SYNC + "test_intake.py::"
        "test_a_refusal_by_the_disk_takes_back_what_was_staged_and_tells_who_waits",
        REPLICA + "test_disk.py::"
        "test_ops_that_do_not_follow_are_not_kept_and_neither_is_any_part_of_them",
        SIM + "test_mutants.py::test_the_mutant_dies",
    ),
    "A6": tested(
        "only the node opens the store; every client goes through it",
        SURFACES + "test_one_door.py::test_every_way_in_works_with_the_database_unreadable_to_it",
        SURFACES + "test_one_door.py::"
        "test_the_guard_of_that_test_does_catch_a_client_that_opens_the_store",
    ),
    "A7": tested(
        "every state change of every kind is an op in one log",
        SURFACES + "test_one_door.py::test_every_writing_operation_appends_an_op",
        CLUSTERS + "test_catchup.py::test_every_writing_operation_reaches_a_follower_by_push",
        CLUSTERS + "test_catchup.py::test_every_writing_operation_reaches_a_follower_by_pull_alone",
    ),
    "A8": tested(
        "ops made by background work pass the same door as any other",
        OPERATIONS + "test_recall.py::test_flushed_recalls_are_ops_and_make_no_event",
        CLUSTERS + "test_promises.py::"
        "test_recalls_that_are_counted_in_the_background_reach_the_others",
        CLUSTERS + "test_promises.py::test_what_expires_is_archived_by_one_node_and_so_on_all",
    ),
    "A9": tested(
        "unknown kinds and fields are kept and relayed byte for byte",
        SYNC + "test_op.py::test_an_op_of_any_kind_is_read_back_as_it_was_written",
        SYNC + "test_merge.py::"
        "test_unknown_kinds_and_withheld_bodies_say_nothing_until_they_can_be_read",
        CLUSTERS + "test_promises.py::"
        "test_kinds_and_fields_of_a_later_version_are_confirmed_and_relayed_byte_for_byte",
        STORE + "test_session.py::test_an_op_of_unknown_kind_is_kept_and_relayed_but_not_applied",
        STORE + "test_truncation.py::"
        "test_the_floor_stops_before_an_op_that_only_a_later_version_can_read",
    ),
    "A10": tested(
        "a TLS or identity failure is reported as one, with the peer's name",
        CLUSTERS + "test_identity.py::"
        "test_a_wrong_certificate_is_called_that_and_not_a_missing_quorum",
        RPC + "test_peer_net.py::"
        "test_a_node_that_shows_another_certificate_is_a_refusal_and_not_unreachable",
        RPC + "test_peer_dialer.py::test_something_that_is_no_node_is_said_to_be_none",
    ),
    "A11": tested(
        "back-pressure, never a silent drop",
        CLUSTERS + "test_quorum.py::test_a_burst_against_a_slow_peer_arrives_whole",
        REPLICA + "test_writing.py::"
        "test_a_burst_that_is_too_far_ahead_is_slowed_down_and_not_refused",
        RPC + "test_peer_pipe.py::test_a_stream_whose_other_end_does_not_read_is_given_up",
    ),
    "A12": tested(
        "heal time after a partition is bounded and measured",
        "tests/chaos/report/test_campaign.py::test_each_goal_is_missed_by_what_misses_it",
        "tests/chaos/test_heal.py::test_after_a_partition_every_acknowledged_write_is_on_every_node",
        REPLICA + "test_gauges.py::test_a_heal_is_timed_from_the_return_until_it_is_in_sync",
        "tests/chaos/test_link.py::test_after_a_heal_new_connections_work_and_the_held_ones_stay_dead",
    ),
    # B. Catch-up and ordering
    "B1": tested(
        "a cursor advances over a contiguous, durable prefix, in the rows' own transaction",
        STORE + "test_session.py::test_an_op_after_a_gap_is_refused_and_nothing_of_it_kept",
        STORE + "test_writer.py::test_a_job_that_fails_loses_only_its_own_changes",
        STORE + "test_writer.py::test_a_killed_node_has_every_acknowledged_write_once",
        STORE + "test_writer.py::test_after_a_failed_sync_nothing_is_believed_any_more",
        REPLICA + "test_disk.py::"
        "test_ops_are_in_the_file_when_they_are_reported_and_in_the_order_asked_for",
        SYNC + "test_intake.py::test_a_gap_stops_its_log_and_no_other",
        CLUSTERS + "test_recovery.py::"
        "test_a_member_killed_while_it_writes_loses_nothing_that_was_committed",
        SIM + "test_campaign.py::test_no_invariant_is_violated_and_all_members_end_level",
        SIM + "test_real_disk.py::test_a_run_on_real_disks_is_the_same_run",
    ),
    "B2": tested(
        "a source returns the position it examined, not the one it sent",
        CLUSTERS + "test_promises.py::"
        "test_ten_thousand_ops_with_nothing_to_see_are_passed_in_few_rounds",
    ),
    "B3": tested(
        "cursors are per-origin integers without ties",
        CLUSTERS + "test_promises.py::test_five_thousand_ops_of_one_moment_are_all_pulled",
        SYNC + "test_cursor.py::test_a_cursor_advances_by_the_next_op_only",
    ),
    "B4": tested(
        "a cursor never depends on wall time; a relayed op keeps its origin",
        CLUSTERS + "test_catchup.py::test_clocks_that_are_wrong_lose_and_hide_nothing",
        CLUSTERS + "test_catchup.py::test_ops_of_a_dead_origin_spread_from_whoever_holds_them",
        SIM + "test_directed.py::test_the_schedule_does_no_harm",
    ),
    "B5": tested(
        "push and pull read one log",
        CLUSTERS + "test_catchup.py::test_every_writing_operation_reaches_a_follower_by_pull_alone",
        CLUSTERS + "test_catchup.py::test_both_sides_of_a_partition_converge_to_one_state",
    ),
    "B6": tested(
        "one codec for every way an op or a record travels",
        CONTRACT + "test_wire.py::test_every_value_survives_the_wire",
        CONTRACT + "test_json_values.py::test_every_value_survives_json",
        OPERATIONS + "test_transfer.py::"
        "test_what_one_node_exports_another_imports_and_exports_alike",
        RPC + "test_peer_frames.py::test_what_is_sent_is_what_arrives",
        RPC + "test_peer_frames.py::test_every_message_of_the_core_has_its_frame_and_is_tried_here",
        STORE + "test_travelling.py::test_ops_made_from_rows_are_the_bytes_that_an_op_encodes_to",
        STORE + "test_snapshot.py::test_a_snapshot_says_what_it_holds",
    ),
    "B7": tested(
        "repeated failure is loud: log, metric, status, readiness",
        CLUSTERS + "test_promises.py::"
        "test_a_member_whose_disk_takes_nothing_is_named_in_status_metric_and_write",
        CLUSTERS + "test_identity.py::"
        "test_a_wrong_certificate_is_called_that_and_not_a_missing_quorum",
        CLUSTERS + "test_recovery.py::"
        "test_a_member_whose_log_has_two_histories_stops_writing_and_says_so",
    ),
    "B9": tested(
        "catch-up drains until level",
        CLUSTERS + "test_catchup.py::test_a_backlog_is_drained_until_level",
        SYNC + "test_hearing.py::test_a_large_lag_is_pulled_from_any_member_page_after_page",
    ),
    "B10": tested(
        "one task for each peer; a stuck one delays nobody",
        CLUSTERS + "test_catchup.py::test_a_black_holed_peer_delays_nobody",
        RPC + "test_peer_net.py::test_a_member_that_never_answers_delays_no_other",
    ),
    "B11": tested(
        "order is (Lamport, origin); the losing version is kept and visible",
        SYNC + "test_merge.py::"
        "test_every_order_with_any_repetition_ends_in_one_state_one_display_one_digest",
        SYNC + "test_display.py::"
        "test_the_highest_in_the_order_of_writes_is_shown_and_the_rest_are_conflicts",
        SYNC + "test_lamport.py::test_the_largest_leap_is_taken_and_one_more_is_refused",
        CLUSTERS + "test_catchup.py::test_clocks_that_are_wrong_lose_and_hide_nothing",
        CLUSTERS + "test_catchup.py::test_both_sides_of_a_partition_converge_to_one_state",
    ),
    "B12": tested(
        "identity is the record's id; every merge rule commutes, associates and repeats",
        SYNC + "test_merge.py::test_join_is_commutative_associative_and_idempotent",
        SYNC + "test_merge.py::test_the_fold_agrees_with_a_model_that_keeps_every_op",
        SYNC + "test_display.py::test_a_demotion_by_one_who_knew_the_tier_holds",
    ),
    "B14": tested(
        "version N and N+1 run together",
        "tests/chaos/test_upgrade.py::"
        "test_a_machine_of_an_older_version_works_among_newer_ones_and_is_upgraded",
        RPC + "test_peer_asks.py::test_versions_that_overlap_understand_one_another",
        RPC + "test_peer_frames.py::test_a_frame_of_a_later_version_is_no_fault",
        CLUSTERS + "test_promises.py::"
        "test_kinds_and_fields_of_a_later_version_are_confirmed_and_relayed_byte_for_byte",
    ),
    # C. Deletion
    "C1": tested(
        "a delete is an op; only a causally later write revives",
        SYNC + "test_display.py::test_a_delete_that_nobody_contradicts_holds",
        SYNC + "test_display.py::test_upkeep_does_not_bring_a_deleted_record_back",
        SYNC + "test_display.py::"
        "test_an_edit_wins_over_a_concurrent_delete_and_the_delete_is_flagged",
        CLUSTERS + "test_catchup.py::test_a_deleted_memory_is_not_brought_back_by_a_late_push",
    ),
    "C2": tested(
        "every write path meets the delete in its own transaction",
        OPERATIONS + "test_archive.py::test_an_erased_record_cannot_be_brought_back",
        SYNC + "test_merge.py::test_a_purged_record_never_returns_whatever_comes_after",
        STORE + "test_repair.py::test_a_body_never_comes_back_into_a_banned_record",
        STORE + "test_truncation.py::test_a_purge_below_the_floor_stays_a_purge",
        CLUSTERS + "test_catchup.py::test_a_deleted_memory_is_not_brought_back_by_a_late_push",
    ),
    "C4": tested(
        "erasing removes the text from store, full text, kept answers, history and log",
        OPERATIONS + "test_archive.py::test_erasing_removes_the_text_from_every_file",
        STORE + "test_session.py::test_a_purge_erases_the_text_everywhere_and_for_good",
        CLUSTERS + "test_promises.py::"
        "test_what_is_erased_on_one_node_is_gone_from_every_file_of_every_node",
        RPC + "test_peer_books.py::test_what_was_erased_here_is_given_to_nobody",
    ),
    "C5": tested(
        "deletes are collected only after every member's cursor has passed",
        CLUSTERS + "test_catchup.py::"
        "test_a_peer_that_was_away_while_deletes_were_collected_brings_no_ghosts",
        CLUSTERS + "test_recovery.py::test_logs_are_shortened_only_up_to_what_every_member_has",
        SYNC + "test_stable.py::test_the_slowest_member_decides_for_each_log",
        SIM + "test_mutants.py::test_the_mutant_dies",
    ),
    "C6": tested(
        "content that was deleted can be stored again",
        OPERATIONS + "test_memories.py::"
        "test_a_deleted_memory_is_gone_and_its_words_can_be_stored_again",
        OPERATIONS + "test_links.py::test_a_link_can_be_made_again_after_it_was_removed",
    ),
    # D. Identity
    "D1": tested(
        "the principal comes from the connection; a request's agent id is a claim, checked",
        OPERATIONS + "test_memories.py::test_a_claimed_agent_is_kept_and_a_reserved_one_refused",
        RPC + "test_principals.py::test_a_token_speaks_only_for_the_agents_granted_to_it",
        RPC + "test_principals.py::test_an_agent_id_is_the_claim_then_the_hint_then_the_principal",
        OPERATIONS + "test_agents.py::"
        "test_no_operation_takes_a_claim_that_the_connection_does_not_allow",
        OPERATIONS + "test_agents.py::test_a_claim_never_becomes_the_author",
    ),
    "D2": tested(
        "internal principals cannot be spelled on the wire",
        RPC + "test_principals.py::test_an_internal_name_cannot_be_spelled_by_anyone",
        RPC + "test_principals.py::test_whatever_is_claimed_the_answer_is_a_sound_id_or_a_refusal",
        OPERATIONS + "test_agents.py::"
        "test_what_the_node_calls_itself_cannot_be_spelled_on_the_wire",
        OPERATIONS + "test_agents.py::test_namespaces_of_the_node_are_not_written_by_hand",
    ),
    "D3": tested(
        "a node's id is bound to its pinned key",
        CLUSTERS + "test_identity.py::"
        "test_a_node_that_claims_another_ones_id_over_its_own_key_is_refused",
        RPC + "test_peer_server.py::test_what_a_hello_claims_is_compared_with_the_key",
        RPC + "test_peer_net.py::"
        "test_a_node_may_not_give_the_name_of_another_over_its_own_certificate",
    ),
    "D4": tested(
        "a node holds, and a caller sees, only what was granted",
        CLUSTERS + "test_quorum.py::"
        "test_a_namespace_that_is_withheld_stays_off_the_other_nodes_and_comes_when_granted",
        CLUSTERS + "test_promises.py::"
        "test_nothing_that_is_done_to_a_withheld_memory_shows_on_a_member_without_a_grant",
        REPLICA + "test_granting.py::"
        "test_a_member_without_a_grant_gets_the_op_without_its_text_and_the_chain_still_holds",
        REPLICA + "test_granting.py::test_the_answer_beside_an_op_is_kept_back_with_its_text",
        RPC + "test_peer_books.py::test_ops_are_given_without_text_to_who_may_not_hold_it",
        OPERATIONS + "test_sight_of.py::test_nobody_is_told_of_what_is_out_of_sight",
        OPERATIONS + "test_sight_of.py::test_every_operation_that_reads_has_a_row_or_a_reason",
        OPERATIONS + "test_sight_of.py::test_what_is_out_of_sight_cannot_be_written_to",
        STORE + "test_sight.py",
    ),
    "D6": tested(
        "no plaintext and no anonymous caller outside loopback",
        "tests/aimem_node/test_config.py::"
        "test_plaintext_beyond_loopback_is_refused_whatever_else_is_set",
        RPC + "test_grpc_server.py::test_a_caller_who_is_not_pinned_never_reaches_an_operation",
        RPC + "test_grpc_server.py::test_plaintext_is_not_understood_on_the_tls_port",
        RPC + "test_peer_server.py::test_nobody_is_let_in_before_the_members_are_known",
        RPC + "test_peer_net.py::test_a_node_that_is_not_pinned_is_refused_and_said_to_be",
        RPC + "test_join_client.py::test_another_machine_at_the_address_hears_nothing",
    ),
    "D7": tested(
        "strict lists with line numbers, live reload, two fingerprints during rotation",
        RPC + "test_access_files.py::test_a_bad_pin_is_refused_with_the_number_of_its_line",
        RPC + "test_access_files.py::"
        "test_two_fingerprints_of_one_name_stand_side_by_side_during_a_rotation",
        RPC + "test_access.py::test_a_change_of_the_files_is_in_force_at_the_next_look",
        RPC + "test_grpc_server.py::test_a_pin_is_in_force_without_a_restart",
        RPC + "test_cutoff.py::test_a_live_stream_is_cut_when_its_caller_is_revoked",
        CLUSTERS + "test_identity.py::test_a_revoked_key_is_cut_off_in_the_middle_of_its_streams",
        CLUSTERS + "test_members.py::"
        "test_an_evicted_member_is_cut_off_within_a_second_and_reads_nothing_more",
        CLUSTERS + "test_members.py::"
        "test_a_key_is_replaced_under_running_writes_and_nothing_is_lost",
    ),
    "D8": tested(
        "ops are idempotent, and verified against their origin's key",
        SYNC + "test_merge.py::test_a_replayed_op_changes_nothing",
        SYNC + "test_log.py::test_every_flipped_bit_is_detected",
        CLUSTERS + "test_identity.py::"
        "test_every_frame_of_a_day_played_again_changes_nothing_anywhere",
        CLUSTERS + "test_identity.py::test_a_forged_op_is_refused_whoever_passes_it_on",
        RPC + "test_peer_net.py::test_an_op_that_a_relay_made_up_is_refused",
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
        RPC + "test_cutoff.py::test_a_malformed_list_cuts_nobody_off",
    ),
    "D13": tested(
        "ids never reach paths; secrets are typed and redacted",
        SURFACES + "test_bad_input.py::test_an_id_that_looks_like_a_path_is_only_an_id",
        OPERATIONS + "test_secrets.py::test_a_finding_holds_no_character_of_the_secret",
        CONTRACT + "test_calls.py::test_a_token_is_not_shown",
        RPC + "test_access.py::test_a_token_is_found_by_its_text_and_kept_only_as_a_hash",
    ),
    # E. Governance
    "E1": tested(
        "one resolver for display and for enforcement",
        OPERATIONS + "test_policy.py::test_explain_says_what_the_gate_does_in_any_tree",
        OPERATIONS + "test_policy.py::test_the_strictest_ancestor_wins_unless_it_delegates",
    ),
    "E2": tested(
        "the gate stands at the single append point",
        OPERATIONS + "test_gate.py::"
        "test_every_writing_operation_is_refused_by_the_rule_and_writes_nothing",
        OPERATIONS + "test_gate.py::test_one_denied_change_takes_the_whole_write_back",
        CLUSTERS + "test_governance.py::test_a_rule_set_on_one_node_holds_on_every_node",
    ),
    "E4": tested(
        "an error while looking up a rule is a refusal, with its own error",
        OPERATIONS + "test_gate.py::test_an_error_while_a_rule_is_looked_up_allows_nothing",
    ),
    "E5": tested(
        "check and count in one transaction",
        OPERATIONS + "test_quota.py::"
        "test_a_hundred_writers_at_once_reach_the_limit_and_not_one_more",
        OPERATIONS
        + "test_quota.py::test_every_way_to_add_a_memory_counts_and_none_that_adds_nothing",
        "tests/aimem_node/replica/test_replica.py::"
        "test_the_same_title_from_many_callers_at_once_is_one_memory",
    ),
    "E8": tested(
        "requester is not approver; a vote is a fact; the op is done once",
        OPERATIONS + "test_pending.py",
        CLUSTERS + "test_governance.py::test_votes_of_three_nodes_add_up_and_the_last_one_does_it",
        CLUSTERS + "test_governance.py::test_two_nodes_that_approve_at_once_make_one_record",
        CLUSTERS + "test_governance.py::"
        "test_votes_that_never_met_are_counted_by_the_one_that_tidies_up",
    ),
    "E9": tested(
        "policy is parsed strictly, and the default is to deny",
        OPERATIONS + "test_policy.py::test_a_rule_that_cannot_be_understood_denies_and_says_why",
        OPERATIONS + "test_policy.py::"
        "test_what_another_version_may_have_written_is_refused_with_its_own_reason",
        OPERATIONS + "test_governance.py::test_what_would_be_no_rule_is_refused_where_it_is_set",
    ),
    "E10": tested(
        "each operation declares its role; a missing declaration fails start-up",
        CONTRACT + "test_facts.py::"
        "test_a_declaration_that_a_surface_could_not_honour_stops_the_start",
        CONTRACT + "test_operations.py::test_only_the_operator_may_look_after_the_node",
        OPERATIONS + "test_governance.py::"
        "test_every_operation_declares_its_role_and_the_operators_are_no_one_elses",
    ),
    # F. Outbound calls
    "F1": tested(
        "an outbound call goes only to an address that was checked",
        OUTBOUND + "test_urls.py",
        OUTBOUND + "test_reachable.py",
        OUTBOUND + "test_posting.py::test_a_name_that_changes_after_the_look_leads_nowhere_else",
        OUTBOUND + "test_posting.py::test_a_redirect_is_a_failure_and_is_not_followed",
        FOLLOWERS + "test_webhooks.py::"
        "test_what_cannot_be_delivered_is_refused_when_it_is_asked_for",
    ),
    "F2": tested(
        "webhooks are signed over time, delivery and body; their secrets are sealed",
        OUTBOUND + "test_signing.py",
        OUTBOUND + "test_sealing.py",
        FOLLOWERS + "test_webhooks.py::"
        "test_the_secret_is_shown_once_and_stands_nowhere_in_the_clear",
    ),
    "F3": tested(
        "a webhook follows the log with its own cursor: at least once, in order, from one member",
        FOLLOWERS + "test_webhooks.py::"
        "test_a_sender_that_dies_midway_sends_again_what_nobody_confirmed",
        FOLLOWERS + "test_webhooks.py::"
        "test_a_receiver_that_fails_gets_the_same_delivery_again_and_the_next_ones_wait",
        FOLLOWERS + "test_webhooks.py::"
        "test_what_is_never_taken_is_given_up_and_can_be_sent_once_more",
        CLUSTERS + "test_webhooks.py",
    ),
    "F5": tested(
        "every inbound size is capped",
        GATEWAYS + "test_http.py::test_a_body_above_two_mebibytes_is_413_however_it_is_sent",
        GATEWAYS + "test_mcp_socket.py::test_a_message_too_large_ends_that_conversation_only",
        RPC + "test_grpc_server.py::test_a_request_above_the_limit_is_too_large_and_never_seen",
        CONTRACT + "test_json_text.py::test_a_text_beyond_its_bound_is_not_even_read",
        CONTRACT + "test_json_text.py::test_free_json_is_bounded_in_depth",
        SURFACES + "test_bounds.py",
        OUTBOUND + "test_posting.py::test_of_a_giant_answer_little_is_read_and_nothing_is_kept",
        GATEWAYS + "cli/mining/test_sources.py",
    ),
    **STORED,
}
