//! Models: weights and inputs in, unit vectors out.
//!
//! Every model is a [`Tower`](sensorium_domain::encoder::Tower): plain, synchronous, and unaware of queues and threads.
//!
//! - [`source`] says where weights come from and proves that they are the expected ones; [`weights`] reads them.
//! - [`registry`] finds the code that reads a model by its architecture.
//! - [`text`] holds sentence encoders of the BERT family in the layout of sentence-transformers.
//! - [`clip`] and [`siglip`] hold towers of pictures and texts in the layout of Transformers; [`image_processor`] prepares their pictures.
//! - [`clap`] holds sounds and texts in one space.
//! - [`starter`] holds the small picture and sound towers that the repository bundles, and what turns their cosines into confidences.
//! - [`whisper`] writes down speech, and [`blip`] what is in pictures; [`generation`] has both write token by token.
//! - [`likeness`] is what a model's own loss says of a cosine.
//! - [`labels`] is the vocabulary whose nearest entries serve as labels and captions.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp))]

mod batch;
pub mod blip;
pub mod clap;
pub mod clip;
mod compute;
pub mod device;
pub mod error;
pub mod generation;
pub mod image_processor;
pub mod labels;
pub mod layers;
pub mod likeness;
pub mod registry;
pub mod scope;
pub mod siglip;
pub mod source;
pub mod spectrum;
pub mod starter;
pub mod text;
pub mod weights;
pub mod whisper;

pub use blip::{BlipAnswerer, BlipCaptioner};
pub use clap::{ClapAudio, ClapText};
pub use error::ModelError;
pub use likeness::Likeness;
pub use source::{Manifest, Source};
pub use text::TextEncoder;
pub use whisper::Whisper;
