//! The text tower: a transformer in which every token sees those before it; the state of the last one stands for the text.

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor};
use sensorium_domain::encoder::{Cost, CountTokens, EncodeInput, Tower, TowerOutput};
use sensorium_domain::segment::Modality;

use super::config::{Config, Pooling};
use super::encoder::Shape;
use super::tokens;
use super::words::Words;
use crate::batch;
use crate::error::ModelError;
use crate::layers::{LayerNorm, Linear, Mask};
use crate::scope::Scope;
use crate::source::Source;
use crate::text::Tokens;
use crate::weights::Weights;

/// CLIP's text tower: words in, unit vectors out.
pub struct ClipText {
    tokens: Tokens,
    words: Words,
    last_norm: LayerNorm,
    projection: Linear,
    pooling: Pooling,
    shape: Shape,
    dimensions: usize,
    dtype: DType,
    device: Device,
}

impl ClipText {
    /// Loads the text half of a `CLIPModel` folder.
    pub fn load(source: &Source, dtype: DType, device: &Device) -> std::result::Result<Self, ModelError> {
        let Config { text, dimensions, .. } = Config::load(source)?;
        let tokens = tokens::load(source, text.positions)?;
        let weights = Weights::of(source)?;
        let root = Scope::root(&weights, dtype, device);
        let (scope, width) = (root.at("text_model"), text.shape.width);
        Ok(Self {
            tokens,
            words: Words::load(&scope, &text.shape, text.vocabulary, text.positions)?,
            last_norm: LayerNorm::load(&scope.at("final_layer_norm"), width, text.shape.epsilon)?,
            projection: Linear::load_without_bias(&root.at("text_projection"), width, dimensions)?,
            pooling: text.pooling,
            shape: text.shape,
            dimensions,
            dtype: root.dtype(),
            device: device.clone(),
        })
    }

    /// The tokenizer, for those who cut text into pieces that fit.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The token numbers of a text, marks of start and end included; what is too long is cut before the end's mark.
    pub fn tokenise(&self, text: &str) -> std::result::Result<Vec<u32>, String> {
        let tokens = self.tokens.encode(text)?;
        self.words.know(&tokens).map(|()| tokens)
    }

    /// `get_text_features` of the Transformers library: sequences x dimensions, of any length. Sequences may differ in length: what follows
    /// the end of a text cannot be seen from there.
    pub fn features(&self, sequences: &[Vec<u32>]) -> Result<Tensor> {
        let longest = sequences.iter().map(Vec::len).max().unwrap_or(0);
        let padded = |sequence: &Vec<u32>| {
            let mut padded = sequence.clone();
            padded.resize(longest, 0);
            padded
        };
        let padded: Vec<Vec<u32>> = sequences.iter().map(padded).collect();
        let states = self.words.forward(&padded, Mask::Add(&self.only_before(longest)?))?;
        let places =
            sequences.iter().enumerate().map(|(row, tokens)| (row * longest + self.pooling.place(tokens)) as u32);
        let places = Tensor::from_iter(places, &self.device)?;
        let pooled = states.flatten(0, 1)?.index_select(&places, 0)?;
        self.projection.forward(&self.last_norm.forward(&pooled)?)
    }

    /// Lets a token see itself and those before it.
    fn only_before(&self, length: usize) -> Result<Tensor> {
        let scores = (0..length)
            .flat_map(|row| (0..length).map(move |column| if column > row { f32::NEG_INFINITY } else { 0.0 }));
        Tensor::from_iter(scores, &self.device)?.reshape((1, 1, length, length))?.to_dtype(self.dtype)
    }
}

impl Tower for ClipText {
    fn modality(&self) -> Modality {
        Modality::Text
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn cost(&self, input: &EncodeInput) -> Cost {
        let Some(text) = input.words() else {
            return Cost(1);
        };
        // Four letters a token is usual for English; nothing is tokenised for an estimate.
        let tokens = (text.len() / 4 + 2).min(self.tokens.max_tokens());
        Cost(self.shape.flops(tokens).div_ceil(1_000_000))
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
