//! From files to found segments: accept (answer 202), then the job (cut, encode, index).

mod accept;
mod cut;
mod delete;
mod encode;
mod points;
mod refresh;
mod request;
mod run;

pub use accept::{AcceptedDocument, NewIngest, accept};
pub use cut::{Cut, Cutting, Piece, cut, image_input, sound_input};
pub use delete::{delete_collection, delete_document};
pub use encode::Unkept;
pub use points::{rebuild_document, rebuild_index, scrub};
pub use refresh::refresh;
pub use request::{DocumentRequest, PartBytes, PartRequest, decode_base64, metadata_fault, tag_faults, unnamed_file};
pub use run::{ingest, ingest_part};
