//! What comes first.

use super::sample::{
    Chance, cosine, crowd, dense, dense_leg, found, segment, shared, sound, tagged, tenant, words, words_leg,
};
use crate::index::{Leg, Scope, ScoredPoint, VectorIndex};
use crate::segment::Modality;

/// A dense leg gives what comparing with every vector gives, in its order and with its scores.
pub async fn dense_legs_rank_by_cosine(index: &dyn VectorIndex) {
    let acme = tenant("acme");
    let mut chance = Chance(1);
    let points = crowd(&mut chance, 200);
    index.upsert(&acme, points.clone()).await.unwrap();
    for (space, dimension) in [(shared(), 8), (sound(), 4)] {
        for _ in 0..10 {
            let query = chance.vector(dimension);
            let mut wanted: Vec<ScoredPoint> = points
                .iter()
                .filter_map(|point| {
                    let (_, vector) = point.dense.iter().find(|(name, _)| *name == space)?;
                    Some(ScoredPoint {
                        segment: point.id,
                        document: point.payload.document,
                        modality: point.payload.modality,
                        score: cosine(&query, vector),
                    })
                })
                .collect();
            wanted.sort_by(|a, b| b.score.total_cmp(&a.score));
            let legs = [dense_leg(space.clone(), query, 50)];
            let lists = index.query_batch(&acme, &Scope::default(), &legs).await.unwrap();
            assert_eq!(lists[0].len(), 50);
            for (hit, wanted) in lists[0].iter().zip(&wanted) {
                assert!((hit.score - wanted.score).abs() < 1e-4, "{hit:?} {wanted:?}");
            }
            for hit in &lists[0] {
                let wanted = wanted.iter().find(|point| point.segment == hit.segment);
                let wanted = wanted.unwrap();
                assert!((hit.score - wanted.score).abs() < 1e-4);
                assert_eq!(hit.document, wanted.document);
                assert_eq!(hit.modality, wanted.modality);
            }
        }
    }
}

/// Points of one score come by ascending id, every time.
pub async fn equal_scores_come_in_order_of_id(index: &dyn VectorIndex) {
    let acme = tenant("acme");
    let mut numbers: Vec<u32> = (0..50).collect();
    let mut chance = Chance(2);
    for position in 0..numbers.len() {
        numbers.swap(position, chance.below(50) as usize);
    }
    for number in &numbers {
        let mut point = dense(*number, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        point.words = Some("twin".to_owned());
        index.upsert(&acme, vec![point]).await.unwrap();
    }
    let wanted: Vec<_> = (0..50).map(|number| segment(number, 0)).collect();
    for _ in 0..3 {
        let leg = dense_leg(shared(), vec![1.0; 8], 50);
        let near = found(index, &acme, &Scope::default(), leg).await;
        assert_eq!(near, wanted);
        let read = found(index, &acme, &Scope::default(), words_leg("twin", 50)).await;
        assert_eq!(read, wanted);
    }
}

/// Of two words, the one that fewer points have decides.
pub async fn the_rarer_word_counts_more(index: &dyn VectorIndex) {
    let acme = tenant("acme");
    let mut points = vec![words(0, "violin street")];
    points.extend((1..20).map(|number| words(number, "garden street")));
    points.push(words(20, "empty harbour"));
    index.upsert(&acme, points).await.unwrap();
    let hits = found(index, &acme, &Scope::default(), words_leg("a violin in the garden", 50)).await;
    assert_eq!(hits.len(), 20);
    assert_eq!(hits[0], segment(0, 0));
    let hits = found(index, &acme, &Scope::default(), words_leg("Violins", 5)).await;
    assert_eq!(hits, [segment(0, 0)], "endings and case are no difference");
}

/// A word that is repeated scores higher than once, but ever less so; a long text is held back.
pub async fn repeated_words_add_less_and_less(index: &dyn VectorIndex) {
    let acme = tenant("acme");
    let padding = "lamp ".repeat(8);
    let texts = [
        format!("violin {padding}"),
        format!("violin violin {}", "lamp ".repeat(7)),
        format!("violin violin violin {}", "lamp ".repeat(6)),
        format!("violin {}", "lamp ".repeat(300)),
        "nothing of the kind".to_owned(),
    ];
    let points = texts.iter().zip(0..);
    let points = points.map(|(text, number)| words(number, text)).collect();
    index.upsert(&acme, points).await.unwrap();
    let legs = [words_leg("violin", 10)];
    let lists = index.query_batch(&acme, &Scope::default(), &legs).await.unwrap();
    let order: Vec<_> = lists[0].iter().map(|hit| hit.segment).collect();
    let wanted = [2, 1, 0, 3].map(|number| segment(number, 0));
    assert_eq!(order, wanted);
    let score: Vec<f32> = lists[0].iter().map(|hit| hit.score).collect();
    assert!(score[1] - score[2] > score[0] - score[1], "{score:?}");
    assert!(score[3] > 0.0);
}

/// Words that no point has find nothing, and so do stop words and signs alone.
pub async fn words_that_are_not_there_find_nothing(index: &dyn VectorIndex) {
    let acme = tenant("acme");
    let points = vec![words(0, "the cat sat on the mat"), words(1, "the of and")];
    index.upsert(&acme, points).await.unwrap();
    for text in ["submarine", "the", "of the and", "", "   ", "!? ..."] {
        let hits = found(index, &acme, &Scope::default(), words_leg(text, 10)).await;
        assert!(hits.is_empty(), "\"{text}\" found {hits:?}");
    }
    let hits = found(index, &acme, &Scope::default(), words_leg("the cat", 10)).await;
    assert_eq!(hits, [segment(0, 0)]);
}

/// A leg gives hits of its own modality only, and no more than its limit.
pub async fn a_leg_keeps_to_its_modality_and_limit(index: &dyn VectorIndex) {
    let acme = tenant("acme");
    let points = crowd(&mut Chance(8), 80);
    index.upsert(&acme, points.clone()).await.unwrap();
    for modality in Modality::ALL {
        let wanted = points.iter().filter(|point| point.payload.modality == modality).count();
        for limit in [0, 3, 80] {
            let leg = Leg { modality: Some(modality), ..dense_leg(shared(), vec![1.0; 8], limit) };
            let lists = index.query_batch(&acme, &Scope::default(), &[leg]).await.unwrap();
            assert_eq!(lists[0].len(), wanted.min(limit));
            assert!(lists[0].iter().all(|hit| hit.modality == modality));
        }
    }
}

/// Legs asked together answer as each asked alone.
pub async fn a_batch_answers_as_its_legs_alone(index: &dyn VectorIndex) {
    let acme = tenant("acme");
    let mut chance = Chance(3);
    index.upsert(&acme, crowd(&mut chance, 120)).await.unwrap();
    let mut legs = Vec::new();
    for _ in 0..6 {
        legs.push(dense_leg(shared(), chance.vector(8), 20));
        legs.push(Leg { modality: Some(*chance.pick(&Modality::ALL)), ..dense_leg(sound(), chance.vector(4), 7) });
        legs.push(words_leg("the", 5));
        legs.push(words_leg("bridge lamp", 30));
    }
    let scope = tagged("red");
    let together = index.query_batch(&acme, &scope, &legs).await.unwrap();
    assert_eq!(together.len(), legs.len());
    for (leg, list) in legs.into_iter().zip(together) {
        let alone = index.query_batch(&acme, &scope, &[leg]).await.unwrap();
        assert_eq!(alone, [list]);
    }
}
