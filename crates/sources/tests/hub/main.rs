//! Models pulled from a hub on the loopback interface that speaks the protocol of Hugging Face's hub, with a second host that
//! stores the bytes, and with everything that can go wrong on the way.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod broken;
mod fake;
mod interplay;
mod pull;
mod refusals;
mod server;
