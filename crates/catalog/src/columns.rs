//! How values stand in columns.

use sensorium_domain::Timestamp;
use serde::de::value::{Error as WordError, StringDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};
use uuid::Uuid;

use crate::error::{Fail, Result};

/// Typed reads of columns by name.
pub(crate) trait Columns {
    fn text(&self, column: &str) -> Result<String>;
    fn maybe_text(&self, column: &str) -> Result<Option<String>>;
    fn int(&self, column: &str) -> Result<i64>;
    fn maybe_int(&self, column: &str) -> Result<Option<i64>>;
    fn bytes(&self, column: &str) -> Result<Vec<u8>>;
    fn flag(&self, column: &str) -> Result<bool>;
    fn uuid(&self, column: &str) -> Result<Uuid>;
    fn maybe_uuid(&self, column: &str) -> Result<Option<Uuid>>;

    fn count<T: TryFrom<i64>>(&self, column: &str) -> Result<T> {
        T::try_from(self.int(column)?).map_err(|_| Fail::corrupt(column, "a number out of range"))
    }

    fn time(&self, column: &str) -> Result<Timestamp> {
        Ok(Timestamp::from_millis(self.int(column)?))
    }

    fn maybe_time(&self, column: &str) -> Result<Option<Timestamp>> {
        Ok(self.maybe_int(column)?.map(Timestamp::from_millis))
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

/// A table's columns in a row that is joined from several: their names begin with the table's.
pub(crate) struct Joined<'a, R>(pub(crate) &'a R, pub(crate) &'static str);

macro_rules! under_joined_names {
    ($($read:ident: $kind:ty,)*) => {
        $(fn $read(&self, column: &str) -> Result<$kind> {
            self.0.$read(&format!("{}_{column}", self.1))
        })*
    };
}

impl<R: Columns> Columns for Joined<'_, R> {
    under_joined_names! {
        text: String,
        maybe_text: Option<String>,
        int: i64,
        maybe_int: Option<i64>,
        bytes: Vec<u8>,
        flag: bool,
        uuid: Uuid,
        maybe_uuid: Option<Uuid>,
    }
}

/// Reads of the columns that sqlx decodes by itself for every database.
macro_rules! plain_columns {
    () => {
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
    };
}

pub(crate) use plain_columns;
