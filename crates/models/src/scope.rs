//! A place in the tree of tensor names, from which layers read their tensors.

use candle_core::{DType, Device, Tensor};

use crate::compute::weight::Products;
use crate::error::ModelError;
use crate::weights::Weights;

/// A prefix of tensor names, with the device and the precision in which they are wanted.
#[derive(Debug, Clone)]
pub struct Scope<'a> {
    weights: &'a Weights,
    prefix: String,
    dtype: DType,
    products: Option<Products>,
    device: &'a Device,
}

impl<'a> Scope<'a> {
    /// The root of a model's names. Where layers take products of their own, in whatever precision, tensors are wanted in f32.
    pub fn root(weights: &'a Weights, dtype: DType, device: &'a Device) -> Self {
        let products = if device.is_cpu() { Products::of(dtype) } else { None };
        let dtype = if products.is_some() { DType::F32 } else { dtype };
        Self { weights, prefix: String::new(), dtype, products, device }
    }

    /// What lies below `name`; several steps at once are written with dots.
    #[must_use]
    pub fn at(&self, name: impl std::fmt::Display) -> Self {
        let prefix = if self.prefix.is_empty() { name.to_string() } else { format!("{}.{name}", self.prefix) };
        Self { prefix, ..self.clone() }
    }

    /// The same place, for layers that see a few rows at a time.
    #[must_use]
    pub fn of_few_rows(&self) -> Self {
        Self { products: self.products.map(Products::of_few_rows), ..self.clone() }
    }

    /// The whole name of a tensor here.
    pub fn name(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) }
    }

    /// Whether there is a tensor `name` here.
    pub fn has(&self, name: &str) -> bool {
        self.weights.has(&self.name(name))
    }

    /// The shape of tensor `name`, where it is here.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.weights.shape(&self.name(name))
    }

    /// Reads tensor `name`, which must have this shape.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor, ModelError> {
        self.weights.load(&self.name(name), shape, self.dtype, self.device)
    }

    /// The precision in which tensors are wanted.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// How layers take their products, where they do so themselves.
    pub fn products(&self) -> Option<Products> {
        self.products
    }

    /// The device on which tensors are wanted.
    pub fn device(&self) -> &'a Device {
        self.device
    }
}
