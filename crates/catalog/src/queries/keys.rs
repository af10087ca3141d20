//! API keys: made, found by their secrets, listed, revoked.

use std::collections::{BTreeSet, HashMap};

use sensorium_domain::catalog::ApiKey;
use sensorium_domain::ids::KeyId;
use sensorium_domain::{BlobHash, TenantId, Timestamp};

use super::dialect::{among, digest_list, uuid_value};
use super::{Row, Store};
use crate::columns::Columns;
use crate::error::{Fail, Result, is_duplicate};
use crate::gathering::{Answers, Together, each};

/// How exactly the last use is kept: a write for every request would cost more than it tells.
const USE_MS: i64 = 60_000;

macro_rules! key_columns {
    () => {
        "id, tenant, name, scopes, created_at, expires_at, last_used_at, revoked_at"
    };
}

fn read(row: &Row) -> Result<ApiKey> {
    Ok(ApiKey {
        id: KeyId::from_uuid(row.uuid("id")?),
        name: row.text("name")?,
        tenant: row.word("tenant")?,
        scopes: row.json("scopes")?,
        created_at: row.time("created_at")?,
        expires_at: row.maybe_time("expires_at")?,
        last_used_at: row.maybe_time("last_used_at")?,
        revoked_at: row.maybe_time("revoked_at")?,
    })
}

pub(super) async fn put(catalog: &Store, key: &ApiKey, secret_hash: &BlobHash) -> Result<()> {
    let put = sqlx::query(
        "INSERT INTO api_keys \
         (id, tenant, name, scopes, created_at, expires_at, last_used_at, revoked_at, secret_hash) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(uuid_value(key.id.uuid()))
    .bind(key.tenant.as_str())
    .bind(key.name.as_str())
    .bind(serde_json::to_string(&key.scopes)?)
    .bind(key.created_at.as_millis())
    .bind(key.expires_at.map(Timestamp::as_millis))
    .bind(key.last_used_at.map(Timestamp::as_millis))
    .bind(key.revoked_at.map(Timestamp::as_millis))
    .bind(&secret_hash.as_bytes()[..])
    .execute(catalog.writer())
    .await;
    match put {
        Ok(_) => Ok(()),
        Err(error) if is_duplicate(&error) => Err(Fail::conflict("this key exists already")),
        Err(error) => Err(error.into()),
    }
}

/// A key by the hash of its secret.
pub(super) struct BySecret(pub(super) BlobHash);

impl Together for BySecret {
    type Store = Store;
    /// Whose key it is, is not known before.
    type Lane = ();
    type Answer = Option<ApiKey>;

    async fn run(catalog: &Store, (): &(), calls: &[Self]) -> Answers<Option<ApiKey>> {
        let hashes: BTreeSet<_> = calls.iter().map(|call| call.0).collect();
        let found = sqlx::query(concat!(
            "SELECT secret_hash, ",
            key_columns!(),
            " FROM api_keys WHERE ",
            among!("secret_hash", "$1"),
            " AND revoked_at IS NULL"
        ))
        .bind(digest_list(hashes.iter().map(BlobHash::as_bytes)))
        .fetch_all(catalog.reader_by_key())
        .await?
        .iter()
        .map(|row| Ok((BlobHash::from_bytes(row.digest("secret_hash")?), read(row)?)))
        .collect::<Result<HashMap<_, _>>>()?;
        Ok(each(calls, |call| Ok(found.get(&call.0).cloned())))
    }
}

pub(super) async fn list(catalog: &Store, tenant: &TenantId, before: Option<KeyId>, limit: u32) -> Result<Vec<ApiKey>> {
    sqlx::query(concat!(
        "SELECT ",
        key_columns!(),
        " FROM api_keys WHERE tenant = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
    ))
    .bind(tenant.as_str())
    .bind(uuid_value(before.map_or(uuid::Uuid::max(), KeyId::uuid)))
    .bind(i64::from(limit))
    .fetch_all(catalog.reader())
    .await?
    .iter()
    .map(read)
    .collect()
}

pub(super) async fn revoke(catalog: &Store, tenant: &TenantId, id: KeyId) -> Result<ApiKey> {
    sqlx::query(concat!(
        "UPDATE api_keys SET revoked_at = coalesce(revoked_at, $3) WHERE id = $1 AND tenant = $2 RETURNING ",
        key_columns!()
    ))
    .bind(uuid_value(id.uuid()))
    .bind(tenant.as_str())
    .bind(catalog.now().as_millis())
    .fetch_optional(catalog.writer())
    .await?
    .as_ref()
    .map_or_else(|| Err(Fail::not_found("key")), read)
}

pub(super) async fn used(catalog: &Store, id: KeyId) -> Result<()> {
    let now = catalog.now();
    let recent = sqlx::query("SELECT 1 FROM api_keys WHERE id = $1 AND last_used_at > $2")
        .bind(uuid_value(id.uuid()))
        .bind(now.plus_ms(-USE_MS).as_millis())
        .fetch_optional(catalog.reader())
        .await?;
    if recent.is_none() {
        sqlx::query("UPDATE api_keys SET last_used_at = $2 WHERE id = $1")
            .bind(uuid_value(id.uuid()))
            .bind(now.as_millis())
            .execute(catalog.writer())
            .await?;
    }
    Ok(())
}
