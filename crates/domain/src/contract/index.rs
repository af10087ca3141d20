//! The behaviour of every [`VectorIndex`](crate::VectorIndex).
