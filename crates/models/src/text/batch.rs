//! Texts of different lengths in one tensor.

use candle_core::{DType, Device};

use super::blocks::Shape;
use super::config::Positions;
use super::tokens::Token;

/// Most tokens of a batch, padding included.
const MOST_TOKENS: usize = 1 << 14;

/// Texts padded to the longest of them.
pub(super) struct Batch<'a> {
    sequences: Vec<&'a [Token]>,
    lengths: Vec<usize>,
    /// Tokens of the longest.
    pub longest: usize,
}

impl<'a> Batch<'a> {
    /// Puts texts of like length together. Each batch comes with the places of its texts in `sequences`.
    pub fn of_like_length(sequences: &'a [Vec<Token>]) -> Vec<(Vec<usize>, Self)> {
        let mut order: Vec<usize> = (0..sequences.len()).collect();
        order.sort_by_key(|index| std::cmp::Reverse(sequences[*index].len()));
        let mut batches: Vec<Vec<usize>> = Vec::new();
        for index in order {
            match batches.last_mut() {
                Some(batch) if fits(batch, sequences, sequences[index].len()) => batch.push(index),
                _ => batches.push(vec![index]),
            }
        }
        let padded = |places: Vec<usize>| {
            let batch = Self::new(places.iter().map(|index| sequences[*index].as_slice()).collect());
            (places, batch)
        };
        batches.into_iter().map(padded).collect()
    }

    fn new(sequences: Vec<&'a [Token]>) -> Self {
        let lengths: Vec<usize> = sequences.iter().map(|sequence| sequence.len()).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        Self { sequences, lengths, longest }
    }

    /// How many there are.
    pub fn texts(&self) -> usize {
        self.sequences.len()
    }

    /// Tokens of each, without padding.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// The tokens, text after text; what stands in the padding does not matter.
    pub fn ids(&self) -> Vec<u32> {
        self.padded(|sequence| sequence.iter().map(|token| token.id))
    }

    /// The tokens' segments.
    pub fn segments(&self) -> Vec<u32> {
        self.padded(|sequence| sequence.iter().map(|token| u32::from(token.segment)))
    }

    /// The tokens' positions.
    pub fn positions(&self, positions: Positions) -> Vec<u32> {
        self.padded(|sequence| positions.of(sequence.iter().map(|token| token.id)))
    }

    fn padded<I: Iterator<Item = u32>>(&self, of: impl Fn(&'a [Token]) -> I) -> Vec<u32> {
        let padded = |sequence: &&'a [Token]| of(sequence).chain(std::iter::repeat(0)).take(self.longest);
        self.sequences.iter().flat_map(padded).collect()
    }

    /// What attention has to know.
    pub fn shape<'b>(&'b self, heads: usize, dtype: DType, device: &'b Device) -> Shape<'b> {
        Shape { lengths: &self.lengths, longest: self.longest, heads, dtype, device }
    }
}

/// A batch stays small, and not much of it is padding.
fn fits(batch: &[usize], sequences: &[Vec<Token>], length: usize) -> bool {
    let longest = sequences[batch[0]].len();
    (batch.len() + 1) * longest <= MOST_TOKENS && longest - length <= longest / 8 + 4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(length: usize) -> Vec<Token> {
        (0..length).map(|place| Token { id: place as u32 + 5, segment: 0 }).collect()
    }

    #[test]
    fn every_text_is_in_one_batch_with_its_likes() {
        let sequences: Vec<Vec<Token>> = [3, 400, 5, 390, 40, 6000, 6000, 6000].map(sequence).to_vec();
        let batches = Batch::of_like_length(&sequences);
        let places: Vec<Vec<usize>> = batches.iter().map(|(places, _)| places.clone()).collect();
        assert_eq!(places, [vec![5, 6], vec![7], vec![1, 3], vec![4], vec![2, 0]]);
        let short = &batches[4].1;
        assert_eq!((short.texts(), short.lengths(), short.longest), (2, [5, 3].as_slice(), 5));
        assert_eq!(short.ids(), [5, 6, 7, 8, 9, 5, 6, 7, 0, 0]);
        assert_eq!(short.positions(Positions::AfterPadding(1)), [2, 3, 4, 5, 6, 2, 3, 4, 0, 0]);
    }
}
