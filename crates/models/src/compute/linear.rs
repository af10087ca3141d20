//! Fully connected layers.

use super::elementwise::{add_bias, add_columns};
use super::norm::LayerNorm;
use super::rows::{Rows, Strided};
use super::sharing::Finish;
use super::weight::{Products, Weight, multiply_twice};
use crate::error::ModelError;
use crate::layers::Activation;
use crate::weights::Weights;

/// `y = x W^T + b`.
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Weight,
    bias: Option<Vec<f32>>,
}

impl Linear {
    /// Reads `prefix.weight` (`outputs` x `inputs`) and `prefix.bias` (`outputs`).
    pub fn load(
        weights: &Weights,
        prefix: &str,
        inputs: usize,
        outputs: usize,
        products: Products,
    ) -> Result<Self, ModelError> {
        let weight = weights.tensor(&format!("{prefix}.weight"), &[outputs, inputs])?;
        let bias = weights.tensor(&format!("{prefix}.bias"), &[outputs])?;
        Ok(Self::new(&weight, Some(bias), inputs, outputs, products))
    }

    /// Reads `prefix.weight` (`outputs` x `inputs`) alone.
    pub fn load_without_bias(
        weights: &Weights,
        prefix: &str,
        inputs: usize,
        outputs: usize,
    ) -> Result<Self, ModelError> {
        let weight = weights.tensor(&format!("{prefix}.weight"), &[outputs, inputs])?;
        Ok(Self::new(&weight, None, inputs, outputs, Products::exact()))
    }

    /// Reads the layers of query, key and value as one layer of `3 * width` outputs, the query already divided by the root of
    /// `head_width`, as attention asks for.
    pub fn load_attention(
        weights: &Weights,
        prefixes: [&str; 3],
        width: usize,
        head_width: usize,
        products: Products,
    ) -> Result<Self, ModelError> {
        let mut weight = Vec::with_capacity(3 * width * width);
        let mut bias = Vec::with_capacity(3 * width);
        for prefix in prefixes {
            weight.extend(weights.tensor(&format!("{prefix}.weight"), &[width, width])?);
            bias.extend(weights.tensor(&format!("{prefix}.bias"), &[width])?);
        }
        let scale = 1.0 / (head_width as f32).sqrt();
        weight[..width * width].iter_mut().for_each(|value| *value *= scale);
        bias[..width].iter_mut().for_each(|value| *value *= scale);
        Ok(Self::new(&weight, Some(bias), width, 3 * width, products))
    }

    /// From `weight` (`outputs` x `inputs`).
    pub fn new(weight: &[f32], bias: Option<Vec<f32>>, inputs: usize, outputs: usize, products: Products) -> Self {
        let read = |output: usize, into: &mut [f32]| into.copy_from_slice(&weight[output * inputs..][..inputs]);
        Self { weight: Weight::of_columns(products, inputs, outputs, read), bias }
    }

    /// How its products are taken.
    pub fn products(&self) -> Products {
        self.weight.products()
    }

    /// Numbers of a row that goes in.
    pub fn inputs(&self) -> usize {
        self.weight.depth()
    }

    /// Numbers of a row that comes out.
    pub fn outputs(&self) -> usize {
        self.weight.columns()
    }

    /// As many rows of `x` (`inputs` numbers each) as `out` has, into `out`: rows x outputs; `then` is applied to each piece, as in [`Finish`].
    pub fn apply_into(&self, x: &impl Rows, out: &mut [f32], then: &impl Finish) {
        self.weight.multiply(x, out, &Then { bias: self.bias.as_deref(), then });
    }

    /// `x` is rows x inputs; rows x outputs come out, `then` having been applied.
    pub fn apply(&self, x: &[f32], then: &impl Finish) -> Vec<f32> {
        let mut out = vec![0.0; x.len() / self.inputs() * self.outputs()];
        self.apply_into(&Strided { data: x, stride: self.inputs() }, &mut out, then);
        out
    }
}

/// As many rows of `x` as `out` has through two layers with an activation between them, into `out`, then `then`. `wide` is memory that is used again.
pub fn feed_forward(
    x: &impl Rows,
    (widen, activation, narrow): (&Linear, Activation, &Linear),
    wide: &mut Vec<f32>,
    out: &mut [f32],
    then: &impl Finish,
) {
    let between = |column: usize, piece: &mut [f32]| {
        if let Some(bias) = &widen.bias {
            add_columns(piece, bias, column);
        }
        activation.apply_to(piece);
    };
    let finish = Then { bias: narrow.bias.as_deref(), then };
    multiply_twice(x, (&widen.weight, &narrow.weight), &between, wide, out, &finish);
}

/// The bias, then something else.
struct Then<'a, F> {
    bias: Option<&'a [f32]>,
    then: &'a F,
}

impl<F: Finish> Finish for Then<'_, F> {
    fn piece(&self, at: usize, piece: &mut [f32]) {
        if let Some(bias) = self.bias {
            add_columns(piece, bias, at);
        }
        self.then.piece(at, piece);
    }

    fn rows(&self, rows: &mut [f32]) {
        self.then.rows(rows);
    }
}

/// Nothing else.
pub fn as_it_is(_: usize, _: &mut [f32]) {}

/// Adds a matrix of the same shape.
pub fn plus(others: &[f32]) -> impl Fn(usize, &mut [f32]) + Sync {
    |at, piece| add_bias(piece, &others[at..][..piece.len()])
}

/// Adds a matrix of the same shape, then normalises every row.
pub struct AddNorm<'a> {
    /// What is added.
    pub others: &'a [f32],
    /// How rows are normalised.
    pub norm: &'a LayerNorm,
}

impl Finish for AddNorm<'_> {
    fn piece(&self, at: usize, piece: &mut [f32]) {
        add_bias(piece, &self.others[at..][..piece.len()]);
    }

    fn rows(&self, rows: &mut [f32]) {
        self.norm.apply(rows);
    }
}
