//! The transformer of HTS-AT (Chen et al., "HTS-AT: a hierarchical token-semantic audio transformer", 2022): Swin's stages.

use candle_core::{DType, Result, Tensor};

use super::config::{AudioConfig, StageConfig};
use super::windows::{Order, Windows, squares};
use crate::error::ModelError;
use crate::layers::{Activation, LayerNorm, Linear, Mask, attend};
use crate::scope::Scope;

/// Added to variances outside of the blocks, whatever the configuration says for these.
pub const EPSILON: f64 = 1e-5;

/// Stages of blocks, each but the last followed by a merge of 2 x 2 tokens.
pub struct Swin {
    stages: Vec<Stage>,
    norm: LayerNorm,
}

struct Stage {
    blocks: Vec<Block>,
    merge: Option<Merge>,
}

impl Swin {
    /// Reads `layers` and `norm`.
    pub fn load(scope: &Scope, config: &AudioConfig) -> std::result::Result<Self, ModelError> {
        let stages = config.stages();
        let mut loaded = Vec::with_capacity(stages.len());
        for (index, stage) in stages.iter().enumerate() {
            let scope = scope.at("layers").at(index);
            let load_block = |place| Block::load(&scope.at("blocks").at(place), config, *stage, place);
            let blocks = (0..stage.depth).map(load_block).collect::<std::result::Result<_, _>>()?;
            let is_last = index + 1 == stages.len();
            let merge = if is_last { None } else { Some(Merge::load(&scope.at("downsample"), *stage)?) };
            loaded.push(Stage { blocks, merge });
        }
        let norm = LayerNorm::load(&scope.at("norm"), config.patch_embeds_hidden_size << (stages.len() - 1), EPSILON)?;
        Ok(Self { stages: loaded, norm })
    }

    /// Floating-point operations of the stages for one sound.
    pub fn flops(config: &AudioConfig) -> u64 {
        let window = config.window_size * config.window_size;
        let of_stage = |StageConfig { depth, width, grid, .. }: StageConfig| {
            let wide = (width as f64 * config.mlp_ratio) as usize;
            2 * depth * grid * grid * width * (4 * width + 2 * wide + 2 * window)
        };
        config.stages().into_iter().map(of_stage).sum::<usize>() as u64
    }

    /// `states`: batch x tokens of the first stage x its width. Gives batch x width of the last stage, in f32: the mean over all tokens.
    pub fn forward(&self, states: &Tensor) -> Result<Tensor> {
        let mut states = states.clone();
        for stage in &self.stages {
            for block in &stage.blocks {
                states = block.forward(&states)?;
            }
            if let Some(merge) = &stage.merge {
                states = merge.forward(&states)?;
            }
        }
        // The reference groups the tokens by frequency before it takes the mean, which leaves the mean what it is.
        self.norm.forward(&states)?.to_dtype(DType::F32)?.mean(1)
    }
}

/// Attention within windows and a feed-forward block.
struct Block {
    before: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    after: LayerNorm,
    widen: Linear,
    narrow: Linear,
    activation: Activation,
    heads: usize,
    windows: Windows,
    order: Order,
    bias: Tensor,
}

impl Block {
    /// Every second block turns its windows by half of one, where there is more than one.
    fn load(
        scope: &Scope,
        config: &AudioConfig,
        stage: StageConfig,
        place: usize,
    ) -> std::result::Result<Self, ModelError> {
        let StageConfig { heads, width, grid, .. } = stage;
        let side = config.window_size;
        let shift = if place.is_multiple_of(2) || grid == side { 0 } else { side / 2 };
        let windows = Windows { grid, side, shift };
        let attention = scope.at("attention.self");
        let load = if config.qkv_bias { Linear::load } else { Linear::load_without_bias };
        let project = |name: &str| load(&attention.at(name), width, width);
        let distances = (2 * side - 1) * (2 * side - 1);
        let table = attention.tensor("relative_position_bias_table", &[distances, heads])?;
        let wide = (width as f64 * config.mlp_ratio) as usize;
        let failed = |error: candle_core::Error| ModelError::device(&scope.name("attention"), &error);
        Ok(Self {
            before: LayerNorm::load(&scope.at("layernorm_before"), width, config.layer_norm_eps)?,
            query: project("query")?,
            key: project("key")?,
            value: project("value")?,
            output: Linear::load(&scope.at("attention.output.dense"), width, width)?,
            after: LayerNorm::load(&scope.at("layernorm_after"), width, config.layer_norm_eps)?,
            widen: Linear::load(&scope.at("intermediate.dense"), width, wide)?,
            narrow: Linear::load(&scope.at("output.dense"), wide, width)?,
            activation: config.hidden_act,
            heads,
            windows,
            order: Order::new(&windows.order(), scope.device()).map_err(failed)?,
            bias: windows.bias(&table).map_err(failed)?,
        })
    }

    /// Batch x tokens x width, as they came.
    fn forward(&self, states: &Tensor) -> Result<Tensor> {
        let (batch, tokens, width) = states.dims3()?;
        let windows = self.order.apply(&self.before.forward(states)?)?;
        let windows = windows.reshape((batch * self.windows.count(), self.windows.tokens(), width))?;
        let (query, key, value) =
            (self.query.forward(&windows)?, self.key.forward(&windows)?, self.value.forward(&windows)?);
        let attended = attend(&query, &key, &value, self.heads, Mask::Add(&self.bias_for(batch)?))?;
        let attended = self.output.forward(&attended)?.reshape((batch, tokens, width))?;
        let states = (states + self.order.undo(&attended)?)?;
        let wide = self.widen.forward_activated(&self.after.forward(&states)?, self.activation)?;
        states + self.narrow.forward(&wide)?
    }

    /// The bias of every window of the batch.
    fn bias_for(&self, batch: usize) -> Result<Tensor> {
        if batch == 1 || self.bias.dim(0)? == 1 {
            return Ok(self.bias.clone());
        }
        self.bias.repeat((batch, 1, 1, 1))
    }
}

/// Four neighbouring tokens become one of twice the width.
struct Merge {
    order: Order,
    norm: LayerNorm,
    reduction: Linear,
}

impl Merge {
    fn load(scope: &Scope, stage: StageConfig) -> std::result::Result<Self, ModelError> {
        let order = Order::new(&squares(stage.grid), scope.device());
        Ok(Self {
            order: order.map_err(|error| ModelError::device(&scope.name("reduction"), &error))?,
            norm: LayerNorm::load(&scope.at("norm"), 4 * stage.width, EPSILON)?,
            reduction: Linear::load_without_bias(&scope.at("reduction"), 4 * stage.width, 2 * stage.width)?,
        })
    }

    /// Batch x tokens x width; a quarter of the tokens and twice the width come out.
    fn forward(&self, states: &Tensor) -> Result<Tensor> {
        let (batch, tokens, width) = states.dims3()?;
        let squares = self.order.apply(states)?.reshape((batch, tokens / 4, 4 * width))?;
        self.reduction.forward(&self.norm.forward(&squares)?)
    }
}
