//! From logits to texts: the likeliest token, one by chance, or beams, for every model that writes token by token.
//!
//! A model gives the logits of the next token and keeps what it has read ([`Rows`]); which token comes, when a text ends and which text is the
//! best is decided here. Whatever is chosen, a text is the one that its input gets alone.

pub(crate) mod beam;
pub(crate) mod choice;
pub(crate) mod random;
pub(crate) mod rows;

pub use self::beam::{BeamOptions, Stop};

use candle_core::Result;

/// Texts in the making, all of one length, as the model has read them: a row for each. Rows belong to inputs in equal shares, in order.
pub(crate) trait Rows {
    /// Reads one more token of every row. Gives for each the logits of the token after it.
    fn read(&mut self, tokens: &[u32]) -> Result<Vec<Vec<f32>>>;

    /// Keeps those rows, which may repeat, in this order.
    fn pick_rows(&mut self, rows: &[usize]) -> Result<()>;

    /// Keeps those inputs, in this order; the rows are picked apart.
    fn pick_inputs(&mut self, inputs: &[usize]) -> Result<()>;
}

/// What was written after a prompt.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Sequence {
    /// Without the end.
    pub tokens: Vec<u32>,
    /// Of every token, and of the end where it was reached, among those that the rules allowed; natural logarithms.
    pub log_probabilities: Vec<f32>,
}

impl Sequence {
    /// The mean over all tokens, the end included; 0 where there are none.
    pub fn average(&self) -> f32 {
        average(&self.log_probabilities)
    }
}

/// The mean, and 0 of nothing.
pub(crate) fn average(log_probabilities: &[f32]) -> f32 {
    log_probabilities.iter().sum::<f32>() / log_probabilities.len().max(1) as f32
}

/// The logarithm of the sum of exponentials.
pub(crate) fn log_sum_exp(values: &[f32]) -> f32 {
    let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if most == f32::NEG_INFINITY {
        return most;
    }
    let sum: f64 = values.iter().map(|value| f64::from(value - most).exp()).sum();
    most + sum.ln() as f32
}
