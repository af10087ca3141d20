//! API keys, generations, numbers.

use sensorium_domain::catalog::{ApiKey, CatalogStats, Generation};
use sensorium_domain::ids::KeyId;
use sensorium_domain::{BlobHash, TenantId};

use super::Store;
use super::dialect::uuid_value;
use crate::columns::Columns;
use crate::error::{Fail, Result, is_duplicate};

pub(super) async fn put_key(catalog: &Store, key: &ApiKey, secret_hash: &BlobHash) -> Result<()> {
    let put = sqlx::query(
        "INSERT INTO api_keys (id, tenant, name, scopes, secret_hash, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(uuid_value(key.id.uuid()))
    .bind(key.tenant.as_str())
    .bind(key.name.as_str())
    .bind(serde_json::to_string(&key.scopes)?)
    .bind(&secret_hash.as_bytes()[..])
    .bind(key.created_at.as_millis())
    .bind(key.expires_at.map(sensorium_domain::Timestamp::as_millis))
    .execute(catalog.writer())
    .await;
    match put {
        Ok(_) => Ok(()),
        Err(error) if is_duplicate(&error) => Err(Fail::conflict("this key exists already")),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn key_by_secret(catalog: &Store, secret_hash: &BlobHash) -> Result<Option<ApiKey>> {
    let row =
        sqlx::query("SELECT id, tenant, name, scopes, created_at, expires_at FROM api_keys WHERE secret_hash = $1")
            .bind(&secret_hash.as_bytes()[..])
            .fetch_optional(catalog.reader())
            .await?;
    row.map(|row| {
        Ok(ApiKey {
            id: KeyId::from_uuid(row.uuid("id")?),
            name: row.text("name")?,
            tenant: row.word("tenant")?,
            scopes: row.json("scopes")?,
            created_at: row.time("created_at")?,
            expires_at: row.maybe_time("expires_at")?,
        })
    })
    .transpose()
}

pub(super) async fn generation(catalog: &Store) -> Result<Option<Generation>> {
    let row = sqlx::query("SELECT number, profile, towers, created_at FROM generations ORDER BY number DESC LIMIT 1")
        .fetch_optional(catalog.reader())
        .await?;
    row.map(|row| {
        Ok(Generation {
            number: row.count("number")?,
            profile: row.text("profile")?,
            towers: row.json("towers")?,
            created_at: row.time("created_at")?,
        })
    })
    .transpose()
}

pub(super) async fn put_generation(catalog: &Store, generation: &Generation) -> Result<()> {
    let put = sqlx::query(
        "INSERT INTO generations (number, profile, towers, created_at) SELECT $1, $2, $3, $4 \
         WHERE NOT EXISTS (SELECT 1 FROM generations WHERE number >= $1)",
    )
    .bind(i64::from(generation.number))
    .bind(generation.profile.as_str())
    .bind(serde_json::to_string(&generation.towers)?)
    .bind(generation.created_at.as_millis())
    .execute(catalog.writer())
    .await;
    match put {
        Ok(done) if done.rows_affected() > 0 => Ok(()),
        Err(error) if !is_duplicate(&error) => Err(error.into()),
        _ => Err(Fail::conflict(format!("there is a generation {} or a later one", generation.number))),
    }
}

pub(super) async fn stats(catalog: &Store, tenant: &TenantId) -> Result<CatalogStats> {
    let row = sqlx::query(
        "SELECT \
         (SELECT count(*) FROM collections WHERE tenant = $1 AND NOT deleting) AS collections, \
         (SELECT count(*) FROM documents WHERE tenant = $1 AND status <> 'deleting') AS documents, \
         (SELECT CAST(coalesce(sum(p.segments), 0) AS BIGINT) FROM documents d \
          JOIN parts p ON p.document = d.id AND p.version = d.live_version \
          WHERE d.tenant = $1 AND d.status <> 'deleting') AS segments, \
         (SELECT CAST(coalesce(sum(size_bytes), 0) AS BIGINT) FROM blobs WHERE tenant = $1 AND owners > 0) AS blob_bytes, \
         (SELECT count(*) FROM jobs WHERE tenant = $1 AND finished_at IS NULL) AS open_jobs",
    )
    .bind(tenant.as_str())
    .fetch_one(catalog.reader())
    .await?;
    Ok(CatalogStats {
        collections: row.count("collections")?,
        documents: row.count("documents")?,
        segments: row.count("segments")?,
        blob_bytes: row.count("blob_bytes")?,
        open_jobs: row.count("open_jobs")?,
    })
}

pub(super) async fn ping(catalog: &Store) -> Result<()> {
    sqlx::query("SELECT 1 FROM generations LIMIT 1").fetch_optional(catalog.reader()).await?;
    Ok(())
}
