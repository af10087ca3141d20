//! HTTP in and out. Handlers extract, call one use case and map its answer; no SQL, no model, no index here.

pub mod access;
pub mod audit;
pub mod body_memory;
pub mod docs;
pub mod extract;
pub mod fallback;
pub mod health;
pub mod metrics;
pub mod middleware;
pub mod page;
pub mod problem;
pub mod upload;
pub mod v1;
pub mod visit;
