//! Names that users or profiles choose, checked once at the border.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A name that breaks the rules of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a {what}: 1 to 64 letters, digits, '-', '_' or '.', the first a letter or digit")]
pub struct NameError {
    /// What was given, cut to 80 characters.
    pub text: String,
    /// The kind of name.
    pub what: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $example:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                let good = text.len() <= 64
                    && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
                    && text.starts_with(|c: char| c.is_ascii_alphanumeric());
                if good {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(NameError { text: text.chars().take(80).collect(), what: $what })
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                crate::ids::string_schema("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", $example)
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {}
    };
}

name!(
    /// An isolated customer; comes from the caller's token and scopes every query.
    TenantId, "tenant", "acme"
);
name!(
    /// A named set of documents inside a tenant.
    CollectionName, "collection name", "default"
);
name!(
    /// An embedding space; a named vector in the index.
    SpaceName, "space name", "shared"
);

impl Default for CollectionName {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

/// A model with its revision, `name@revision`; vectors of different values never mix.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct ModelName(pub String);

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_pass() {
        for good in ["a", "default", "A-1_b.c", &"x".repeat(64)] {
            assert!(good.parse::<CollectionName>().is_ok(), "{good}");
        }
        for bad in ["", ".", "../x", "a b", "ä", "-a", &"x".repeat(65)] {
            assert!(bad.parse::<CollectionName>().is_err(), "{bad}");
        }
    }
}
