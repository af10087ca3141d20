//! What a search returns: a piece of a part with its place.

use serde::{Deserialize, Serialize};

use crate::ids::{ContentKey, DocumentId, PartId, SegmentId};

/// The kind of content that a part or segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Modality {
    /// Written words.
    Text,
    /// A picture.
    Image,
    /// A sound.
    Audio,
    /// Moving pictures.
    Video,
}

impl Modality {
    /// All of them, in the order in which they are listed to users.
    pub const ALL: [Self; 4] = [Self::Text, Self::Image, Self::Audio, Self::Video];

    /// The name used in the API, the catalog and the index.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }
}

impl std::fmt::Display for Modality {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Modality {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|modality| modality.as_str() == text)
            .ok_or_else(|| format!("\"{text}\" is not a modality (text, image, audio, video)"))
    }
}

/// How a segment was cut from its part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SegmentKind {
    /// A run of sentences.
    Chunk,
    /// The whole picture.
    Image,
    /// A region of a large picture.
    Tile,
    /// A stretch of sound.
    Window,
}

impl SegmentKind {
    /// The name used in the API, the catalog and the index.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chunk => "chunk",
            Self::Image => "image",
            Self::Tile => "tile",
            Self::Window => "window",
        }
    }
}

/// Where in its part a segment lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Place {
    /// The whole of the part.
    Whole,
    /// Characters (Unicode scalar values) of a text, from `start_char` up to but not including `end_char`.
    Characters {
        /// First character.
        start_char: u32,
        /// One past the last character.
        end_char: u32,
        /// The heading that the text stands under, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        heading: Option<String>,
    },
    /// A rectangle of a picture, in its own pixels after orientation.
    Region {
        /// Left edge.
        x_px: u32,
        /// Top edge.
        y_px: u32,
        /// Width.
        width_px: u32,
        /// Height.
        height_px: u32,
    },
    /// A stretch of a recording.
    Time {
        /// Start, in milliseconds from the beginning.
        start_ms: u64,
        /// End, in milliseconds from the beginning.
        end_ms: u64,
    },
}

/// A piece of a part that has its own vectors in the index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Derived from the part, the kind and the ordinal; see [`SegmentId::derive`].
    pub id: SegmentId,
    /// The document that owns the part.
    pub document: DocumentId,
    /// The part that it was cut from.
    pub part: PartId,
    /// Its kind of content.
    pub modality: Modality,
    /// How it was cut.
    pub kind: SegmentKind,
    /// Position among the segments of its part, from 0.
    pub ordinal: u32,
    /// Where it lies.
    pub place: Place,
    /// Its words, for text.
    pub text: Option<String>,
    /// What the model is given for it; the key of its vectors.
    pub content: ContentKey,
}
