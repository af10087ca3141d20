//! From what was seen and the tokens so far to the next token's logits.

use candle_core::{DType, Device, Result, Tensor};

use super::config::TextConfig;
use super::text::{Seen, Text};
use crate::error::ModelError;
use crate::generation::Rows;
use crate::layers::{Activation, Embedding, LayerNorm, Linear, Past};
use crate::scope::Scope;

/// `BlipTextLMHeadModel` of the Transformers library.
pub(super) struct Decoder {
    text: Text,
    transform: Linear,
    activation: Activation,
    norm: LayerNorm,
    head: Linear,
    device: Device,
}

/// Texts in the making.
pub(super) struct Reading<'a> {
    decoder: &'a Decoder,
    seen: Seen,
    past: Past,
}

impl Decoder {
    /// Reads the tensors of `scope`; what is seen is `seen_width` wide.
    pub fn load(scope: &Scope, config: &TextConfig, seen_width: usize) -> std::result::Result<Self, ModelError> {
        let (width, rows) = (config.shape.width, config.vocabulary);
        let (table, predictions) = (scope.at("bert.embeddings.word_embeddings"), scope.at("cls.predictions"));
        let (output, transform) = (predictions.at("decoder"), predictions.at("transform"));
        // Files hold what is shared under one of its names, or under both.
        let words = if table.has("weight") || !config.tied { &table } else { &output };
        let head = if output.has("weight") || !config.tied { &output } else { &table };
        let bias = if predictions.has("bias") { &predictions } else { &output };
        let head = Linear::of(head, &head.tensor("weight", &[rows, width])?, Some(bias.tensor("bias", &[rows])?))
            .map_err(|error| ModelError::device(&head.name("weight"), &error))?;
        Ok(Self {
            text: Text::load(&scope.at("bert"), Embedding::load(words, rows, width)?, config, seen_width)?,
            transform: Linear::load(&transform.at("dense"), width, width)?,
            activation: config.shape.activation,
            norm: LayerNorm::load(&transform.at("LayerNorm"), width, config.shape.epsilon)?,
            head,
            device: scope.device().clone(),
        })
    }

    /// Looks at `states` (inputs x length x width, but for what is `hidden`) and reads `prompt`, the same for all inputs. Gives the logits of the
    /// token after it, a row for each input.
    pub fn begin(
        &self,
        states: &Tensor,
        hidden: Option<Tensor>,
        prompt: &[u32],
    ) -> Result<(Reading<'_>, Vec<Vec<f32>>)> {
        let mut reading = Reading { decoder: self, seen: self.text.see(states, hidden)?, past: Past::default() };
        let logits = reading.read_all(&vec![prompt.to_vec(); states.dim(0)?])?;
        Ok((reading, logits))
    }

    /// The logits of the tokens after `states`: rows x width.
    fn logits(&self, states: &Tensor) -> Result<Vec<Vec<f32>>> {
        let states = self.norm.forward(&self.transform.forward_activated(states, self.activation)?)?;
        self.head.forward(&states)?.to_dtype(DType::F32)?.to_vec2()
    }
}

impl Reading<'_> {
    fn read_all(&mut self, tokens: &[Vec<u32>]) -> Result<Vec<Vec<f32>>> {
        let states = self.decoder.text.go_on(tokens, &self.seen, &mut self.past)?;
        self.decoder.logits(&states.narrow(1, tokens[0].len() - 1, 1)?.squeeze(1)?)
    }
}

impl Rows for Reading<'_> {
    fn read(&mut self, tokens: &[u32]) -> Result<Vec<Vec<f32>>> {
        let tokens: Vec<Vec<u32>> = tokens.iter().map(|token| vec![*token]).collect();
        self.read_all(&tokens)
    }

    fn pick_rows(&mut self, rows: &[usize]) -> Result<()> {
        self.past.pick(rows, &self.decoder.device)
    }

    fn pick_inputs(&mut self, inputs: &[usize]) -> Result<()> {
        self.seen = self.seen.pick(inputs, &self.decoder.device)?;
        Ok(())
    }
}
