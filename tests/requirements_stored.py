"""Promises G and H: the store, its index, and the evidence of chaos. See requirements.py."""

from tests.promise import Promise, tested

STORE = "tests/aimem_node/store/"
OPERATIONS = "tests/aimem_node/operations/"
RPC = "tests/aimem_node/rpc/"
CLUSTERS = "tests/cluster/"
FOLLOWERS = "tests/aimem_node/followers/"
EMBEDDING = "tests/aimem_node/embedding/"

STORED: dict[str, Promise] = {
    # G. Storage and index
    "G1": tested(
        "the vector index evicts nothing; vectors are finite, of the right length and of one model",
        STORE + "test_vector_search.py::"
        "test_after_any_history_what_is_found_is_what_comparing_all_finds",
        STORE + "test_vector_writes.py::"
        "test_what_is_no_vector_of_the_space_is_refused_and_nothing_is_kept",
        STORE + "test_vector_search.py::test_a_question_that_is_no_vector_of_the_space_is_refused",
        STORE + "test_vector_index.py::"
        "test_the_space_of_a_model_is_never_mixed_with_that_of_another",
    ),
    "G2": tested(
        "the vector index is a cache that is loaded, verified and made again online",
        STORE + "test_vector_space.py::test_nothing_is_made_again_at_a_restart",
        STORE + "test_vector_space.py::"
        "test_a_part_that_is_not_whole_is_made_again_and_the_others_are_not",
        STORE + "test_vector_search.py::"
        "test_while_the_index_is_made_a_search_says_that_a_part_is_missing",
        STORE + "test_vector_index.py::"
        "test_repair_and_a_deep_check_mend_what_is_wrong_with_vectors",
    ),
    "G3": tested(
        "every applied record gets its vector on the node that holds it, of that node's model",
        CLUSTERS + "test_vectors.py::"
        "test_nodes_with_different_models_each_have_their_own_vectors_of_everything",
        CLUSTERS + "test_vectors.py::"
        "test_a_vector_is_made_by_the_node_that_wrote_and_handed_to_the_others",
        CLUSTERS + "test_vectors.py::test_a_node_that_was_away_adopts_what_it_pulls",
        CLUSTERS + "test_vectors.py::test_a_snapshot_comes_with_vectors_or_has_them_fetched",
        FOLLOWERS + "test_vectors.py::test_what_is_imported_gets_its_vector",
        FOLLOWERS + "test_vectors.py::"
        "test_another_model_embeds_everything_anew_while_the_old_vectors_serve",
        RPC + "test_peer_net.py::test_ops_and_the_answers_beside_them_go_as_they_are",
    ),
    "G4": tested(
        "the filter is part of the search",
        OPERATIONS + "test_recall.py::"
        "test_one_memory_among_many_namespaces_is_found_even_by_frequent_words",
        OPERATIONS + "test_finding.py::"
        "test_the_only_memory_of_a_place_is_found_among_many_elsewhere",
        STORE + "test_vector_search.py::"
        "test_one_memory_in_a_namespace_is_found_beside_fifty_thousand_in_another",
        STORE + "test_vector_search.py::test_every_kind_of_filter_finds_the_few_it_leaves",
    ),
    "G5": tested(
        "a pool is read again before the cut; the answer says what ran and what was unavailable",
        OPERATIONS + "test_reranking.py::test_what_is_asked_for_is_read_again_before_the_cut",
        OPERATIONS + "test_reranking.py::"
        "test_what_cannot_be_read_again_leaves_the_first_order_and_says_why",
        OPERATIONS + "test_finding.py::"
        "test_a_model_that_is_late_leaves_the_words_and_the_answer_says_so",
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
        OPERATIONS + "test_transfer.py::"
        "test_what_one_node_exports_another_imports_and_exports_alike",
        OPERATIONS + "test_transfer.py::test_one_bad_record_keeps_the_whole_batch_out",
        "tests/aimem_node/gateways/cli/test_transfer.py::"
        "test_an_import_that_is_cut_short_exits_with_a_failure",
        "tests/aimem_node/gateways/cli/test_transfer.py::"
        "test_an_export_that_is_not_whole_leaves_no_file",
    ),
    "G9": tested(
        "query text never reaches full-text syntax",
        OPERATIONS + "test_recall.py::test_no_query_text_is_ever_read_as_syntax",
        STORE + "test_gathering.py::test_no_text_is_a_mistake",
        STORE + "test_words.py",
    ),
    "G10": tested(
        "model calls have a budget and hold no lock; a missing vector is seen and made up for",
        FOLLOWERS + "test_vectors.py::"
        "test_a_model_that_gives_nothing_costs_no_write_and_is_caught_up_with",
        FOLLOWERS + "test_vectors.py::test_a_node_stops_though_its_model_never_answers",
        FOLLOWERS + "test_vectors.py::test_a_text_that_fails_holds_up_no_other_and_is_tried_again",
        EMBEDDING + "test_worker.py::"
        "test_a_question_is_not_waited_for_longer_than_its_budget_and_says_why",
        EMBEDDING + "test_worker.py::"
        "test_a_model_that_hangs_is_called_stalled_and_asked_nothing_more",
    ),
    # H. Chaos evidence
    "H": tested(
        "faults are real, runs without acknowledgements fail, and checkers are seen to fail",
        "tests/chaos/test_faults.py::test_a_fault_that_struck_nothing_fails_instead_of_passing",
        "tests/chaos/test_faults.py::"
        "test_a_fault_that_was_asked_for_and_cannot_be_injected_fails_the_run",
        "tests/chaos/test_run.py::"
        "test_a_cluster_that_was_killed_holds_all_it_acknowledged_and_leaves_nothing_behind",
        "tests/chaos/net/test_network.py::"
        "test_a_cut_in_one_direction_is_enough_for_silence_and_healing_ends_it",
        "tests/chaos/checker/test_judging.py::"
        "test_each_harm_is_noticed_by_the_checks_meant_for_it_and_by_no_other",
        "tests/chaos/test_campaign.py::test_the_smoke_run_strikes_with_every_class",
        "tests/chaos/test_kill.py::"
        "test_a_killed_node_keeps_every_acknowledged_memory_and_none_twice",
    ),
}
