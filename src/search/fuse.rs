//! Ranked lists become one. Pure; the properties are tested below.

use std::collections::HashMap;

use sensorium_domain::{DocumentId, Modality, SegmentId};

use crate::search::request::{Fusion, FusionMethod};

/// A hit of one leg.
#[derive(Debug, Clone, PartialEq)]
pub struct LegHit {
    /// The segment.
    pub segment: SegmentId,
    /// Its document.
    pub document: DocumentId,
    /// Its kind of content.
    pub modality: Modality,
    /// Cosine or BM25 score, as the index gave it.
    pub score: f32,
    /// What the leg ranks by: calibrated confidence, or the BM25 score. Comparable within the leg.
    pub strength: f64,
    /// Calibrated confidence, for dense legs.
    pub confidence: Option<f32>,
}

/// A leg's hits, best first.
#[derive(Debug, Clone, Default)]
pub struct RankedLeg {
    /// How much it counts; negative pushes its hits down.
    pub weight: f64,
    /// Its hits.
    pub hits: Vec<LegHit>,
}

impl RankedLeg {
    /// Best first; equal ones by score, then by ascending segment id.
    pub fn sort(&mut self) {
        self.hits.sort_by(|a, b| {
            b.strength
                .total_cmp(&a.strength)
                .then_with(|| b.score.total_cmp(&a.score))
                .then_with(|| a.segment.cmp(&b.segment))
        });
    }
}

/// What a leg gave to a hit.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// Position of the leg.
    pub leg: usize,
    /// Rank in the leg, from 1.
    pub rank: usize,
    /// As in [`LegHit`].
    pub score: f32,
    /// As in [`LegHit`].
    pub confidence: Option<f32>,
    /// What it adds to the score.
    pub contribution: f64,
}

/// A hit of the joined list.
#[derive(Debug, Clone, PartialEq)]
pub struct Fused {
    /// The segment.
    pub segment: SegmentId,
    /// Its document.
    pub document: DocumentId,
    /// Its kind of content.
    pub modality: Modality,
    /// The sum of the contributions.
    pub score: f64,
    /// The best confidence of the legs with positive weight, where one is known.
    pub confidence: Option<f32>,
    /// What each leg gave.
    pub shares: Vec<Share>,
}

/// Joins ranked legs. A hit needs at least one leg of positive weight: being unlike what is not wanted is no reason to be
/// found. The order is by score, then by ascending segment id, so it is total.
pub fn fuse(legs: &[RankedLeg], fusion: &Fusion) -> Vec<Fused> {
    let mut joined: HashMap<SegmentId, Fused> = HashMap::new();
    for (number, leg) in legs.iter().enumerate() {
        let scale = Scale::of(leg, fusion);
        for (position, hit) in leg.hits.iter().enumerate() {
            let rank = position + 1;
            let contribution = leg.weight * scale.value(rank, hit.strength);
            let fused = joined.entry(hit.segment).or_insert_with(|| Fused {
                segment: hit.segment,
                document: hit.document,
                modality: hit.modality,
                score: 0.0,
                confidence: None,
                shares: Vec::new(),
            });
            fused.score += contribution;
            if leg.weight > 0.0 {
                fused.confidence = match (fused.confidence, hit.confidence) {
                    (Some(a), Some(b)) => Some(a.max(b)),
                    (a, b) => a.or(b),
                };
            }
            fused.shares.push(Share { leg: number, rank, score: hit.score, confidence: hit.confidence, contribution });
        }
    }
    let mut list: Vec<Fused> =
        joined.into_values().filter(|fused| fused.shares.iter().any(|share| legs[share.leg].weight > 0.0)).collect();
    list.sort_by(|a, b| order((a.score, a.segment), (b.score, b.segment)));
    list
}

/// The total order of hits: higher score first, then ascending segment id.
pub fn order(a: (f64, SegmentId), b: (f64, SegmentId)) -> std::cmp::Ordering {
    b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1))
}

/// How a method turns rank or strength into what a leg of weight 1 contributes.
enum Scale {
    /// Cormack, Clarke, Büttcher 2009.
    Reciprocal { k: f64 },
    /// (strength - low) / width, kept within 0..1.
    Linear { low: f64, width: f64 },
}

