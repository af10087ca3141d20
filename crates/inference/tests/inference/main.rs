//! The queue's promises, and the encoder's with towers that misbehave on command.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod asking;
mod encoder;
mod lanes;
mod queue;
mod towers;
