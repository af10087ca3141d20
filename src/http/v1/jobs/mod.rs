//! `/v1/jobs`.

pub mod cancel;
pub mod events;
pub mod get;
pub mod list;
pub mod retry;
pub mod view;
