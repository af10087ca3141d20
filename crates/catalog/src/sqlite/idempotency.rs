//! Idempotency keys: reserved by the first request, answered to its repetitions.

use sensorium_domain::catalog::IdempotencyState;
use sensorium_domain::{BlobHash, TenantId, Timestamp};

use super::SqliteCatalog;
use super::error::{Fail, Result};
use super::rows::Columns;

pub(super) async fn begin(
    catalog: &SqliteCatalog,
    tenant: &TenantId,
    key: &str,
    request: &BlobHash,
    expires: Timestamp,
) -> Result<IdempotencyState> {
    let mut tx = catalog.begin().await?;
    sqlx::query("DELETE FROM idempotency_keys WHERE expires_at <= ?1")
        .bind(catalog.now().as_millis())
        .execute(&mut *tx)
        .await?;
    let known =
        sqlx::query("SELECT request, status, location, body FROM idempotency_keys WHERE tenant = ?1 AND key = ?2")
            .bind(tenant.as_str())
            .bind(key)
            .fetch_optional(&mut *tx)
            .await?;
    let Some(known) = known else {
        sqlx::query("INSERT INTO idempotency_keys (tenant, key, request, expires_at) VALUES (?1, ?2, ?3, ?4)")
            .bind(tenant.as_str())
            .bind(key)
            .bind(&request.as_bytes()[..])
            .bind(expires.as_millis())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        return Ok(IdempotencyState::New);
    };
    if known.digest("request")? != *request.as_bytes() {
        return Ok(IdempotencyState::Mismatch);
    }
    let Some(status) = known.maybe_int("status")? else {
        return Ok(IdempotencyState::InFlight);
    };
    Ok(IdempotencyState::Replay {
        status: u16::try_from(status).map_err(|error| Fail::corrupt("status", error))?,
        location: known.maybe_text("location")?,
        body: known.text("body")?,
    })
}

pub(super) async fn finish(
    catalog: &SqliteCatalog,
    tenant: &TenantId,
    key: &str,
    status: u16,
    location: Option<&str>,
    body: &str,
) -> Result<()> {
    let changed = sqlx::query(
        "UPDATE idempotency_keys SET status = ?3, location = ?4, body = ?5 \
         WHERE tenant = ?1 AND key = ?2 AND status IS NULL",
    )
    .bind(tenant.as_str())
    .bind(key)
    .bind(status)
    .bind(location)
    .bind(body)
    .execute(&catalog.writer)
    .await?;
    if changed.rows_affected() == 0 { Err(Fail::not_found("reserved idempotency key")) } else { Ok(()) }
}

pub(super) async fn forget(catalog: &SqliteCatalog, tenant: &TenantId, key: &str) -> Result<()> {
    sqlx::query("DELETE FROM idempotency_keys WHERE tenant = ?1 AND key = ?2 AND status IS NULL")
        .bind(tenant.as_str())
        .bind(key)
        .execute(&catalog.writer)
        .await?;
    Ok(())
}
