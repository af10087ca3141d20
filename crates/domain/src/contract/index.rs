//! The behaviour of every [`VectorIndex`](crate::VectorIndex).
//!
//! Each function is a story told on a fresh, empty index that was opened for [`spaces`]. An implementation's test file
//! runs them all, each as a test of its own, through [`index_contract!`](crate::index_contract).

// A story says what went wrong by panicking.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

mod filters;
mod likeness;
mod ranking;
mod sample;
mod stories;

pub use filters::filters_mean_what_the_domain_says;
pub use likeness::two_indexes_answer_alike;
pub use ranking::{
    a_batch_answers_as_its_legs_alone, a_leg_keeps_to_its_modality_and_limit, dense_legs_rank_by_cosine,
    equal_scores_come_in_order_of_id, repeated_words_add_less_and_less, the_rarer_word_counts_more,
    words_that_are_not_there_find_nothing,
};
pub use sample::spaces;
pub use stories::{
    a_point_is_replaced_whole, an_empty_index_answers, collections_narrow_the_scope, deleted_points_are_gone,
    facets_count_points_by_value, many_flush_at_once, optimizing_changes_no_answer, tenants_are_apart,
    the_walk_meets_every_point_once, vectors_come_back, vectors_without_sense_are_rejected,
};

/// Makes one `#[tokio::test]` of every story. The argument is an expression that gives a pair: the fresh index, and whatever
/// must live as long as it does.
#[macro_export]
macro_rules! index_contract {
    ($fresh:expr) => {
        $crate::index_contract!(@each $fresh;
            a_point_is_replaced_whole,
            an_empty_index_answers,
            collections_narrow_the_scope,
            deleted_points_are_gone,
            facets_count_points_by_value,
            many_flush_at_once,
            optimizing_changes_no_answer,
            tenants_are_apart,
            the_walk_meets_every_point_once,
            vectors_come_back,
            vectors_without_sense_are_rejected,
            a_batch_answers_as_its_legs_alone,
            a_leg_keeps_to_its_modality_and_limit,
            dense_legs_rank_by_cosine,
            equal_scores_come_in_order_of_id,
            repeated_words_add_less_and_less,
            the_rarer_word_counts_more,
            words_that_are_not_there_find_nothing,
            filters_mean_what_the_domain_says,
        );
    };
    (@each $fresh:expr; $($story:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                // Kept as a pair, so that the index is dropped first.
                let fresh = $fresh;
                $crate::contract::index::$story(&fresh.0).await;
            }
        )*
    };
}
