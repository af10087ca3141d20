//! Attentional feature fusion (Dai et al., 2021): the view of the whole sound and those of its parts become one.

use candle_core::{DType, Result, Tensor};

use super::config::AudioConfig;
use super::patches::batch_norm;
use crate::error::ModelError;
use crate::layers::{Activation, Linear};
use crate::scope::Scope;

/// Patches of three parts, three times as wide as those of the whole, and the gate between both.
///
/// The reference fuses the sounds that are longer than the model takes, and where a batch has none, one of its sounds at random: so a sound alone is
/// always fused. Here every sound is, and gets the vector that the reference gives to it alone.
pub struct Fusion {
    embed: Linear,
    patch: usize,
    local: Gate,
    global: Gate,
}

impl Fusion {
    /// Reads `mel_conv2d` and `fusion_model`. `precise` is the same place as `scope`, in f32.
    pub fn load(scope: &Scope, precise: &Scope, config: &AudioConfig) -> std::result::Result<Self, ModelError> {
        let failed = |error: candle_core::Error| ModelError::device(&scope.name("mel_conv2d"), &error);
        let (width, patch) = (config.patch_embeds_hidden_size, config.patch());
        let kernel = scope.at("mel_conv2d").tensor("weight", &[width, 1, patch, 3 * patch])?;
        let bias = scope.at("mel_conv2d").tensor("bias", &[width])?;
        let kernel = kernel.reshape((width, 3 * patch * patch)).map_err(failed)?;
        let gate = precise.at("fusion_model");
        let inner = width / config.aff_block_r;
        Ok(Self {
            embed: Linear::of(scope, &kernel, Some(bias)).map_err(failed)?,
            patch,
            local: Gate::load(&gate.at("local_att"), 0, width, inner, scope.dtype())?,
            // A pooling stands before it in the list of layers.
            global: Gate::load(&gate.at("global_att"), 1, width, inner, scope.dtype())?,
        })
    }

    /// `whole`: batch x patches x width; `parts`: batch x three x side x side, pictures. Gives batch x patches x width.
    pub fn forward(&self, whole: &Tensor, parts: &Tensor) -> Result<Tensor> {
        let parts = self.patches(parts)?;
        let both = (whole + &parts)?;
        let mean = both.to_dtype(DType::F32)?.mean_keepdim(1)?.to_dtype(both.dtype())?;
        let gate = self.local.forward(&both)?.broadcast_add(&self.global.forward(&mean)?)?;
        let gate = candle_nn::ops::sigmoid(&gate)?;
        // 2 whole gate + 2 parts (1 - gate)
        (((whole - &parts)? * gate)? + parts)? * 2.0
    }

    /// Batch x patches x width: in every row the patches of the three parts one after another, zeros where they do not fill it.
    fn patches(&self, parts: &Tensor) -> Result<Tensor> {
        let (batch, views, side, _) = parts.dims4()?;
        let (patch, grid) = (self.patch, side / self.patch);
        let columns = side / (3 * patch);
        let cut = parts.narrow(3, 0, columns * 3 * patch)?.reshape((batch, views, grid, patch, columns, 3 * patch))?;
        let cut = cut.permute((0, 2, 1, 4, 3, 5))?.reshape((batch, grid, views * columns, 3 * patch * patch))?;
        let embedded = self.embed.forward(&cut)?.pad_with_zeros(2, 0, grid - views * columns)?;
        embedded.reshape((batch, grid * grid, ()))
    }
}

/// Two layers with batch normalisation, which is part of their weights here.
struct Gate {
    narrow: Linear,
    widen: Linear,
}

impl Gate {
    /// `first` is the number of the first layer in the list.
    fn load(
        precise: &Scope,
        first: usize,
        width: usize,
        inner: usize,
        dtype: DType,
    ) -> std::result::Result<Self, ModelError> {
        Ok(Self {
            narrow: normalised(precise, first, width, inner, dtype)?,
            widen: normalised(precise, first + 3, inner, width, dtype)?,
        })
    }

    fn forward(&self, states: &Tensor) -> Result<Tensor> {
        self.widen.forward(&self.narrow.forward_activated(states, Activation::Relu)?)
    }
}

/// The convolution of single pixels `layer` followed by a batch normalisation, as one layer.
fn normalised(
    precise: &Scope,
    layer: usize,
    inputs: usize,
    outputs: usize,
    dtype: DType,
) -> std::result::Result<Linear, ModelError> {
    let weight = precise.at(layer).tensor("weight", &[outputs, inputs, 1, 1])?;
    let bias = precise.at(layer).tensor("bias", &[outputs])?;
    let (scale, shift) = batch_norm(&precise.at(layer + 1), outputs)?;
    let fold = || -> Result<Linear> {
        let weight = weight.reshape((outputs, inputs))?.broadcast_mul(&scale.unsqueeze(1)?)?;
        let bias = ((bias * scale)? + shift)?;
        Linear::new(&weight.to_dtype(dtype)?, Some(bias.to_dtype(dtype)?))
    };
    fold().map_err(|error| ModelError::device(&precise.at(layer).name("weight"), &error))
}
