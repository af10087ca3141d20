//! What a model that was trained on pairs says of a cosine.

use crate::error::ModelError;
use crate::source::Source;
use crate::weights::Weights;

/// The learned rule of a model's loss, kept among its weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likeness {
    /// What cosines are multiplied by before a softmax over candidates (CLIP, CLAP) or a sigmoid (SigLIP).
    pub scale: f32,
    /// SigLIP's: `sigmoid(scale * cosine + bias)` is the chance that the two belong together (Zhai et al., "Sigmoid Loss for Language
    /// Image Pre-Training", 2023).
    pub bias: Option<f32>,
}

impl Likeness {
    /// Reads `logit_scale` (or CLAP's `logit_scale_a`), which is a logarithm, and `logit_bias`; `None` for models without.
    pub fn load(source: &Source) -> Result<Option<Self>, ModelError> {
        let weights = Weights::of(source)?;
        let number = |name: &str| match weights.shape(name).map(<[usize]>::to_vec) {
            Some(shape) => Ok::<_, ModelError>(weights.tensor(name, &shape)?.first().copied()),
            None => Ok(None),
        };
        let Some(scale) = number("logit_scale")?.or(number("logit_scale_a")?) else { return Ok(None) };
        Ok(Some(Self { scale: scale.exp(), bias: number("logit_bias")? }))
    }
}
