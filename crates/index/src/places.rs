//! Which document a segment belongs to and its modality, kept in memory.
//!
//! Qdrant reads a stored payload from disk, unpacks it and parses it whole, some five microseconds a hit: for a thousand hits
//! ten times what finding them took, and a server must also send it. Neither fact of a segment ever changes, so they are
//! remembered: those of new points when they are written, those of others when they are first found.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use sensorium_domain::{DocumentId, Modality, SegmentId};

/// What a hit is grouped by.
pub(crate) type Place = (DocumentId, Modality);

/// A bounded memory in two generations: when the young one is full, it becomes the old one, and the old one is forgotten.
#[derive(Debug)]
pub(crate) struct Places {
    generations: RwLock<Generations>,
    /// Entries of one generation at most.
    limit: usize,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<SegmentId, Place>,
    old: HashMap<SegmentId, Place>,
}

impl Places {
    /// A memory of `limit` segments at most.
    pub(crate) fn new(limit: usize) -> Self {
        Self { generations: RwLock::default(), limit: limit.div_ceil(2).max(1) }
    }

    /// The places of segments, in their order, `None` where unknown.
    pub(crate) fn get(&self, segments: impl Iterator<Item = SegmentId>) -> Vec<Option<Place>> {
        let mut from_old = Vec::new();
        let places = {
            let known = self.generations.read().unwrap_or_else(PoisonError::into_inner);
            let mut find = |segment: SegmentId| {
                if let Some(place) = known.young.get(&segment) {
                    return Some(*place);
                }
                let place = *known.old.get(&segment)?;
                from_old.push((segment, place));
                Some(place)
            };
            segments.map(&mut find).collect()
        };
        if !from_old.is_empty() {
            self.remember(from_old);
        }
        places
    }

    /// Keeps places, forgetting what was asked for least lately where there are too many.
    pub(crate) fn remember(&self, places: impl IntoIterator<Item = (SegmentId, Place)>) {
        let mut known = self.generations.write().unwrap_or_else(PoisonError::into_inner);
        for (segment, place) in places {
            if known.young.len() >= self.limit && !known.young.contains_key(&segment) {
                known.old = std::mem::take(&mut known.young);
            }
            known.young.insert(segment, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn segment(number: u128) -> SegmentId {
        SegmentId::from_uuid(Uuid::from_u128(number))
    }

    fn place(number: u128) -> Place {
        (DocumentId::from_uuid(Uuid::from_u128(number)), Modality::Text)
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_forgotten() {
        let places = Places::new(20);
        places.remember([(segment(0), place(0))]);
        for number in 1..100 {
            places.remember([(segment(number), place(number))]);
            assert_eq!(places.get([segment(0)].into_iter()), [Some(place(0))]);
        }
        let known = places.get((0..100).map(segment));
        let count = known.iter().flatten().count();
        assert!((10..=20).contains(&count), "{count}");
        assert_eq!(known[99], Some(place(99)));
        assert_eq!(known[1], None);
    }
}
