//! The transformer of HTS-AT (Chen et al., "HTS-AT: a hierarchical token-semantic audio transformer", 2022): Swin's stages.

use candle_core::{DType, Result, Tensor};

use super::config::{AudioConfig, StageConfig};
use super::packed::{self, PackedStage};
use super::windows::{Order, Windows, squares};
use crate::error::ModelError;
use crate::layers::{self, LayerNorm, Linear, Mask, attend};
use crate::scope::Scope;

/// Added to variances outside of the blocks, whatever the configuration says for these.
pub const EPSILON: f64 = 1e-5;

/// Stages of blocks, each but the last followed by a merge of 2 x 2 tokens.
pub struct Swin {
    stages: Stages,
    norm: LayerNorm,
}

enum Stages {
    /// Where our own layers do all of it: one operation.
    Packed(Vec<PackedStage>),
    Plain(Vec<Stage>),
}

pub(super) struct Stage {
    pub blocks: Vec<Block>,
    pub merge: Option<Merge>,
}

impl Swin {
    /// Reads `layers` and `norm`.
    pub fn load(scope: &Scope, config: &AudioConfig) -> std::result::Result<Self, ModelError> {
        let configs = config.stages();
        let mut stages = Vec::with_capacity(configs.len());
        for (index, stage) in configs.iter().enumerate() {
            let scope = scope.at("layers").at(index);
            let load_block = |place| Block::load(&scope.at("blocks").at(place), config, *stage, place);
            let blocks = (0..stage.depth).map(load_block).collect::<std::result::Result<_, _>>()?;
            let is_last = index + 1 == configs.len();
            let merge = if is_last { None } else { Some(Merge::load(&scope.at("downsample"), *stage)?) };
            stages.push(Stage { blocks, merge });
        }
        let norm = LayerNorm::load(&scope.at("norm"), config.patch_embeds_hidden_size << (configs.len() - 1), EPSILON)?;
        let packed = stages.iter().map(PackedStage::of).collect::<Result<Option<Vec<_>>>>();
        let packed = packed.map_err(|error| ModelError::device(&scope.name("layers"), &error))?;
        Ok(Self { stages: packed.map_or(Stages::Plain(stages), Stages::Packed), norm })
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
        let states = match &self.stages {
            Stages::Packed(stages) => packed::forward(stages, states)?,
            Stages::Plain(stages) => stages.iter().try_fold(states.clone(), |states, stage| stage.forward(&states))?,
        };
        // The reference groups the tokens by frequency before it takes the mean, which leaves the mean what it is.
        self.norm.forward(&states)?.to_dtype(DType::F32)?.mean(1)
    }
}

impl Stage {
    fn forward(&self, states: &Tensor) -> Result<Tensor> {
        let states = self.blocks.iter().try_fold(states.clone(), |states, block| block.forward(&states))?;
        match &self.merge {
            Some(merge) => merge.forward(&states),
            None => Ok(states),
        }
    }
}

/// Attention within windows and a feed-forward block.
pub(super) struct Block {
    pub layers: layers::Block,
    pub heads: usize,
    pub windows: Windows,
    order: Order,
    /// What is added to scores.
    pub bias: Tensor,
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
        let distances = (2 * side - 1) * (2 * side - 1);
        let table = attention.tensor("relative_position_bias_table", &[distances, heads])?;
        let wide = (width as f64 * config.mlp_ratio) as usize;
        let failed = |error: candle_core::Error| ModelError::device(&scope.name("attention"), &error);
        let layers = layers::Block {
            attention_norm: LayerNorm::load(&scope.at("layernorm_before"), width, config.layer_norm_eps)?,
            query_key_value: Linear::load_side_by_side(&attention, &["query", "key", "value"], width, width)?,
            output: Linear::load(&scope.at("attention.output.dense"), width, width)?,
            feed_norm: LayerNorm::load(&scope.at("layernorm_after"), width, config.layer_norm_eps)?,
            widen: Linear::load(&scope.at("intermediate.dense"), width, wide)?,
            activation: config.hidden_act,
            narrow: Linear::load(&scope.at("output.dense"), wide, width)?,
        };
        Ok(Self {
            layers,
            heads,
            windows,
            order: Order::new(&windows.order(), scope.device()).map_err(failed)?,
            bias: windows.bias(&table).map_err(failed)?,
        })
    }

    /// Batch x tokens x width, as they came.
    fn forward(&self, states: &Tensor) -> Result<Tensor> {
        let layers = &self.layers;
        let (batch, tokens, width) = states.dims3()?;
        let windows = self.order.apply(&layers.attention_norm.forward(states)?)?;
        let windows = windows.reshape((batch * self.windows.count(), self.windows.tokens(), width))?;
        let joined = layers.query_key_value.forward(&windows)?;
        let third = |index: usize| joined.narrow(2, index * width, width);
        let attended = attend(&third(0)?, &third(1)?, &third(2)?, self.heads, Mask::Add(&self.bias_for(batch)?))?;
        let attended = layers.output.forward(&attended)?.reshape((batch, tokens, width))?;
        let states = (states + self.order.undo(&attended)?)?;
        let wide = layers.widen.forward_activated(&layers.feed_norm.forward(&states)?, layers.activation)?;
        states + layers.narrow.forward(&wide)?
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
pub(super) struct Merge {
    pub grid: usize,
    order: Order,
    pub norm: LayerNorm,
    pub reduction: Linear,
}

impl Merge {
    fn load(scope: &Scope, stage: StageConfig) -> std::result::Result<Self, ModelError> {
        let order = Order::new(&squares(stage.grid), scope.device());
        Ok(Self {
            grid: stage.grid,
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
