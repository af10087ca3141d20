//! Blobs: claimed, stored, owned by parts, and deleted when nobody has them any more.
//!
//! The bytes lie elsewhere, so no transaction covers both. A claim or an owner keeps a blob; a blob that has neither is
//! marked as being deleted before its bytes go, and nobody can claim it until they are gone and its row with them.

use sensorium_domain::catalog::{BlobState, ClaimId};
use sensorium_domain::{BlobHash, TenantId, Timestamp};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::SqliteCatalog;
use super::error::{Fail, Result};
use super::rows::Columns;

fn claim_bytes(claim: ClaimId) -> Vec<u8> {
    claim.0.to_be_bytes().to_vec()
}

fn read(row: &SqliteRow) -> Result<(TenantId, BlobHash)> {
    Ok((row.word("tenant")?, BlobHash::from_bytes(row.digest("hash")?)))
}

pub(super) async fn claim(
    catalog: &SqliteCatalog,
    tenant: &TenantId,
    claim: ClaimId,
    blobs: &[(BlobHash, u64)],
    expires: Timestamp,
) -> Result<Vec<BlobState>> {
    let died_before = catalog.now().plus_ms(-catalog.blob_deletion_ms);
    let mut tx = catalog.begin().await?;
    let mut states = Vec::with_capacity(blobs.len());
    for (hash, size) in blobs {
        let state = state_for_claimer(&mut tx, tenant, *hash, *size, died_before).await?;
        if state != BlobState::Deleting {
            sqlx::query(
                "INSERT INTO blob_claims (tenant, claim, hash, expires_at) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT DO UPDATE SET expires_at = excluded.expires_at",
            )
            .bind(tenant.as_str())
            .bind(claim_bytes(claim))
            .bind(&hash.as_bytes()[..])
            .bind(expires.as_millis())
            .execute(&mut *tx)
            .await?;
        }
        states.push(state);
    }
    tx.commit().await?;
    Ok(states)
}

/// What the claimer has to do, with the row made or freed from a deleter that died.
async fn state_for_claimer(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    hash: BlobHash,
    size: u64,
    died_before: Timestamp,
) -> Result<BlobState> {
    sqlx::query(
        "INSERT INTO blobs (tenant, hash, size_bytes, state, owners) VALUES (?1, ?2, ?3, 'claimed', \
         (SELECT count(*) FROM parts WHERE tenant = ?1 AND blob = ?2)) \
         ON CONFLICT DO UPDATE SET state = 'claimed', taken_at = NULL WHERE state = 'deleting' AND taken_at <= ?4",
    )
    .bind(tenant.as_str())
    .bind(&hash.as_bytes()[..])
    .bind(size as i64)
    .bind(died_before.as_millis())
    .execute(&mut *connection)
    .await?;
    Ok(match state(connection, tenant, hash).await?.as_deref() {
        Some("stored") => BlobState::Stored,
        Some("deleting") => BlobState::Deleting,
        _ => BlobState::Missing,
    })
}

async fn state(connection: &mut SqliteConnection, tenant: &TenantId, hash: BlobHash) -> Result<Option<String>> {
    let row = sqlx::query("SELECT state FROM blobs WHERE tenant = ?1 AND hash = ?2")
        .bind(tenant.as_str())
        .bind(&hash.as_bytes()[..])
        .fetch_optional(connection)
        .await?;
    row.map(|row| row.text("state")).transpose()
}

/// Whether the bytes of a blob are known to be stored and not about to go.
pub(super) async fn is_stored(connection: &mut SqliteConnection, tenant: &TenantId, hash: BlobHash) -> Result<bool> {
    Ok(state(connection, tenant, hash).await?.as_deref() == Some("stored"))
}

pub(super) async fn stored(
    catalog: &SqliteCatalog,
    tenant: &TenantId,
    claim: ClaimId,
    blobs: &[BlobHash],
) -> Result<()> {
    let mut tx = catalog.begin().await?;
    for hash in blobs {
        let changed = sqlx::query(
            "UPDATE blobs SET state = 'stored' WHERE tenant = ?1 AND hash = ?2 AND state <> 'deleting' \
             AND EXISTS (SELECT 1 FROM blob_claims c WHERE c.tenant = ?1 AND c.claim = ?3 AND c.hash = ?2)",
        )
        .bind(tenant.as_str())
        .bind(&hash.as_bytes()[..])
        .bind(claim_bytes(claim))
        .execute(&mut *tx)
        .await?;
        if changed.rows_affected() == 0 {
            return Err(Fail::conflict(format!("the claim on the blob {hash} has expired")));
        }
    }
    tx.commit().await?;
    Ok(())
}

pub(super) async fn release(catalog: &SqliteCatalog, tenant: &TenantId, claim: ClaimId) -> Result<()> {
    let mut writer = catalog.writer.acquire().await?;
    release_with(&mut writer, tenant, claim).await
}

pub(super) async fn release_with(connection: &mut SqliteConnection, tenant: &TenantId, claim: ClaimId) -> Result<()> {
    sqlx::query("DELETE FROM blob_claims WHERE tenant = ?1 AND claim = ?2")
        .bind(tenant.as_str())
        .bind(claim_bytes(claim))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn take_orphans(catalog: &SqliteCatalog, limit: u32) -> Result<Vec<(TenantId, BlobHash)>> {
    let now = catalog.now();
    let mut tx = catalog.begin().await?;
    sqlx::query("DELETE FROM blob_claims WHERE expires_at <= ?1").bind(now.as_millis()).execute(&mut *tx).await?;
    let orphans = sqlx::query(
        "SELECT tenant, hash FROM blobs b WHERE owners = 0 AND CASE state \
         WHEN 'deleting' THEN taken_at <= ?1 \
         ELSE NOT EXISTS (SELECT 1 FROM blob_claims c WHERE c.tenant = b.tenant AND c.hash = b.hash) END LIMIT ?2",
    )
    .bind(now.plus_ms(-catalog.blob_deletion_ms).as_millis())
    .bind(limit)
    .fetch_all(&mut *tx)
    .await?
    .iter()
    .map(read)
    .collect::<Result<Vec<_>>>()?;
    for (tenant, hash) in &orphans {
        sqlx::query("UPDATE blobs SET state = 'deleting', taken_at = ?3 WHERE tenant = ?1 AND hash = ?2")
            .bind(tenant.as_str())
            .bind(&hash.as_bytes()[..])
            .bind(now.as_millis())
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(orphans)
}

pub(super) async fn deleted(catalog: &SqliteCatalog, blobs: &[(TenantId, BlobHash)]) -> Result<()> {
    let mut tx = catalog.begin().await?;
    for (tenant, hash) in blobs {
        sqlx::query("DELETE FROM blobs WHERE tenant = ?1 AND hash = ?2 AND state = 'deleting'")
            .bind(tenant.as_str())
            .bind(&hash.as_bytes()[..])
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(())
}

pub(super) async fn list(
    catalog: &SqliteCatalog,
    after: Option<(TenantId, BlobHash)>,
    limit: u32,
) -> Result<Vec<(TenantId, BlobHash)>> {
    let (tenant, hash) =
        after.map_or_else(Default::default, |(tenant, hash)| (tenant.to_string(), hash.as_bytes().to_vec()));
    sqlx::query(
        "SELECT tenant, hash FROM blobs WHERE (tenant, hash) > (?1, ?2) AND state = 'stored' \
         ORDER BY tenant, hash LIMIT ?3",
    )
    .bind(tenant)
    .bind(hash)
    .bind(limit)
    .fetch_all(&catalog.readers)
    .await?
    .iter()
    .map(read)
    .collect()
}
