//! The crate from outside: real files in, typed content out, and hostile files refused with a reason.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod audio;
mod chunking;
mod hostile;
mod images;
mod resizing;
mod sniffing;
mod support;
mod svg;
