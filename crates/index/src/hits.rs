//! From ranked segments to hits, which also name document and modality.

use std::cmp::Ordering;
use std::collections::HashMap;

use sensorium_domain::SegmentId;
use sensorium_domain::index::ScoredPoint;

use crate::places::{Place, Places};

/// Segments with their scores, and what is known of their places.
#[derive(Debug, Default)]
pub(crate) struct Found {
    ranked: Vec<(SegmentId, f32)>,
    places: Vec<Option<Place>>,
}

impl Found {
    /// Takes the places that are remembered.
    pub(crate) fn new(ranked: Vec<(SegmentId, f32)>, places: &Places) -> Self {
        let known = places.get(ranked.iter().map(|(segment, _)| *segment));
        Self { ranked, places: known }
    }

    /// The segments whose places must be read.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = SegmentId> {
        self.ranked.iter().zip(&self.places).filter(|(_, place)| place.is_none()).map(|((segment, _), _)| *segment)
    }

    /// Hits, best first, equal scores by ascending id. Segments that are neither remembered nor in `read` were removed meanwhile
    /// and are left out.
    pub(crate) fn into_hits(self, read: &HashMap<SegmentId, Place>) -> Vec<ScoredPoint> {
        let mut hits: Vec<ScoredPoint> = self
            .ranked
            .into_iter()
            .zip(self.places)
            .filter_map(|((segment, score), place)| {
                let (document, modality) = place.or_else(|| read.get(&segment).copied())?;
                Some(ScoredPoint { segment, document, modality, score })
            })
            .collect();
        hits.sort_unstable_by(best_first);
        hits
    }
}

fn best_first(a: &ScoredPoint, b: &ScoredPoint) -> Ordering {
    b.score.total_cmp(&a.score).then_with(|| a.segment.cmp(&b.segment))
}
