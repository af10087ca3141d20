//! The behaviour of every [`Catalog`](crate::Catalog).
