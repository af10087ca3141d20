//! The few operations that the towers are made of, on CPU, in f32.
//!
//! The instruction set is chosen at run time (`pulp`), work is shared out over the threads of the current `rayon` pool, and
//! weights are laid out once, when they are loaded, in the order in which the multiplication reads them. Tensors are
//! plain slices, row by row; every function says the shapes that it takes.

// A function is compiled for an instruction set only where it is inlined into what was chosen for that set.
#![allow(clippy::inline_always)]

pub mod attention;
pub mod conv;
pub mod elementwise;
pub mod gemm;
pub mod linear;
pub mod memory;
pub mod norm;
pub mod rows;
pub mod sharing;
pub mod transformer;
pub mod weight;
mod winograd;
