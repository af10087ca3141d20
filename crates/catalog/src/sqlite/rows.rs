//! How values stand in columns.

use std::fmt::Write as _;

use sensorium_domain::Timestamp;
use serde::de::value::{Error as WordError, StringDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::error::{Fail, Result};

/// Typed reads of columns by name.
pub(super) trait Columns {
    fn text(&self, column: &str) -> Result<String>;
    fn maybe_text(&self, column: &str) -> Result<Option<String>>;
    fn int(&self, column: &str) -> Result<i64>;
    fn maybe_int(&self, column: &str) -> Result<Option<i64>>;
    fn bytes(&self, column: &str) -> Result<Vec<u8>>;

    fn count<T: TryFrom<i64>>(&self, column: &str) -> Result<T> {
        T::try_from(self.int(column)?).map_err(|_| Fail::corrupt(column, "a number out of range"))
    }

    fn flag(&self, column: &str) -> Result<bool> {
        Ok(self.int(column)? != 0)
    }

    fn time(&self, column: &str) -> Result<Timestamp> {
        Ok(Timestamp::from_millis(self.int(column)?))
    }

    fn maybe_time(&self, column: &str) -> Result<Option<Timestamp>> {
        Ok(self.maybe_int(column)?.map(Timestamp::from_millis))
    }

    fn uuid(&self, column: &str) -> Result<Uuid> {
        Uuid::from_slice(&self.bytes(column)?).map_err(|error| Fail::corrupt(column, error))
    }

    fn digest(&self, column: &str) -> Result<[u8; 32]> {
        <[u8; 32]>::try_from(self.bytes(column)?)
            .map_err(|bytes| Fail::corrupt(column, format!("{} bytes", bytes.len())))
    }

    /// A name, or an enum kept by its name.
    fn word<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        let word: StringDeserializer<WordError> = self.text(column)?.into_deserializer();
        T::deserialize(word).map_err(|error| Fail::corrupt(column, error))
    }

    fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        serde_json::from_str(&self.text(column)?).map_err(|error| Fail::corrupt(column, error))
    }
}

impl Columns for SqliteRow {
    fn text(&self, column: &str) -> Result<String> {
        Ok(self.try_get(column)?)
    }

    fn maybe_text(&self, column: &str) -> Result<Option<String>> {
        Ok(self.try_get(column)?)
    }

    fn int(&self, column: &str) -> Result<i64> {
        Ok(self.try_get(column)?)
    }

    fn maybe_int(&self, column: &str) -> Result<Option<i64>> {
        Ok(self.try_get(column)?)
    }

    fn bytes(&self, column: &str) -> Result<Vec<u8>> {
        Ok(self.try_get(column)?)
    }
}

/// A UUID as it is bound.
pub(super) fn blob(uuid: Uuid) -> Vec<u8> {
    uuid.as_bytes().to_vec()
}

/// Many blobs as one parameter: a JSON list of hexadecimal texts, read by `unhex(value)` of `json_each(?)`.
pub(super) fn hex_list<'a>(blobs: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut list = String::from("[");
    for (index, blob) in blobs.into_iter().enumerate() {
        list.push_str(if index == 0 { "\"" } else { ",\"" });
        for byte in blob {
            // Writing to a text cannot fail.
            let _ = write!(list, "{byte:02x}");
        }
        list.push('"');
    }
    list.push(']');
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_blobs_are_json() {
        assert_eq!(hex_list([]), "[]");
        assert_eq!(hex_list([&[0u8, 255][..], &[16u8][..]]), r#"["00ff","10"]"#);
    }
}
