//! Token by token, several inputs at once.

use candle_core::Result;

use super::{Rows, Sequence, log_sum_exp};

/// When a text ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ending {
    /// The token that ends it.
    pub token: u32,
    /// Most tokens, the end included.
    pub most: usize,
}

/// Writes a text for each input. `rows` holds one row for each, and `logits` those of its first token. `rules` change logits by the tokens so
/// far; `choose` gets the number of the input and its logits. A text that has ended leaves the batch.
pub(crate) fn write(
    rows: &mut impl Rows,
    mut logits: Vec<Vec<f32>>,
    ending: Ending,
    rules: impl Fn(&mut [f32], &[u32]),
    mut choose: impl FnMut(usize, &[f32]) -> usize,
) -> Result<Vec<Sequence>> {
    let mut found = vec![Sequence::default(); logits.len()];
    let mut open: Vec<usize> = (0..logits.len()).collect();
    for step in 1..=ending.most {
        let (mut left, mut next) = (Vec::with_capacity(open.len()), Vec::with_capacity(open.len()));
        for (row, (input, logits)) in open.iter().zip(&mut logits).enumerate() {
            let sequence = &mut found[*input];
            rules(logits, &sequence.tokens);
            let token = choose(*input, logits);
            sequence.log_probabilities.push(logits[token] - log_sum_exp(logits));
            let token = token as u32;
            if token != ending.token {
                sequence.tokens.push(token);
                left.push(row);
                next.push(token);
            }
        }
        if left.is_empty() || step == ending.most {
            break;
        }
        if left.len() < open.len() {
            rows.pick_rows(&left)?;
            rows.pick_inputs(&left)?;
            open = left.into_iter().map(|row| open[row]).collect();
        }
        logits = rows.read(&next)?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::choice::likeliest;

    /// Counts down from each row's last token; 0 is the end.
    struct Countdown {
        rows: usize,
        read: Vec<usize>,
    }

    impl Rows for Countdown {
        fn read(&mut self, tokens: &[u32]) -> Result<Vec<Vec<f32>>> {
            assert_eq!(tokens.len(), self.rows);
            self.read.push(tokens.len());
            Ok(tokens.iter().map(|token| towards(*token as usize - 1)).collect())
        }

        fn pick_rows(&mut self, rows: &[usize]) -> Result<()> {
            self.rows = rows.len();
            Ok(())
        }

        fn pick_inputs(&mut self, _: &[usize]) -> Result<()> {
            Ok(())
        }
    }

    fn towards(token: usize) -> Vec<f32> {
        (0..9).map(|other| if other == token { 5.0 } else { 0.0 }).collect()
    }

    #[test]
    fn texts_that_have_ended_leave_the_batch() {
        let mut rows = Countdown { rows: 3, read: Vec::new() };
        let first = vec![towards(2), towards(5), towards(0)];
        let ending = Ending { token: 0, most: 4 };
        let found = write(&mut rows, first, ending, |_, _| (), |_, logits| likeliest(logits)).unwrap();
        let tokens: Vec<&[u32]> = found.iter().map(|sequence| sequence.tokens.as_slice()).collect();
        assert_eq!(tokens, [[2, 1].as_slice(), &[5, 4, 3, 2], &[]]);
        assert_eq!(rows.read, [2, 2, 1], "the third ends at once, the first after two");
        assert_eq!(found.iter().map(|sequence| sequence.log_probabilities.len()).collect::<Vec<_>>(), [3, 4, 1]);
    }
}
