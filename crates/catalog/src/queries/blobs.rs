//! Blobs: claimed, stored, owned by parts, and deleted when nobody has them any more.
//!
//! The bytes lie elsewhere, so no transaction covers both. A claim or an owner keeps a blob; a blob that has neither is
//! marked as being deleted before its bytes go, and nobody can claim it until they are gone and its row with them.

use std::collections::{BTreeMap, BTreeSet};

use sensorium_domain::catalog::{BlobState, ClaimId};
use sensorium_domain::{BlobHash, TenantId, Timestamp};
use uuid::Uuid;

use super::dialect::{among, digest_list, for_update_by, skip_locked, uuid_value};
use super::{Connection, Row, Store};
use crate::columns::Columns;
use crate::error::{Fail, Result};

fn read(row: &Row) -> Result<(TenantId, BlobHash)> {
    Ok((row.word("tenant")?, BlobHash::from_bytes(row.digest("hash")?)))
}

pub(super) async fn claim(
    catalog: &Store,
    tenant: &TenantId,
    claim: ClaimId,
    blobs: &[(BlobHash, u64)],
    expires: Timestamp,
) -> Result<Vec<BlobState>> {
    let died_before = catalog.now().plus_ms(-catalog.blob_deletion_ms);
    let mut tx = catalog.begin_beside_unpromised(tenant).await?;
    let mut states = BTreeMap::new();
    for (hash, size) in blobs.iter().copied().collect::<BTreeMap<_, _>>() {
        let state = state_for_claimer(&mut tx, tenant, hash, size, died_before).await?;
        if state != BlobState::Deleting {
            sqlx::query(
                "INSERT INTO blob_claims (tenant, claim, hash, expires_at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (tenant, claim, hash) DO UPDATE SET expires_at = excluded.expires_at",
            )
            .bind(tenant.as_str())
            .bind(uuid_value(Uuid::from_u128(claim.0)))
            .bind(&hash.as_bytes()[..])
            .bind(expires.as_millis())
            .execute(&mut *tx)
            .await?;
        }
        states.insert(hash, state);
    }
    tx.commit().await?;
    Ok(blobs.iter().map(|(hash, _)| states[hash]).collect())
}

