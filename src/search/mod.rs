//! One question in any modalities, one ranked answer: plan -> encode -> legs -> fuse -> group -> page -> join.

mod admission;
mod answer;
mod confidence;
mod encode;
mod fuse;
mod group;
mod highlight;
mod legs;
mod page;
mod rank;
mod rankings;
mod request;
mod run;

pub use admission::{Admission, Crowd};
pub use answer::{Answer, Explain, Hit, LegShare, SegmentHit, Timing};
pub use encode::{EncodedInput, decode_media, encode_text};
pub use highlight::{Snippet, snippet};
pub use rankings::Rankings;
pub use request::{Fusion, FusionMethod, FusionMode, GroupBy, InputRequest, MediaRequest, SearchRequest};
pub use run::search;
