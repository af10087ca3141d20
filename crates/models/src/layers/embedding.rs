//! Tables whose rows stand for numbers.

use candle_core::{Device, Result, Tensor};

use crate::error::ModelError;
use crate::scope::Scope;

/// A table of vectors, such as the words of a vocabulary or the places of a sequence.
#[derive(Debug, Clone)]
pub struct Embedding {
    table: Tensor,
}

impl Embedding {
    /// Reads `weight` (rows by width).
    pub fn load(scope: &Scope, rows: usize, width: usize) -> std::result::Result<Self, ModelError> {
        Ok(Self { table: scope.tensor("weight", &[rows, width])? })
    }

    /// The rows of `numbers` (whole numbers of any shape); that shape x width. A number beyond the table is an error.
    pub fn forward(&self, numbers: &Tensor) -> Result<Tensor> {
        let mut shape = numbers.dims().to_vec();
        shape.push(self.table.dim(1)?);
        self.table.index_select(&numbers.flatten_all()?, 0)?.reshape(shape)
    }

    /// Where the table is.
    pub fn device(&self) -> &Device {
        self.table.device()
    }

    /// The first rows: `count` x width.
    pub fn first(&self, count: usize) -> Result<Tensor> {
        self.table.narrow(0, 0, count)
    }
}
