//! Rankings that have more pages, kept for a while: whoever reads on reads the same ranking, whatever is added meanwhile.
//!
//! It is a convenience with a bound, not a promise: a ranking that was forgotten (by age, for room, or because another process
//! answers) is made anew, and the page begins strictly after the place that its token holds.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use sensorium_domain::Timestamp;

use crate::search::rank::Ranking;

/// The kept rankings of a process.
#[derive(Debug)]
pub struct Rankings {
    most_bytes: usize,
    keep_ms: i64,
    kept: Mutex<VecDeque<Kept>>,
}

#[derive(Debug)]
struct Kept {
    /// Tells this ranking from others of the same query.
    id: u64,
    /// Of the query and its tenant, so that nobody reads another's ranking by guessing its id.
    fingerprint: String,
    ranking: Arc<Ranking>,
    bytes: usize,
    until: Timestamp,
}

impl Rankings {
    /// None are kept where `most_bytes` or `keep_ms` is 0.
    pub fn new(most_bytes: usize, keep_ms: i64) -> Self {
        Self { most_bytes, keep_ms, kept: Mutex::default() }
    }

    /// The ranking `id` of the query, if it is still kept.
    pub fn get(&self, id: u64, fingerprint: &str, now: Timestamp) -> Option<Arc<Ranking>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().position(|kept| kept.id == id && kept.fingerprint == fingerprint)?;
        let mut found = kept.remove(place)?;
        if found.until <= now {
            return None;
        }
        found.until = now.plus_ms(self.keep_ms);
        let ranking = found.ranking.clone();
        kept.push_back(found); // the longest unused stand in front
        Some(ranking)
    }

    /// Keeps a ranking; those that were not read for the longest time make room.
    pub fn keep(&self, id: u64, fingerprint: &str, ranking: Arc<Ranking>, now: Timestamp) {
        let bytes = ranking.bytes();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| kept.until > now);
        if bytes > self.most_bytes || self.keep_ms == 0 {
            return;
        }
        while kept.iter().map(|kept| kept.bytes).sum::<usize>() + bytes > self.most_bytes {
            kept.pop_front();
        }
        let until = now.plus_ms(self.keep_ms);
        kept.push_back(Kept { id, fingerprint: fingerprint.to_owned(), ranking, bytes, until });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranking(words: &str) -> Arc<Ranking> {
        let leg = crate::search::legs::Leg {
            input: Some(0),
            space: "lexical".to_owned(),
            weight: 1.0,
            question: crate::search::legs::Question::Words("w".repeat(1000)),
        };
        let (groups, warnings) = (Vec::new(), Vec::new());
        Arc::new(Ranking { plan: vec![leg], words: words.to_owned(), groups, truncated: false, warnings })
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn a_ranking_is_read_by_its_own_query_until_it_is_old() {
        let rankings = Rankings::new(100_000, 1_000);
        rankings.keep(7, "acme's", ranking("a"), at(0));
        assert!(rankings.get(7, "another's", at(1)).is_none());
        assert!(rankings.get(8, "acme's", at(1)).is_none());
        assert_eq!(rankings.get(7, "acme's", at(900)).unwrap().words, "a");
        assert!(rankings.get(7, "acme's", at(1_899)).is_some(), "reading keeps it");
        assert!(rankings.get(7, "acme's", at(2_899)).is_none());
        assert!(rankings.get(7, "acme's", at(1_900)).is_none(), "an old one is gone for good");
    }

    #[test]
    fn the_longest_unread_makes_room() {
        let room = ranking("").bytes() * 2;
        let rankings = Rankings::new(room, 1_000);
        for id in 0..2 {
            rankings.keep(id, "q", ranking("x"), at(0));
        }
        assert!(rankings.get(0, "q", at(1)).is_some());
        rankings.keep(2, "q", ranking("x"), at(2));
        let kept: Vec<bool> = (0..3).map(|id| rankings.get(id, "q", at(3)).is_some()).collect();
        assert_eq!(kept, [true, false, true]);
        let none = Rankings::new(10, 1_000);
        none.keep(1, "q", ranking("x"), at(0));
        assert!(none.get(1, "q", at(0)).is_none());
    }
}
