//! The text tower: a transformer in which every token sees every other, fillers too; the state of the last place stands for the text.

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor};
use sensorium_domain::encoder::{Cost, CountTokens, EncodeInput, Tower, TowerOutput};
use sensorium_domain::segment::Modality;

use super::config::Config;
use super::tokens::PaddedTokens;
use crate::batch;
use crate::clip::words::Words;
use crate::error::ModelError;
use crate::layers::{LayerNorm, Linear, Mask};
use crate::scope::Scope;
use crate::source::Source;
use crate::text::Tokens;
use crate::weights::Weights;

/// SigLIP's text tower: words in, unit vectors out.
pub struct SiglipText {
    tokens: PaddedTokens,
    words: Words,
    last_norm: LayerNorm,
    head: Linear,
    dimensions: usize,
    cost: Cost,
}

impl SiglipText {
    /// Loads the text half of a `SiglipModel` folder.
    pub fn load(source: &Source, dtype: DType, device: &Device) -> std::result::Result<Self, ModelError> {
        let Config { text, .. } = Config::load(source)?;
        let tokens = PaddedTokens::load(source, text.positions)?;
        let weights = Weights::of(source)?;
        let (scope, width) = (Scope::root(&weights, dtype, device).at("text_model"), text.shape.width);
        Ok(Self {
            tokens,
            words: Words::load(&scope, &text.shape, text.vocabulary, text.positions)?,
            last_norm: LayerNorm::load(&scope.at("final_layer_norm"), width, text.shape.epsilon)?,
            head: Linear::load(&scope.at("head"), width, text.dimensions)?,
            dimensions: text.dimensions,
            cost: Cost(text.shape.flops(text.positions).div_ceil(1_000_000)),
        })
    }

    /// The tokenizer, for those who cut text into pieces that fit.
    pub fn tokens(&self) -> &Tokens {
        self.tokens.tokens()
    }

    /// The token numbers of a text, as many as every text has; what is too long is cut before the end's mark.
    pub fn tokenise(&self, text: &str) -> std::result::Result<Vec<u32>, String> {
        let tokens = self.tokens.encode(text)?;
        self.words.know(&tokens).map(|()| tokens)
    }

    /// `get_text_features` of the Transformers library. `sequences`: token numbers, all of one length; gives sequences x dimensions, of
    /// any length.
    pub fn features(&self, sequences: &[Vec<u32>]) -> Result<Tensor> {
        let states = self.words.forward(sequences, Mask::None)?;
        let last = states.dim(1)?.saturating_sub(1);
        self.head.forward(&self.last_norm.forward(&states.narrow(1, last, 1)?.squeeze(1)?)?)
    }
}

impl Tower for SiglipText {
    fn modality(&self) -> Modality {
        Modality::Text
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn cost(&self, _: &EncodeInput) -> Cost {
        self.cost
    }

    fn token_counter(&self) -> Option<Arc<CountTokens>> {
        let tokens = self.tokens().clone();
        Some(Arc::new(move |text| tokens.count(text)))
    }

    fn forward(&self, inputs: &[EncodeInput]) -> TowerOutput {
        let prepare = |input: &EncodeInput| match input.words() {
            Some(text) => self.tokenise(text),
            None => Err(format!("a text model takes no {}", input.modality())),
        };
        batch::encode(inputs, prepare, |sequences| self.features(&sequences))
    }
}
