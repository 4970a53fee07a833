//! One suite for every store behind the engine's ports: the embedded one, and Azure Storage as Azurite does it.
//!
//! `contracts!` lists the rooms and what they promise; each promise becomes a test for each store.

mod contracts {
    pub mod answers;
    pub mod bells;
    pub mod embedded;
    pub mod logs;
    pub mod processes;
    pub mod queues;
    pub mod records;
    pub mod rows;
    pub mod subject;
}
#[path = "support/azurite.rs"]
mod azurite;

macro_rules! contracts {
    ($($room:ident { $($promise:ident)* })*) => {
        mod on_embedded {
            $(mod $room {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    let subject = crate::contracts::subject::embedded();
                    crate::contracts::$room::$promise(&subject).await;
                })*
            })*
        }

        mod on_azurite {
            $(mod $room {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    let subject = crate::contracts::subject::azurite().await;
                    crate::contracts::$room::$promise(&subject).await;
                })*
            })*
        }
    };
}

contracts! {
    rows {
        a_row_reads_back_what_was_inserted
        a_missing_row_is_none
        a_row_is_inserted_only_once
        a_replacement_needs_the_present_version_and_drops_old_fields
        a_deletion_needs_the_present_version
        a_version_of_a_deleted_row_never_fits_its_successor
        a_foreign_version_is_a_conflict
        a_conflict_names_the_failing_write_and_leaves_nothing
        a_transaction_changes_all_its_rows_at_once
        a_writer_that_lost_the_reply_finds_its_own_work
        a_range_is_exclusive_at_both_ends_and_ordered
        a_range_over_several_pages_misses_nothing
        partitions_do_not_see_each_other
        of_two_racing_replacements_exactly_one_wins
        a_counter_that_many_writers_raise_counts_every_success
        what_the_service_could_not_hold_is_refused
    }
    records {
        every_kind_of_value_comes_back
        texts_of_any_script_come_back
        texts_that_look_like_something_else_stay_texts
        values_beyond_a_column_come_back
        a_value_that_grows_and_shrinks_across_the_limit_stays_itself
        unusual_keys_name_their_own_rows
    }
    queues {
        a_ticket_is_received_as_it_was_sent
        a_message_keeps_its_text
        a_delayed_message_does_not_show_early
        a_received_message_is_hidden_and_shows_again
        a_receipt_is_stale_once_somebody_else_received
        renewing_gives_a_new_receipt_and_ends_the_old_one
        a_deleted_message_is_gone
        looking_at_messages_does_not_take_them
        every_message_is_received_by_exactly_one_of_many_receivers
        queues_do_not_mix
        what_a_message_cannot_be_is_refused
    }
    logs {
        an_append_at_the_end_is_written
        an_append_elsewhere_tells_the_length
        an_append_to_a_missing_segment_tells_that_it_is_empty
        ranges_are_cut_at_the_segments_end
        a_missing_segment_reads_as_empty
        of_two_racing_appends_exactly_one_is_written
        bytes_of_every_value_come_back
        appends_of_nothing_or_too_much_are_refused
    }
}
