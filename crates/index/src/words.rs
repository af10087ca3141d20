//! Words as sparse vectors whose products are BM25 scores (the index adds the weight of rarity).

use std::collections::HashMap;

use qdrant_edge::SparseVector;
use qdrant_edge::bm25_embed::{EdgeBm25, EdgeBm25Config};
use qdrant_edge::external::ordered_float::NotNan;
use sensorium_domain::IndexError;

use crate::options::WordsOptions;

/// The name of the sparse vector.
pub(crate) const WORDS: &str = "lexical";

#[derive(Debug)]
pub(crate) struct Words(EdgeBm25);

impl Words {
    pub(crate) fn new(options: &WordsOptions) -> Result<Self, IndexError> {
        let number = |name: &str, value: f64| {
            NotNan::new(value).map_err(|_| IndexError::Rejected(format!("words.{name} is not a number")))
        };
        let config = EdgeBm25Config {
            k: number("k1", options.k1)?,
            b: number("b", options.b)?,
            avg_len: number("average_words", options.average_words)?,
            language: Some(options.language.clone()),
            ascii_folding: Some(true),
            ..EdgeBm25Config::default()
        };
        EdgeBm25::new(config).map(Self).map_err(|error| IndexError::Rejected(format!("words: {error}")))
    }

    /// A text's vector; `None` where it has no words that count.
    pub(crate) fn of_document(&self, text: &str) -> Option<SparseVector> {
        in_order(self.0.embed_document(text))
    }

    /// A query's vector; `None` where it has no words that count.
    pub(crate) fn of_query(&self, text: &str) -> Option<SparseVector> {
        in_order(self.0.embed_query(text))
    }
}

/// Sorted and with one entry per word, as the index wants it.
fn in_order(vector: SparseVector) -> Option<SparseVector> {
    let by_word: HashMap<u32, f32> = vector.indices.into_iter().zip(vector.values).collect();
    let mut entries: Vec<(u32, f32)> = by_word.into_iter().collect();
    entries.sort_unstable_by_key(|entry| entry.0);
    let (indices, values) = entries.into_iter().unzip();
    let vector = SparseVector { indices, values };
    (!vector.indices.is_empty()).then_some(vector)
}
