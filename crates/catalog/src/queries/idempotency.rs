//! Idempotency keys: reserved by the first request, answered to its repetitions.

use sensorium_domain::catalog::{IdempotencyState, ReservedKey};
use sensorium_domain::{BlobHash, JobId, TenantId, Timestamp};

use super::dialect::{skip_locked, uuid_value};
use super::{Connection, Store};
use crate::columns::Columns;
use crate::error::{Fail, Result};

pub(super) async fn begin(
    catalog: &Store,
    tenant: &TenantId,
    key: &str,
    request: &BlobHash,
    reserved_until: Timestamp,
) -> Result<IdempotencyState> {
    let now = catalog.now();
    sqlx::query(concat!(
        "DELETE FROM idempotency_keys WHERE (tenant, key) IN \
         (SELECT tenant, key FROM idempotency_keys WHERE expires_at <= $1 ORDER BY expires_at LIMIT 100",
        skip_locked!(),
        ")"
    ))
    .bind(now.as_millis())
    .execute(catalog.writer())
    .await?;
    let reserved = sqlx::query(
        "INSERT INTO idempotency_keys (tenant, key, request, expires_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (tenant, key) DO UPDATE SET request = excluded.request, expires_at = excluded.expires_at, \
         status = NULL, location = NULL, body = NULL, job = NULL WHERE idempotency_keys.expires_at <= $5",
    )
    .bind(tenant.as_str())
    .bind(key)
    .bind(&request.as_bytes()[..])
    .bind(reserved_until.as_millis())
    .bind(now.as_millis())
    .execute(catalog.writer())
    .await?;
    if reserved.rows_affected() > 0 {
        return Ok(IdempotencyState::New);
    }
    let known =
        sqlx::query("SELECT request, status, location, body, job FROM idempotency_keys WHERE tenant = $1 AND key = $2")
            .bind(tenant.as_str())
            .bind(key)
            .fetch_optional(catalog.reader())
            .await?;
    // Gone meanwhile: the first request has failed just now, and whoever tries again is the first.
    let Some(known) = known else {
        return Ok(IdempotencyState::InFlight);
    };
    if known.digest("request")? != *request.as_bytes() {
        return Ok(IdempotencyState::Mismatch);
    }
    let Some(status) = known.maybe_int("status")? else {
        let job = known.maybe_uuid("job")?.map(JobId::from_uuid);
        return Ok(job.map_or(IdempotencyState::InFlight, IdempotencyState::Accepted));
    };
    Ok(IdempotencyState::Replay {
        status: u16::try_from(status).map_err(|error| Fail::corrupt("status", error))?,
        location: known.maybe_text("location")?,
        body: known.text("body")?,
    })
}

pub(super) async fn extend(
    catalog: &Store,
    tenant: &TenantId,
    reserved: &ReservedKey,
    reserved_until: Timestamp,
) -> Result<()> {
    sqlx::query(
        "UPDATE idempotency_keys SET expires_at = $4 \
         WHERE tenant = $1 AND key = $2 AND request = $3 AND status IS NULL AND job IS NULL AND expires_at > $5",
    )
    .bind(tenant.as_str())
    .bind(&reserved.key)
    .bind(&reserved.request.as_bytes()[..])
    .bind(reserved_until.as_millis())
    .bind(catalog.now().as_millis())
    .execute(catalog.writer())
    .await?;
    Ok(())
}

/// Notes, in the transaction that accepts a document, what the request under this key has become.
pub(super) async fn accepted(
    connection: &mut Connection,
    tenant: &TenantId,
    reserved: &ReservedKey,
    job: JobId,
) -> Result<()> {
    let changed = sqlx::query(
        "UPDATE idempotency_keys SET job = $4, expires_at = $5 \
         WHERE tenant = $1 AND key = $2 AND request = $3 AND status IS NULL AND job IS NULL",
    )
    .bind(tenant.as_str())
    .bind(&reserved.key)
    .bind(&reserved.request.as_bytes()[..])
    .bind(uuid_value(job.uuid()))
    .bind(reserved.keep_until.as_millis())
    .execute(connection)
    .await?;
    if changed.rows_affected() == 0 { Err(Fail::conflict("the idempotency key is no longer reserved")) } else { Ok(()) }
}

pub(super) async fn finish(
    catalog: &Store,
    tenant: &TenantId,
    reserved: &ReservedKey,
    status: u16,
    location: Option<&str>,
    body: &str,
) -> Result<()> {
    let changed = sqlx::query(
        "UPDATE idempotency_keys SET status = $3, location = $4, body = $5, expires_at = $6 \
         WHERE tenant = $1 AND key = $2 AND request = $7 AND status IS NULL",
    )
    .bind(tenant.as_str())
    .bind(&reserved.key)
    .bind(i64::from(status))
    .bind(location)
    .bind(body)
    .bind(reserved.keep_until.as_millis())
    .bind(&reserved.request.as_bytes()[..])
    .execute(catalog.writer())
    .await?;
    if changed.rows_affected() == 0 { Err(Fail::not_found("reserved idempotency key")) } else { Ok(()) }
}

pub(super) async fn forget(catalog: &Store, tenant: &TenantId, key: &str) -> Result<()> {
    sqlx::query("DELETE FROM idempotency_keys WHERE tenant = $1 AND key = $2 AND status IS NULL AND job IS NULL")
        .bind(tenant.as_str())
        .bind(key)
        .execute(catalog.writer())
        .await?;
    Ok(())
}
