//! The audit log. The schema lets nobody change or remove an entry.

use sensorium_domain::TenantId;
use sensorium_domain::catalog::{AuditEntry, AuditRecord};

use super::{Row, Store};
use crate::columns::Columns;
use crate::error::Result;

fn read(row: &Row) -> Result<AuditRecord> {
    Ok(AuditRecord {
        number: row.count("number")?,
        entry: AuditEntry {
            at: row.time("at")?,
            actor: row.text("actor")?,
            action: row.text("action")?,
            subject: row.text("subject")?,
            request: row.maybe_text("request")?,
            detail: row.json("detail")?,
        },
    })
}

pub(super) async fn record(catalog: &Store, tenant: &TenantId, entry: &AuditEntry) -> Result<()> {
    sqlx::query(
        "INSERT INTO audit (tenant, at, actor, action, subject, request, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(tenant.as_str())
    .bind(entry.at.as_millis())
    .bind(entry.actor.as_str())
    .bind(entry.action.as_str())
    .bind(entry.subject.as_str())
    .bind(entry.request.as_deref())
    .bind(serde_json::to_string(&entry.detail)?)
    .execute(catalog.writer())
    .await?;
    Ok(())
}

pub(super) async fn list(
    catalog: &Store,
    tenant: &TenantId,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<AuditRecord>> {
    let before = before.and_then(|number| i64::try_from(number).ok()).unwrap_or(i64::MAX);
    sqlx::query(
        "SELECT number, at, actor, action, subject, request, detail FROM audit \
         WHERE tenant = $1 AND number < $2 ORDER BY number DESC LIMIT $3",
    )
    .bind(tenant.as_str())
    .bind(before)
    .bind(i64::from(limit))
    .fetch_all(catalog.reader())
    .await?
    .iter()
    .map(read)
    .collect()
}
