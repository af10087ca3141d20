//! `config.json` of BERT, RoBERTa, XLM-R and MPNet.

use serde::Deserialize;

use super::{Family, activation, check_heads, unsupported};
use crate::error::ModelError;
use crate::layers::Activation;

/// How tokens are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Positions {
    /// 0, 1, 2 and so on.
    FromZero,
    /// Tokens that are not this one count on from it; where it stands itself, it is the number too.
    AfterPadding(u32),
}

impl Positions {
    /// The number of every token.
    pub fn of(self, ids: impl Iterator<Item = u32>) -> impl Iterator<Item = u32> {
        let mut next = 0;
        ids.map(move |id| match self {
            Self::AfterPadding(padding) if id == padding => padding,
            Self::AfterPadding(padding) => {
                next += 1;
                padding + next
            }
            Self::FromZero => {
                next += 1;
                next - 1
            }
        })
    }
}

/// A network of the BERT kind.
#[derive(Debug, Clone)]
pub struct PostNormConfig {
    /// Which.
    pub family: Family,
    /// Between the two layers after attention.
    pub activation: Activation,
    /// Width of the token states.
    pub width: usize,
    /// Width between the two layers after attention.
    pub inner: usize,
    /// Transformer layers.
    pub layers: usize,
    /// Heads of attention.
    pub heads: usize,
    /// Rows of the table of positions.
    pub position_rows: usize,
    /// How tokens are numbered.
    pub positions: Positions,
    /// Rows of the table of segments; MPNet has none.
    pub segment_rows: usize,
    /// Tokens.
    pub vocabulary: usize,
    /// Added to variances.
    pub epsilon: f64,
}

/// `config.json` of BERT, RoBERTa, XLM-R and MPNet.
#[derive(Deserialize)]
pub struct PostNormFile {
    hidden_act: String,
    position_embedding_type: Option<String>,
    #[serde(default)]
    is_decoder: bool,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    max_position_embeddings: usize,
    type_vocab_size: Option<usize>,
    vocab_size: usize,
    layer_norm_eps: f64,
    pad_token_id: Option<u32>,
    relative_attention_num_buckets: Option<usize>,
}

/// The padding of RoBERTa and MPNet.
const PADDING: u32 = 1;
/// The buckets of MPNet's distances; the reference knows no other number.
pub const BUCKETS: usize = 32;

impl PostNormFile {
    pub fn checked(self, family: Family) -> Result<PostNormConfig, ModelError> {
        if let Some(kind) = self.position_embedding_type.as_deref().filter(|kind| *kind != "absolute") {
            return Err(unsupported("kind of position embedding", kind, "absolute"));
        }
        if self.is_decoder {
            return Err(unsupported("is_decoder", "true", "false"));
        }
        let buckets = self.relative_attention_num_buckets.unwrap_or(BUCKETS);
        if family == Family::Mpnet && buckets != BUCKETS {
            return Err(unsupported("relative_attention_num_buckets", &buckets.to_string(), "32"));
        }
        check_heads(self.num_attention_heads, self.hidden_size)?;
        Ok(PostNormConfig {
            family,
            activation: activation(&self.hidden_act)?,
            width: self.hidden_size,
            inner: self.intermediate_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            position_rows: self.max_position_embeddings,
            positions: match family {
                Family::Bert | Family::ModernBert => Positions::FromZero,
                Family::Roberta => Positions::AfterPadding(self.pad_token_id.unwrap_or(PADDING)),
                Family::Mpnet => Positions::AfterPadding(PADDING),
            },
            segment_rows: if family == Family::Mpnet { 0 } else { self.type_vocab_size.unwrap_or(2) },
            vocabulary: self.vocab_size,
            epsilon: self.layer_norm_eps,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_on_from_the_padding_and_skip_it() {
        let ids = [0, 7, 1, 7, 2];
        assert!(Positions::FromZero.of(ids.into_iter()).eq([0, 1, 2, 3, 4]));
        assert!(Positions::AfterPadding(1).of(ids.into_iter()).eq([2, 3, 1, 4, 5]));
    }
}
