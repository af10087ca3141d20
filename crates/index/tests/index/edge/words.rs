//! Scores of words, held against the formula of BM25.

use sensorium_domain::VectorIndex;
use sensorium_domain::index::{Leg, LegQuery, Scope};
use sensorium_index::{EdgeIndex, EdgeOptions};

use crate::sample::{acme, point, segment, spaces};

const K1: f64 = 1.2;
const B: f64 = 0.75;
const AVERAGE: f64 = 100.0;

/// What a word adds that `holders` of `points` have, and this one, of `length` words, `times` over.
fn bm25(points: f64, holders: f64, times: f64, length: f64) -> f64 {
    let rarity = ((points - holders + 0.5) / (holders + 0.5) + 1.0).ln();
    rarity * times * (K1 + 1.0) / (times + K1 * (1.0 - B + B * length / AVERAGE))
}

#[tokio::test]
async fn scores_are_those_of_the_formula() {
    let folder = tempfile::tempdir().unwrap();
    let index = EdgeIndex::open(folder.path(), &spaces(), EdgeOptions::default()).unwrap();
    let texts = [
        "violin violin river".to_owned(),
        format!("violin {}", "lamp ".repeat(149)),
        "river stone river".to_owned(),
        "nothing else matters".to_owned(),
    ];
    let points = texts.iter().zip(0..).map(|(text, number)| {
        let mut point = point(number, 1);
        point.words = Some(text.clone());
        point
    });
    index.upsert(&acme(), points.collect()).await.unwrap();

    let check = async || {
        let legs = [Leg { query: LegQuery::Words("the violin by the river".to_owned()), modality: None, limit: 10 }];
        let lists = index.query_batch(&acme(), &Scope::default(), &legs).await.unwrap();
        let wanted = [
            (0, bm25(4.0, 2.0, 2.0, 3.0) + bm25(4.0, 2.0, 1.0, 3.0)),
            (2, bm25(4.0, 2.0, 2.0, 3.0)),
            (1, bm25(4.0, 2.0, 1.0, 150.0)),
        ];
        assert_eq!(lists[0].len(), wanted.len());
        for (hit, (number, score)) in lists[0].iter().zip(wanted) {
            assert_eq!(hit.segment, segment(number));
            assert!((f64::from(hit.score) - score).abs() < 1e-3, "{hit:?}, wanted {score}");
        }
    };
    check().await;
    index.optimize().await.unwrap();
    check().await;
}
