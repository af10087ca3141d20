//! From states and the tokens so far to the next token's logits.

use candle_core::{DType, Device, Result, Tensor};

use super::config::Config;
use super::encoder::{EPSILON, FeedForward, attention};
use crate::error::ModelError;
use crate::generation::Rows;
use crate::layers::{CachedAttention, Kept, LayerNorm, Linear, Past, indices, later_tokens};
use crate::scope::Scope;

/// Radford et al., 2022 (<https://arxiv.org/abs/2212.04356>).
pub(super) struct Decoder {
    words: Tensor,
    positions: Tensor,
    layers: Vec<Layer>,
    norm: LayerNorm,
    head: Linear,
}

struct Layer {
    itself: CachedAttention,
    itself_norm: LayerNorm,
    sound: CachedAttention,
    sound_norm: LayerNorm,
    feed: FeedForward,
}

/// What every layer attends to in the sound: the same for all steps and for all beams of a window.
#[derive(Debug, Clone)]
pub(super) struct Heard(Vec<Kept>);

/// Transcripts in the making.
pub(super) struct Reading<'a> {
    pub decoder: &'a Decoder,
    pub heard: Heard,
    pub said: Past,
}

impl Rows for Reading<'_> {
    fn read(&mut self, tokens: &[u32]) -> Result<Vec<Vec<f32>>> {
        let tokens: Vec<Vec<u32>> = tokens.iter().map(|token| vec![*token]).collect();
        self.decoder.logits(&self.decoder.read(&tokens, &self.heard, &mut self.said)?.squeeze(1)?)
    }

    fn pick_rows(&mut self, rows: &[usize]) -> Result<()> {
        self.said.pick(rows, self.decoder.device())
    }

    fn pick_inputs(&mut self, windows: &[usize]) -> Result<()> {
        self.heard = self.heard.pick(windows, self.decoder.device())?;
        Ok(())
    }
}

impl Heard {
    /// Windows by number, which may repeat.
    pub fn pick(&self, windows: &[usize], device: &Device) -> Result<Self> {
        let windows = indices(windows, device)?;
        Ok(Self(self.0.iter().map(|kept| kept.pick(&windows)).collect::<Result<_>>()?))
    }
}

impl Decoder {
    /// `scope` is the decoder's; `root` holds the output layer where it is not the embedding.
    pub fn load(scope: &Scope, root: &Scope, config: &Config) -> std::result::Result<Self, ModelError> {
        let (width, heads) = (config.d_model, config.decoder_attention_heads);
        let layer = |index| {
            let scope = scope.at("layers").at(index);
            Ok(Layer {
                itself: attention(&scope.at("self_attn"), width, heads)?,
                itself_norm: LayerNorm::load(&scope.at("self_attn_layer_norm"), width, EPSILON)?,
                sound: attention(&scope.at("encoder_attn"), width, heads)?,
                sound_norm: LayerNorm::load(&scope.at("encoder_attn_layer_norm"), width, EPSILON)?,
                feed: FeedForward::load(&scope, width, config.decoder_ffn_dim, config.activation_function)?,
            })
        };
        let words = scope.at("embed_tokens").tensor("weight", &[config.vocab_size, width])?;
        let head = if config.tie_word_embeddings {
            Linear::of(scope, &words, None).map_err(|error| ModelError::device(&scope.name("embed_tokens"), &error))?
        } else {
            Linear::load_without_bias(&root.at("proj_out"), width, config.vocab_size)?
        };
        Ok(Self {
            words,
            positions: scope.at("embed_positions").tensor("weight", &[config.max_target_positions, width])?,
            layers: (0..config.decoder_layers).map(layer).collect::<std::result::Result<_, _>>()?,
            norm: LayerNorm::load(&scope.at("layer_norm"), width, EPSILON)?,
            head,
        })
    }

    /// What there is to attend to in the encoder's `states`: windows x positions x width.
    pub fn hear(&self, states: &Tensor) -> Result<Heard> {
        Ok(Heard(self.layers.iter().map(|layer| layer.sound.keep(states)).collect::<Result<_>>()?))
    }

    /// Reads `tokens` (rows of one length) after what was `said`, and gives states: rows x length x width. Rows belong to windows in
    /// equal shares: two windows and four rows are two rows for each.
    pub fn read(&self, tokens: &[Vec<u32>], heard: &Heard, said: &mut Past) -> Result<Tensor> {
        self.read_watching(tokens, heard, said, |_, _| Ok(()))
    }

    /// The weights with which each of `heads` (layer, head) looked at the sound while one window's `tokens` were read: heads x tokens x
    /// positions.
    pub fn attention(&self, tokens: &[u32], heard: &Heard, heads: &[(usize, usize)]) -> Result<Tensor> {
        let mut found = vec![None; heads.len()];
        self.read_watching(&[tokens.to_vec()], heard, &mut Past::default(), |layer, weights| {
            for (place, head) in heads.iter().enumerate().filter(|(_, head)| head.0 == layer) {
                found[place] = Some(weights.narrow(1, head.1, 1)?.squeeze(1)?);
            }
            Ok(())
        })?;
        let found: Vec<Tensor> = found.into_iter().flatten().collect();
        Tensor::cat(&found, 0)?.to_dtype(DType::F32)
    }

    /// The logits of the next token after each of `states`: rows x width.
    pub fn logits(&self, states: &Tensor) -> Result<Vec<Vec<f32>>> {
        self.head.forward(states)?.to_dtype(DType::F32)?.to_vec2()
    }

    /// Where the weights are.
    pub fn device(&self) -> &Device {
        self.words.device()
    }

    fn read_watching(
        &self,
        tokens: &[Vec<u32>],
        heard: &Heard,
        said: &mut Past,
        mut watch: impl FnMut(usize, &Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        let (rows, length, width) = (tokens.len(), tokens[0].len(), self.words.dim(1)?);
        let ids = Tensor::new(tokens.concat(), self.device())?;
        let words = self.words.index_select(&ids, 0)?.reshape((rows, length, width))?;
        let mut states = words.broadcast_add(&self.positions.narrow(0, said.length(), length)?)?;
        let mask = later_tokens(said.length(), length, &states)?;
        for (index, layer) in self.layers.iter().enumerate() {
            let normed = layer.itself_norm.forward(&states)?;
            let kept = said.add(index, layer.itself.keep(&normed)?)?;
            states = (states + layer.itself.look(&normed, kept, mask.as_ref())?.0)?;
            let (seen, weights) = layer.sound.look(&layer.sound_norm.forward(&states)?, &heard.0[index], None)?;
            watch(index, &weights)?;
            states = layer.feed.forward(&(states + seen)?)?;
        }
        said.advance(length);
        self.norm.forward(&states)
    }
}
