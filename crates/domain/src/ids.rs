//! Identifiers: prefixed, sortable UUIDv7 for things that users see, SHA-256 for content.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::time::Timestamp;

/// A text that is not an id of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not {expected}")]
pub struct IdError {
    /// What was given, cut to 80 characters.
    pub text: String,
    /// The form that was expected, with an example.
    pub expected: &'static str,
}

impl IdError {
    fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.chars().take(80).collect(), expected }
    }
}

macro_rules! prefixed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// The prefix of the text form, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new id at `now` with 74 bits of `randomness` (the low bits are used).
            pub fn new(now: Timestamp, randomness: u128) -> Self {
                Self(uuid_v7(now, randomness))
            }

            /// Wraps a UUID that came from storage.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID behind the prefix.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix(concat!($prefix, "_"))
                    .filter(|rest| rest.len() == 32)
                    .and_then(|rest| Uuid::try_parse(rest).ok())
                    .map(Self)
                    .ok_or_else(|| IdError::new(text, $expected))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                string_schema(concat!("^", $prefix, "_[0-9a-f]{32}$"), concat!($prefix, "_01920c6a7b3c7def8123456789abcdef"))
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {}
    };
}

prefixed_id!(
    /// A document: what a user adds.
    DocumentId, "doc", "a document id (doc_ and 32 hexadecimal digits)"
);
prefixed_id!(
    /// A part of a document: one piece of content.
    PartId, "prt", "a part id (prt_ and 32 hexadecimal digits)"
);
prefixed_id!(
    /// A segment: what a search returns.
    SegmentId, "seg", "a segment id (seg_ and 32 hexadecimal digits)"
);
prefixed_id!(
    /// A job: background work with progress.
    JobId, "job", "a job id (job_ and 32 hexadecimal digits)"
);
prefixed_id!(
    /// An API key's public handle; not the secret.
    KeyId, "key", "a key id (key_ and 32 hexadecimal digits)"
);

impl SegmentId {
    /// The id of the `ordinal`-th segment of `kind` in `part`. The same arguments give the same id, so an ingest
    /// that runs again after a crash writes over its own points. It sorts by the part's time, then by ordinal.
    pub fn derive(part: PartId, kind: &str, ordinal: u32) -> Self {
        Self::derive_in(1, part, kind, ordinal)
    }

    /// The same in a generation of the index: each cuts parts in its own way, so their segments have different ids.
    pub fn derive_in(generation: u32, part: PartId, kind: &str, ordinal: u32) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(part.0.as_bytes());
        hasher.update(kind.as_bytes());
        hasher.update(ordinal.to_be_bytes());
        if generation > 1 {
            hasher.update(generation.to_be_bytes());
        }
        let digest = hasher.finalize();
        let mut low = [0u8; 8];
        low.copy_from_slice(&digest[..8]);
        let time_ms = part.0.as_u128() >> 80;
        let order = u128::from(ordinal.min(0xfff));
        let random = u128::from(u64::from_be_bytes(low)) & ((1 << 62) - 1);
        Self(Uuid::from_u128(time_ms << 80 | 0x7 << 76 | order << 64 | 0b10 << 62 | random))
    }
}

fn uuid_v7(now: Timestamp, randomness: u128) -> Uuid {
    let time_ms = u128::from(now.as_millis().max(0).unsigned_abs()) & 0xffff_ffff_ffff;
    let high = (randomness >> 62) & 0xfff;
    let low = randomness & ((1 << 62) - 1);
    Uuid::from_u128(time_ms << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)
}

macro_rules! digest_id {
    ($(#[$doc:meta])* $name:ident, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Wraps a digest that came from storage.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes of the digest.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let error = || IdError::new(text, $expected);
                if text.len() != 64 || !text.is_ascii() {
                    return Err(error());
                }
                let mut bytes = [0u8; 32];
                for (index, byte) in bytes.iter_mut().enumerate() {
                    *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).map_err(|_| error())?;
                }
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                string_schema("^[0-9a-f]{64}$", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {}
    };
}

digest_id!(
    /// SHA-256 of a part's bytes; names its blob.
    BlobHash, "a SHA-256 (64 hexadecimal digits)"
);
digest_id!(
    /// SHA-256 of exactly what a model is given for a segment: text bytes, or a blob's hash with the region or span cut
    /// from it. Equal keys have equal vectors under one model, whoever owns them.
    ContentKey, "a content key (64 hexadecimal digits)"
);

impl BlobHash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A hash that was computed as its bytes passed by.
    pub const fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

impl ContentKey {
    /// The key of what is described by `pieces`; each piece is length-prefixed, so no two lists collide.
    pub fn of(pieces: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for piece in pieces {
            hasher.update((piece.len() as u64).to_be_bytes());
            hasher.update(piece);
        }
        Self(hasher.finalize().into())
    }
}

#[cfg(feature = "openapi")]
pub(crate) fn string_schema(pattern: &str, example: &str) -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
    use utoipa::openapi::schema::{ObjectBuilder, Type};
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
        .examples([serde_json::Value::from(example)])
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_survive_their_text_form(ms in 0i64..4_000_000_000_000, random: u128) {
            let id = DocumentId::new(Timestamp::from_millis(ms), random);
            prop_assert_eq!(id.to_string().parse::<DocumentId>(), Ok(id));
            prop_assert_eq!(id.uuid().get_version_num(), 7);
        }

        #[test]
        fn later_ids_sort_later(ms in 0i64..4_000_000_000_000, a: u128, b: u128) {
            let earlier = JobId::new(Timestamp::from_millis(ms), a);
            let later = JobId::new(Timestamp::from_millis(ms + 1), b);
            prop_assert!(earlier.to_string() < later.to_string());
        }

        #[test]
        fn derived_segments_are_stable_distinct_and_ordered(random: u128, a in 0u32..4000, b in 0u32..4000) {
            let part = PartId::new(Timestamp::from_millis(1_700_000_000_000), random);
            let (first, second) = (SegmentId::derive(part, "chunk", a), SegmentId::derive(part, "chunk", b));
            prop_assert_eq!(first == second, a == b);
            prop_assert_eq!(a.cmp(&b), first.cmp(&second));
            prop_assert!(SegmentId::derive(part, "tile", a) != first);
        }

        #[test]
        fn hashes_survive_their_text_form(bytes: Vec<u8>) {
            let hash = BlobHash::of(&bytes);
            prop_assert_eq!(hash.to_string().parse::<BlobHash>(), Ok(hash));
        }
    }

    #[test]
    fn wrong_texts_are_refused_and_named() {
        for text in
            ["", "doc_", "seg_01920c6a7b3c7def8123456789abcdef", "doc_zz", "doc_01920c6a-7b3c-7def-8123-456789abcdef"]
        {
            let error = text.parse::<DocumentId>().unwrap_err();
            assert!(error.to_string().contains("document id"), "{error}");
        }
        assert!("é".repeat(32).parse::<BlobHash>().is_err());
    }

    #[test]
    fn pieces_do_not_run_together() {
        assert_ne!(ContentKey::of(&[b"ab", b"c"]), ContentKey::of(&[b"a", b"bc"]));
    }
}
