//! What the next token may be.

/// The rules of one run. They are applied to logits, or to log-probabilities, in place.
#[derive(Debug, Clone)]
pub(super) struct Rules<'a> {
    /// What every text begins with.
    pub prompt: &'a [u32],
    /// Ends a text.
    pub end: u32,
    /// Tokens after the prompt before a text may end.
    pub least: usize,
    /// 1 changes nothing.
    pub repetition_penalty: f32,
}

impl Rules<'_> {
    /// `said` are the tokens so far without the prompt.
    pub fn apply(&self, logits: &mut [f32], said: &[u32]) {
        if (self.repetition_penalty - 1.0).abs() > f32::EPSILON {
            let mut seen = [self.prompt, said].concat();
            seen.sort_unstable();
            seen.dedup();
            for token in seen {
                if let Some(logit) = logits.get_mut(token as usize) {
                    let down = *logit < 0.0;
                    *logit = if down { *logit * self.repetition_penalty } else { *logit / self.repetition_penalty };
                }
            }
        }
        if said.len() < self.least
            && let Some(logit) = logits.get_mut(self.end as usize)
        {
            *logit = f32::NEG_INFINITY;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_becomes_less_likely_once_and_the_end_waits() {
        let rules = Rules { prompt: &[4, 1], end: 0, least: 2, repetition_penalty: 2.0 };
        let after = |said: &[u32]| {
            let mut logits = vec![3.0, 1.0, -1.0, 5.0, -4.0];
            rules.apply(&mut logits, said);
            logits
        };
        assert_eq!(after(&[]), [f32::NEG_INFINITY, 0.5, -1.0, 5.0, -8.0]);
        assert_eq!(after(&[2, 2]), [3.0, 0.5, -2.0, 5.0, -8.0]);
        let none = Rules { least: 0, repetition_penalty: 1.0, ..rules };
        let mut logits = vec![1.0, -1.0];
        none.apply(&mut logits, &[0, 1]);
        assert_eq!(logits, [1.0, -1.0]);
    }
}
