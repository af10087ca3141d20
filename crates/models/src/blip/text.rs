//! BERT (Devlin et al., 2018) with attention to something that was seen in every layer: it reads questions and writes texts.

use candle_core::{DType, Device, Result, Tensor};

use super::config::TextConfig;
use crate::clip::encoder::Shape;
use crate::error::ModelError;
use crate::layers::{Activation, CachedAttention, Embedding, Kept, LayerNorm, Linear, Past, indices, later_tokens};
use crate::scope::Scope;

/// `BlipTextModel` of the Transformers library.
pub(super) struct Text {
    words: Embedding,
    places: Embedding,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

/// What goes through each sublayer is added to its input, and then normalised.
struct Layer {
    itself: CachedAttention,
    itself_norm: LayerNorm,
    other: CachedAttention,
    other_norm: LayerNorm,
    inner: Linear,
    activation: Activation,
    outer: Linear,
    outer_norm: LayerNorm,
}

/// What every layer attends to beside the tokens: the same for all steps and for all rows of an input.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    layers: Vec<Kept>,
    hidden: Option<Tensor>,
}

impl Seen {
    /// Inputs by number, which may repeat.
    pub fn pick(&self, inputs: &[usize], device: &Device) -> Result<Self> {
        let inputs = indices(inputs, device)?;
        Ok(Self {
            layers: self.layers.iter().map(|kept| kept.pick(&inputs)).collect::<Result<_>>()?,
            hidden: self.hidden.as_ref().map(|hidden| hidden.index_select(&inputs, 0)).transpose()?,
        })
    }
}

impl Text {
    /// Reads the tensors of `scope`; `words` are its `embeddings.word_embeddings`. What is seen is `seen_width` wide.
    pub fn load(
        scope: &Scope,
        words: Embedding,
        config: &TextConfig,
        seen_width: usize,
    ) -> std::result::Result<Self, ModelError> {
        let (embeddings, layers, shape) = (scope.at("embeddings"), scope.at("encoder.layer"), &config.shape);
        Ok(Self {
            words,
            places: Embedding::load(&embeddings.at("position_embeddings"), config.positions, shape.width)?,
            norm: LayerNorm::load(&embeddings.at("LayerNorm"), shape.width, shape.epsilon)?,
            layers: (0..shape.blocks)
                .map(|index| Layer::load(&layers.at(index), shape, seen_width))
                .collect::<std::result::Result<_, _>>()?,
        })
    }

    /// What there is to attend to in `states` (inputs x length x width); `hidden`, of [`beyond`], says what is none.
    pub fn see(&self, states: &Tensor, hidden: Option<Tensor>) -> Result<Seen> {
        let layers = self.layers.iter().map(|layer| layer.other.keep(states)).collect::<Result<_>>()?;
        Ok(Seen { layers, hidden })
    }

    /// Reads `tokens` (rows of one length) after those of `past`, none of which sees one after it. Gives rows x length x width. Rows belong to
    /// what was seen in equal shares.
    pub fn go_on(&self, tokens: &[Vec<u32>], seen: &Seen, past: &mut Past) -> Result<Tensor> {
        let states = self.embed(tokens, past.length())?;
        let mask = later_tokens(past.length(), tokens[0].len(), &states)?;
        self.run(states, mask.as_ref(), seen, past)
    }

    /// Reads whole texts, all of whose tokens see each other but for what is `hidden` (of [`beyond`]). `tokens`: rows of one length, one for
    /// each of what was seen; gives rows x length x width.
    pub fn read(&self, tokens: &[Vec<u32>], hidden: Option<&Tensor>, seen: &Seen) -> Result<Tensor> {
        self.run(self.embed(tokens, 0)?, hidden, seen, &mut Past::default())
    }

    fn embed(&self, tokens: &[Vec<u32>], before: usize) -> Result<Tensor> {
        let (rows, length) = (tokens.len(), tokens[0].len());
        let device = self.places.device();
        let places: Vec<u32> = (before..before + length).map(|place| place as u32).collect();
        let words = self.words.forward(&Tensor::from_vec(tokens.concat(), (rows, length), device)?)?;
        self.norm.forward(&words.broadcast_add(&self.places.forward(&Tensor::new(places, device)?)?)?)
    }

    fn run(&self, mut states: Tensor, mask: Option<&Tensor>, seen: &Seen, past: &mut Past) -> Result<Tensor> {
        let length = states.dim(1)?;
        for (index, layer) in self.layers.iter().enumerate() {
            let kept = past.add(index, layer.itself.keep(&states)?)?;
            let attended = layer.itself.look(&states, kept, mask)?.0;
            states = layer.itself_norm.forward(&(attended + states)?)?;
            let attended = layer.other.look(&states, &seen.layers[index], seen.hidden.as_ref())?.0;
            states = layer.other_norm.forward(&(attended + states)?)?;
            let inner = layer.inner.forward_activated(&states, layer.activation)?;
            states = layer.outer_norm.forward(&(layer.outer.forward(&inner)? + states)?)?;
        }
        past.advance(length);
        Ok(states)
    }
}

impl Layer {
    fn load(scope: &Scope, shape: &Shape, seen_width: usize) -> std::result::Result<Self, ModelError> {
        let (width, inner) = (shape.width, shape.inner);
        let norm = |name: &str| LayerNorm::load(&scope.at(name), width, shape.epsilon);
        Ok(Self {
            itself: attention(&scope.at("attention"), shape, width)?,
            itself_norm: norm("attention.output.LayerNorm")?,
            other: attention(&scope.at("crossattention"), shape, seen_width)?,
            other_norm: norm("crossattention.output.LayerNorm")?,
            inner: Linear::load(&scope.at("intermediate.dense"), width, inner)?,
            activation: shape.activation,
            outer: Linear::load(&scope.at("output.dense"), inner, width)?,
            outer_norm: norm("output.LayerNorm")?,
        })
    }
}

/// Attention to what is `seen_width` wide.
fn attention(scope: &Scope, shape: &Shape, seen_width: usize) -> std::result::Result<CachedAttention, ModelError> {
    let own = scope.at("self");
    Ok(CachedAttention {
        query: Linear::load(&own.at("query"), shape.width, shape.width)?,
        key: Linear::load(&own.at("key"), seen_width, shape.width)?,
        value: Linear::load(&own.at("value"), seen_width, shape.width)?,
        out: Linear::load(&scope.at("output.dense"), shape.width, shape.width)?,
        heads: shape.heads,
    })
}

/// Hides what is beyond the end of each text, to be added to scores: texts x 1 x 1 x the longest length. None where all have one length.
pub(super) fn beyond(lengths: &[usize], dtype: DType, device: &Device) -> Result<Option<Tensor>> {
    let longest = lengths.iter().copied().max().unwrap_or(0);
    if lengths.iter().all(|length| *length == longest) {
        return Ok(None);
    }
    let of = |length: &usize| {
        let length = *length;
        (0..longest).map(move |place| if place < length { 0.0 } else { f32::NEG_INFINITY })
    };
    let hidden: Vec<f32> = lengths.iter().flat_map(of).collect();
    Tensor::from_vec(hidden, (lengths.len(), 1, 1, longest), device)?.to_dtype(dtype).map(Some)
}
