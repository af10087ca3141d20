//! What SQLite says in its own way: ids are blobs, lists of them one JSON text, and nobody else writes while somebody does.

use std::fmt::Write as _;

use sensorium_domain::TenantId;
use sqlx::Row as _;
use uuid::Uuid;

use super::{Connection, Row};
use crate::columns::{Columns, plain_columns};
use crate::error::{Fail, Result};

/// Keeps the rows that a transaction reads from others until it ends: the write lock does already.
macro_rules! for_update {
    () => {
        ""
    };
}

/// Keeps the rows that a transaction reads from others until it ends, taken in the order of a column: the write lock does already.
macro_rules! for_update_by {
    ($column:literal) => {
        ""
    };
}

/// Keeps a row that a transaction reads from being changed until it ends: the write lock does already.
macro_rules! for_share {
    () => {
        ""
    };
}

/// What tells a row of its table from all others for the length of a statement.
macro_rules! row_number {
    () => {
        "rowid"
    };
}

/// Passes over rows that another transaction works on: there is none.
macro_rules! skip_locked {
    () => {
        ""
    };
}

/// That a column holds one of a list of UUIDs or digests.
macro_rules! among {
    ($column:literal, $list:literal) => {
        concat!($column, " IN (SELECT unhex(value) FROM json_each(", $list, "))")
    };
}

/// The rows `r` of a JSON list of objects; `r.value->>'name'` is a text of one.
macro_rules! rows_of {
    ($list:literal) => {
        concat!("json_each(", $list, ") AS r")
    };
}

/// A UUID of such a row, which has it as hexadecimal digits.
macro_rules! row_uuid {
    ($name:literal) => {
        concat!("unhex(r.value->>'", $name, "')")
    };
}

/// That a document has one of these external ids.
macro_rules! external_id_among {
    ($list:literal) => {
        concat!("d.external_id IN (SELECT value FROM json_each(", $list, "))")
    };
}

/// That a document has this external id.
macro_rules! external_id_is {
    ($parameter:literal) => {
        concat!("d.external_id = ", $parameter)
    };
}

/// The number of the job that is enqueued next.
macro_rules! next_seq {
    () => {
        "(SELECT max(seq) + 1 FROM jobs)"
    };
}

pub(super) use {
    among, external_id_among, external_id_is, for_share, for_update, for_update_by, next_seq, row_number, row_uuid,
    rows_of, skip_locked,
};

impl Columns for Row {
    plain_columns!();

    fn flag(&self, column: &str) -> Result<bool> {
        Ok(self.int(column)? != 0)
    }

    fn uuid(&self, column: &str) -> Result<Uuid> {
        Uuid::from_slice(&self.bytes(column)?).map_err(|error| Fail::corrupt(column, error))
    }

    fn maybe_uuid(&self, column: &str) -> Result<Option<Uuid>> {
        let bytes: Option<Vec<u8>> = self.try_get(column)?;
        bytes.map(|bytes| Uuid::from_slice(&bytes).map_err(|error| Fail::corrupt(column, error))).transpose()
    }
}

/// A UUID as it is bound.
pub(super) fn uuid_value(uuid: Uuid) -> Vec<u8> {
    uuid.as_bytes().to_vec()
}

/// UUIDs for `among!`.
pub(super) fn uuid_list(uuids: impl IntoIterator<Item = Uuid>) -> String {
    hex_list(uuids.into_iter().map(Uuid::into_bytes))
}

/// Digests for `among!`.
pub(super) fn digest_list<'a>(digests: impl IntoIterator<Item = &'a [u8; 32]>) -> String {
    hex_list(digests)
}

fn hex_list(blobs: impl IntoIterator<Item = impl AsRef<[u8]>>) -> String {
    let mut list = String::from("[");
    for (index, blob) in blobs.into_iter().enumerate() {
        list.push_str(if index == 0 { "\"" } else { ",\"" });
        for byte in blob.as_ref() {
            // Writing to a text cannot fail.
            let _ = write!(list, "{byte:02x}");
        }
        list.push('"');
    }
    list.push(']');
    list
}

/// Texts for `external_id_among!`.
pub(super) fn text_list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    serde_json::Value::from_iter(texts).to_string()
}

/// A text that we made as it can be kept: any.
pub(super) fn storable(text: &str) -> &str {
    text
}

/// Until the transaction ends no other job is taken: the write lock sees to that.
#[allow(clippy::unused_async)] // Postgres has to wait
pub(super) async fn exclude_all_leases(_: &mut Connection) -> Result<()> {
    Ok(())
}

/// Until the transaction ends no job of the tenant is taken: the write lock sees to that.
#[allow(clippy::unused_async)] // Postgres has to wait
pub(super) async fn exclude_leases(_: &mut Connection, _: &TenantId) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_blobs_are_json() {
        assert_eq!(hex_list([[0u8; 0]; 0]), "[]");
        assert_eq!(hex_list([&[0u8, 255][..], &[16u8][..]]), r#"["00ff","10"]"#);
    }
}
