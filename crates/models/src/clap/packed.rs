//! The stages on the processor, where our own layers do all of it: one operation of the library, in memory that blocks share. Tokens are never put into another order:
//! layers read and write them where they are.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::swin::{Block, Merge, Stage};
use super::windows::{Windows, squares};
use crate::compute::attention::Place;
use crate::compute::linear::{Linear, as_it_is};
use crate::compute::memory::Memory;
use crate::compute::norm::{LayerNorm, Normalised};
use crate::compute::rows::Gathered;
use crate::compute::transformer::{self, Seen};
use crate::layers::{Added, Mask, Scoring};

/// Tokens that go through a stage together: of early ones a sound or two, so that what lies between its steps stays in the cache; of late ones more, so that weights do not
/// come from memory for each.
const TOGETHER: usize = 4096;

/// A [`Stage`] on plain numbers.
pub(super) struct PackedStage {
    blocks: Vec<PackedBlock>,
    merge: Option<PackedMerge>,
}

struct PackedBlock {
    layers: transformer::Block,
    heads: usize,
    windows: Windows,
    order: Vec<u32>,
    scoring: Scoring,
}

struct PackedMerge {
    order: Vec<u32>,
    norm: LayerNorm,
    reduction: Arc<Linear>,
}

impl PackedStage {
    /// Where all of its layers are our own.
    pub fn of(stage: &Stage) -> Result<Option<Self>> {
        let Some(blocks) = stage.blocks.iter().map(PackedBlock::of).collect::<Result<Option<Vec<_>>>>()? else {
            return Ok(None);
        };
        let Some(merge) = &stage.merge else { return Ok(Some(Self { blocks, merge: None })) };
        Ok(PackedMerge::of(merge)?.map(|merge| Self { blocks, merge: Some(merge) }))
    }

    /// `states`, sounds x tokens x width; of each sound a quarter of the tokens and twice the width come out, where tokens are merged.
    fn forward(&self, mut states: Vec<f32>, sounds: usize, memory: &mut Memory) -> Vec<f32> {
        if let Some(block) = self.blocks.first() {
            let together = (TOGETHER / block.order.len()).clamp(1, sounds) * (states.len() / sounds);
            for states in states.chunks_mut(together) {
                self.blocks.iter().for_each(|block| block.apply(states, memory));
            }
        }
        match &self.merge {
            Some(merge) => merge.apply(&states, sounds),
            None => states,
        }
    }
}

impl PackedBlock {
    fn of(block: &Block) -> Result<Option<Self>> {
        let Some(layers) = block.layers.packed()? else { return Ok(None) };
        let (windows, heads) = (block.windows, block.heads);
        let (count, tokens) = (windows.count(), windows.tokens());
        let scale = 1.0 / ((layers.output.outputs() / heads) as f32).sqrt();
        let added = Added::of(Mask::Add(&block.bias), (count, heads, tokens, tokens))?;
        Ok(Some(Self { layers, heads, windows, order: windows.order(), scoring: Scoring { scale, added } }))
    }

    fn apply(&self, states: &mut [f32], memory: &mut Memory) {
        let width = self.layers.output.outputs();
        let sounds = states.len() / (self.order.len() * width);
        let windows = self.windows.count();
        let lengths = vec![self.windows.tokens(); sounds * windows];
        let order = of_each(&self.order, sounds);
        let seen = Seen::new(&lengths, Some(&order), self.heads, width);
        let scored = |place: Place, scores: &mut [f32]| {
            self.scoring.apply(Place { sequence: place.sequence % windows, ..place }, scores);
        };
        self.layers.apply(states, &seen, &scored, memory);
    }
}

impl PackedMerge {
    fn of(merge: &Merge) -> Result<Option<Self>> {
        let Some(reduction) = merge.reduction.packed() else { return Ok(None) };
        let reduction = Arc::clone(reduction);
        Ok(Some(Self { order: squares(merge.grid), norm: merge.norm.plain()?, reduction }))
    }

    fn apply(&self, states: &[f32], sounds: usize) -> Vec<f32> {
        let order = of_each(&self.order, sounds);
        let rows = Gathered { data: states, width: self.reduction.inputs() / 4, order: &order };
        let mut merged = vec![0.0; order.len() / 4 * self.reduction.outputs()];
        self.reduction.apply_into(&Normalised { rows, norm: &self.norm }, &mut merged, &as_it_is);
        merged
    }
}

/// The order for each of so many sounds, whose tokens lie one after the other.
fn of_each(order: &[u32], sounds: usize) -> Vec<u32> {
    (0..sounds).flat_map(|sound| order.iter().map(move |place| (sound * order.len()) as u32 + place)).collect()
}

/// `states`: batch x tokens of the first stage x its width; batch x tokens of the last x its width come out.
pub(super) fn forward(stages: &[PackedStage], states: &Tensor) -> Result<Tensor> {
    states.contiguous()?.apply_op1_no_bwd(&Stages(stages))
}

struct Stages<'a>(&'a [PackedStage]);

impl CustomOp1 for Stages<'_> {
    fn name(&self) -> &'static str {
        "windowed-transformer"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (sounds, mut tokens, mut width) = layout.shape().dims3()?;
        for PackedStage { blocks, merge } in self.0 {
            let fits = |order: &[u32], inputs: usize| order.len() == tokens && inputs == width;
            if !blocks.iter().all(|block| fits(&block.order, block.layers.output.outputs()))
                || !merge.iter().all(|merge| fits(&merge.order, merge.reduction.inputs() / 4))
            {
                candle_core::bail!("the stages do not take {tokens} tokens of {width} numbers");
            }
            if let Some(merge) = merge {
                (tokens, width) = (tokens / 4, merge.reduction.outputs());
            }
        }
        let Some((start, end)) = layout.contiguous_offsets() else {
            candle_core::bail!("the states are not contiguous");
        };
        let states = storage.as_slice::<f32>()?[start..end].to_vec();
        let through = |memory: &mut Memory| {
            self.0.iter().fold(states, |states, stage| stage.forward(states, sounds.max(1), memory))
        };
        let states = Memory::lend(through);
        Ok((CpuStorage::F32(states), Shape::from((sounds, tokens, width))))
    }
}