/// What the claimer has to do, with the row made or freed from a deleter that died.
async fn state_for_claimer(
    connection: &mut Connection,
    tenant: &TenantId,
    hash: BlobHash,
    size: u64,
    died_before: Timestamp,
) -> Result<BlobState> {
    sqlx::query(
        "INSERT INTO blobs (tenant, hash, size_bytes, state, owners) VALUES ($1, $2, $3, 'claimed', \
         (SELECT count(*) FROM parts WHERE tenant = $1 AND blob = $2)) \
         ON CONFLICT (tenant, hash) DO UPDATE SET state = 'claimed', taken_at = NULL \
         WHERE blobs.state = 'deleting' AND blobs.taken_at <= $4",
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

async fn state(connection: &mut Connection, tenant: &TenantId, hash: BlobHash) -> Result<Option<String>> {
    let row = sqlx::query("SELECT state FROM blobs WHERE tenant = $1 AND hash = $2")
        .bind(tenant.as_str())
        .bind(&hash.as_bytes()[..])
        .fetch_optional(connection)
        .await?;
    row.map(|row| row.text("state")).transpose()
}

/// Those blobs whose bytes are known to be stored and not about to go. Until the transaction ends nobody else becomes their owner or ceases to
/// be.
pub(super) async fn hold_stored(
    connection: &mut Connection,
    tenant: &TenantId,
    hashes: impl IntoIterator<Item = &BlobHash>,
) -> Result<BTreeSet<BlobHash>> {
    let rows = sqlx::query(concat!(
        "SELECT b.hash FROM blobs b WHERE b.tenant = $1 AND ",
        among!("b.hash", "$2"),
        " AND b.state = 'stored'",
        for_update_by!("b.hash")
    ))
    .bind(tenant.as_str())
    .bind(digest_list(hashes.into_iter().map(BlobHash::as_bytes)))
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok(BlobHash::from_bytes(row.digest("hash")?))).collect()
}

pub(super) async fn stored(catalog: &Store, tenant: &TenantId, claim: ClaimId, blobs: &[BlobHash]) -> Result<()> {
    let mut tx = catalog.begin_beside_unpromised(tenant).await?;
    for hash in blobs.iter().collect::<BTreeSet<_>>() {
        let changed = sqlx::query(
            "UPDATE blobs SET state = 'stored' WHERE tenant = $1 AND hash = $2 AND state <> 'deleting' \
             AND EXISTS (SELECT 1 FROM blob_claims c WHERE c.tenant = $1 AND c.claim = $3 AND c.hash = $2)",
        )
        .bind(tenant.as_str())
        .bind(&hash.as_bytes()[..])
        .bind(uuid_value(Uuid::from_u128(claim.0)))
        .execute(&mut *tx)
        .await?;
        if changed.rows_affected() == 0 {
            return Err(Fail::conflict(format!("the claim on the blob {hash} has expired")));
        }
    }
    tx.commit().await?;
    Ok(())
}

pub(super) async fn release(catalog: &Store, tenant: &TenantId, claim: ClaimId) -> Result<()> {
    let mut writer = catalog.writer().acquire().await?;
    release_with(&mut writer, tenant, claim).await
}

pub(super) async fn release_with(connection: &mut Connection, tenant: &TenantId, claim: ClaimId) -> Result<()> {
    sqlx::query("DELETE FROM blob_claims WHERE tenant = $1 AND claim = $2")
        .bind(tenant.as_str())
        .bind(uuid_value(Uuid::from_u128(claim.0)))
        .execute(connection)
        .await?;
    Ok(())
}

/// That a blob `b` is nobody's: without owner and unexpired claim, or marked by a process that died.
macro_rules! orphaned {
    ($now:literal, $died_before:literal) => {
        concat!(
            "b.owners = 0 AND CASE b.state WHEN 'deleting' THEN b.taken_at <= ",
            $died_before,
            " ELSE NOT EXISTS (SELECT 1 FROM blob_claims c WHERE c.tenant = b.tenant AND c.hash = b.hash AND c.expires_at > ",
            $now,
            ") END"
        )
    };
}

pub(super) async fn take_orphans(catalog: &Store, limit: u32) -> Result<Vec<(TenantId, BlobHash)>> {
    let now = catalog.now();
    let died_before = now.plus_ms(-catalog.blob_deletion_ms);
    sqlx::query(concat!(
        "DELETE FROM blob_claims WHERE (tenant, claim, hash) IN \
         (SELECT tenant, claim, hash FROM blob_claims WHERE expires_at <= $1 ORDER BY expires_at LIMIT 1000",
        skip_locked!(),
        ")"
    ))
    .bind(now.as_millis())
    .execute(catalog.writer())
    .await?;
    let candidates =
        sqlx::query(concat!("SELECT b.tenant, b.hash FROM blobs b WHERE ", orphaned!("$1", "$2"), " LIMIT $3"))
            .bind(now.as_millis())
            .bind(died_before.as_millis())
            .bind(i64::from(limit))
            .fetch_all(catalog.reader())
            .await?
            .iter()
            .map(read)
            .collect::<Result<Vec<_>>>()?;
    let mut taken = Vec::with_capacity(candidates.len());
    for (tenant, hashes) in by_tenant(candidates) {
        let mut tx = catalog.begin(&tenant).await?;
        for hash in hashes {
            let marked = sqlx::query(concat!(
                "UPDATE blobs AS b SET state = 'deleting', taken_at = $3 WHERE b.tenant = $1 AND b.hash = $2 AND ",
                orphaned!("$3", "$4")
            ))
            .bind(tenant.as_str())
            .bind(&hash.as_bytes()[..])
            .bind(now.as_millis())
            .bind(died_before.as_millis())
            .execute(&mut *tx)
            .await?;
            if marked.rows_affected() > 0 {
                taken.push((tenant.clone(), hash));
            }
        }
        tx.commit().await?;
    }
    Ok(taken)
}

/// Transactions are of one tenant.
fn by_tenant(blobs: impl IntoIterator<Item = (TenantId, BlobHash)>) -> BTreeMap<TenantId, Vec<BlobHash>> {
    let mut tenants = BTreeMap::<_, Vec<_>>::new();
    for (tenant, hash) in blobs {
        tenants.entry(tenant).or_default().push(hash);
    }
    tenants
}

pub(super) async fn deleted(catalog: &Store, blobs: &[(TenantId, BlobHash)]) -> Result<()> {
    for (tenant, hashes) in by_tenant(blobs.iter().cloned()) {
        let mut tx = catalog.begin(&tenant).await?;
        for hash in hashes {
            sqlx::query("DELETE FROM blobs WHERE tenant = $1 AND hash = $2 AND state = 'deleting'")
                .bind(tenant.as_str())
                .bind(&hash.as_bytes()[..])
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

pub(super) async fn list(
    catalog: &Store,
    after: Option<(TenantId, BlobHash)>,
    limit: u32,
) -> Result<Vec<(TenantId, BlobHash)>> {
    let (tenant, hash) =
        after.map_or_else(Default::default, |(tenant, hash)| (tenant.to_string(), hash.as_bytes().to_vec()));
    sqlx::query(
        "SELECT tenant, hash FROM blobs WHERE (tenant, hash) > ($1, $2) AND state = 'stored' \
         ORDER BY tenant, hash LIMIT $3",
    )
    .bind(tenant)
    .bind(hash)
    .bind(i64::from(limit))
    .fetch_all(catalog.reader())
    .await?
    .iter()
    .map(read)
    .collect()
}
