//! What Postgres says in its own way: ids are `uuid`, lists are arrays, and others write meanwhile.

use std::borrow::Cow;

use sensorium_domain::TenantId;
use sqlx::Row as _;
use uuid::Uuid;

use super::locks::Lock;
use super::{Connection, Row};
use crate::columns::{Columns, plain_columns};
use crate::error::Result;

/// Keeps the rows that a transaction reads from others until it ends.
macro_rules! for_update {
    () => {
        " FOR UPDATE"
    };
}

/// Keeps the rows that a transaction reads from others until it ends, taken in the order of a column.
macro_rules! for_update_by {
    ($column:literal) => {
        concat!(" ORDER BY ", $column, " FOR UPDATE")
    };
}

/// Keeps a row that a transaction reads from being changed until it ends.
macro_rules! for_share {
    () => {
        " FOR SHARE"
    };
}

/// What tells a row of its table from all others for the length of a statement.
macro_rules! row_number {
    () => {
        "ctid"
    };
}

/// Passes over rows that another transaction works on.
macro_rules! skip_locked {
    () => {
        " FOR UPDATE SKIP LOCKED"
    };
}

/// That a column holds one of a list of UUIDs or digests.
macro_rules! among {
    ($column:literal, $list:literal) => {
        concat!($column, " = ANY(", $list, ")")
    };
}

/// The rows `r` of a JSON list of objects; `r.value->>'name'` is a text of one.
macro_rules! rows_of {
    ($list:literal) => {
        concat!("json_array_elements(CAST(", $list, " AS json)) AS r(value)")
    };
}

/// A UUID of such a row, which has it as hexadecimal digits.
macro_rules! row_uuid {
    ($name:literal) => {
        concat!("CAST(r.value->>'", $name, "' AS UUID)")
    };
}

/// That a document has one of these external ids: found by the index of hashes.
macro_rules! external_id_among {
    ($list:literal) => {
        concat!(
            "md5(d.external_id) IN (SELECT md5(e) FROM unnest(",
            $list,
            "::text[]) AS e) AND d.external_id = ANY(",
            $list,
            ")"
        )
    };
}

/// That a document has this external id: found by the index of hashes.
macro_rules! external_id_is {
    ($parameter:literal) => {
        concat!("md5(d.external_id) = md5(", $parameter, ") AND d.external_id = ", $parameter)
    };
}

/// The number of the job that is enqueued next.
macro_rules! next_seq {
    () => {
        "nextval(pg_get_serial_sequence('jobs', 'seq'))"
    };
}

pub(super) use {
    among, external_id_among, external_id_is, for_share, for_update, for_update_by, next_seq, row_number, row_uuid,
    rows_of, skip_locked,
};

impl Columns for Row {
    plain_columns!();

    fn flag(&self, column: &str) -> Result<bool> {
        Ok(self.try_get(column)?)
    }

    fn uuid(&self, column: &str) -> Result<Uuid> {
        Ok(self.try_get(column)?)
    }

    fn maybe_uuid(&self, column: &str) -> Result<Option<Uuid>> {
        Ok(self.try_get(column)?)
    }
}

/// A UUID as it is bound.
pub(super) fn uuid_value(uuid: Uuid) -> Uuid {
    uuid
}

/// UUIDs for `among!`.
pub(super) fn uuid_list(uuids: impl IntoIterator<Item = Uuid>) -> Vec<Uuid> {
    uuids.into_iter().collect()
}

/// Digests for `among!`.
pub(super) fn digest_list<'a>(digests: impl IntoIterator<Item = &'a [u8; 32]>) -> Vec<Vec<u8>> {
    digests.into_iter().map(|digest| digest.to_vec()).collect()
}

/// Texts for `external_id_among!`.
pub(super) fn text_list<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    texts.into_iter().map(str::to_owned).collect()
}

/// A text that we made as it can be kept: U+0000, which no column holds, is replaced.
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

/// Until the transaction ends no other job is taken: those that others are about to take are taken before this returns. See [`Lock::Generations`].
pub(super) async fn exclude_all_leases(connection: &mut Connection) -> Result<()> {
    Lock::Generations.exclusive(connection).await
}

/// Until the transaction ends no job of the tenant is taken. See [`Lock::Leases`].
pub(super) async fn exclude_leases(connection: &mut Connection, tenant: &TenantId) -> Result<()> {
    Lock::Leases(tenant).exclusive(connection).await
}