impl Scale {
    fn of(leg: &RankedLeg, fusion: &Fusion) -> Self {
        let strengths = || leg.hits.iter().map(|hit| hit.strength);
        match fusion.method {
            FusionMethod::Rrf => Self::Reciprocal { k: f64::from(fusion.k) },
            FusionMethod::Weighted => {
                let low = strengths().fold(f64::INFINITY, f64::min);
                let high = strengths().fold(f64::NEG_INFINITY, f64::max);
                Self::Linear { low, width: high - low }
            }
            FusionMethod::Dbsf => {
                let count = leg.hits.len().max(1) as f64;
                let mean = strengths().sum::<f64>() / count;
                let deviation = (strengths().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
                Self::Linear { low: mean - 3.0 * deviation, width: 6.0 * deviation }
            }
        }
    }

    fn value(&self, rank: usize, strength: f64) -> f64 {
        match self {
            Self::Reciprocal { k } => 1.0 / (k + rank as f64),
            // All equal: nothing tells them apart, each is as good as the best.
            Self::Linear { width, .. } if *width < 1e-12 => 1.0,
            Self::Linear { low, width } => ((strength - low) / width).clamp(0.0, 1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sensorium_domain::{PartId, Timestamp};

    fn hit(number: u32, strength: f64) -> LegHit {
        let part = PartId::new(Timestamp::from_millis(1), 1);
        LegHit {
            segment: SegmentId::derive(part, "chunk", number),
            document: DocumentId::new(Timestamp::from_millis(1), u128::from(number / 3)),
            modality: Modality::Text,
            score: strength as f32,
            strength,
            confidence: Some(strength as f32),
        }
    }

    fn leg(weight: f64, hits: &[(u32, f64)]) -> RankedLeg {
        let mut leg = RankedLeg { weight, hits: hits.iter().map(|(n, s)| hit(*n, *s)).collect() };
        leg.sort();
        leg
    }

    fn with(method: FusionMethod) -> Fusion {
        Fusion { method, ..Fusion::default() }
    }

    fn any_leg() -> impl Strategy<Value = RankedLeg> {
        (prop_oneof![-3.0..-0.1, 0.1..3.0f64], proptest::collection::btree_map(0u32..40, 0.0..1.0f64, 0..30))
            .prop_map(|(weight, hits)| leg(weight, &hits.into_iter().collect::<Vec<_>>()))
    }

    fn any_method() -> impl Strategy<Value = FusionMethod> {
        prop_oneof![Just(FusionMethod::Rrf), Just(FusionMethod::Dbsf), Just(FusionMethod::Weighted)]
    }

    proptest! {
        #[test]
        fn contributions_add_up_and_the_order_is_total(legs in proptest::collection::vec(any_leg(), 1..5), method in any_method()) {
            let fused = fuse(&legs, &with(method));
            for hit in &fused {
                let sum: f64 = hit.shares.iter().map(|share| share.contribution).sum();
                prop_assert!((sum - hit.score).abs() < 1e-9);
                prop_assert!(hit.shares.iter().any(|share| legs[share.leg].weight > 0.0));
            }
            for pair in fused.windows(2) {
                prop_assert!(order((pair[0].score, pair[0].segment), (pair[1].score, pair[1].segment)).is_lt());
            }
        }

        #[test]
        fn every_hit_of_a_positive_leg_is_found_once(legs in proptest::collection::vec(any_leg(), 1..5), method in any_method()) {
            let fused = fuse(&legs, &with(method));
            let mut expected: Vec<_> = legs.iter().filter(|leg| leg.weight > 0.0).flat_map(|leg| leg.hits.iter().map(|hit| hit.segment)).collect();
            expected.sort();
            expected.dedup();
            let mut found: Vec<_> = fused.iter().map(|hit| hit.segment).collect();
            found.sort();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn one_leg_keeps_its_order(hits in proptest::collection::btree_map(0u32..40, 0.0..1.0f64, 1..30), method in any_method()) {
            let leg = leg(1.0, &hits.into_iter().collect::<Vec<_>>());
            let fused = fuse(std::slice::from_ref(&leg), &with(method));
            for pair in fused.windows(2) {
                let place = |id| leg.hits.iter().position(|hit| hit.segment == id).unwrap();
                let (first, second) = (place(pair[0].segment), place(pair[1].segment));
                prop_assert!(first < second || (pair[0].score - pair[1].score).abs() < 1e-12);
            }
        }

        #[test]
        fn scaling_all_weights_changes_no_order(legs in proptest::collection::vec(any_leg(), 1..4), method in any_method()) {
            let doubled: Vec<_> = legs.iter().map(|leg| RankedLeg { weight: leg.weight * 2.0, hits: leg.hits.clone() }).collect();
            let ids = |list: Vec<Fused>| list.into_iter().map(|hit| hit.segment).collect::<Vec<_>>();
            prop_assert_eq!(ids(fuse(&legs, &with(method))), ids(fuse(&doubled, &with(method))));
        }
    }

    #[test]
    fn rrf_is_the_published_formula() {
        let legs = [leg(1.0, &[(1, 0.9), (2, 0.8)]), leg(0.5, &[(2, 0.7), (3, 0.6)])];
        let fused = fuse(&legs, &with(FusionMethod::Rrf));
        assert_eq!(fused[0].segment, hit(2, 0.0).segment);
        assert!((fused[0].score - (1.0 / 62.0 + 0.5 / 61.0)).abs() < 1e-12);
    }

    #[test]
    fn a_negative_leg_pushes_down_and_finds_nothing() {
        let legs = [leg(1.0, &[(1, 0.9), (2, 0.8)]), leg(-1.0, &[(1, 0.9), (7, 0.5)])];
        let fused = fuse(&legs, &with(FusionMethod::Rrf));
        let ids: Vec<_> = fused.iter().map(|fused| fused.segment).collect();
        assert_eq!(ids, [hit(2, 0.0).segment, hit(1, 0.0).segment]);
    }
}
