//! The audit log. The schema lets nobody change or remove an entry.

use sensorium_domain::TenantId;
use sensorium_domain::catalog::{AuditEntry, AuditRecord};
use sqlx::QueryBuilder;

use super::{Database, Row, Store};
use crate::columns::Columns;
use crate::error::Result;
use crate::gathering::{Answers, Together, each};

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

/// An entry to write.
pub(super) struct Record(pub(super) AuditEntry);

impl Together for Record {
    type Store = Store;
    type Lane = TenantId;
    type Answer = ();

    async fn run(catalog: &Store, tenant: &TenantId, calls: &[Self]) -> Answers<()> {
        let details = calls.iter().map(|call| serde_json::to_string(&call.0.detail)).collect::<Result<Vec<_>, _>>()?;
        let mut sql =
            QueryBuilder::<Database>::new("INSERT INTO audit (tenant, at, actor, action, subject, request, detail) ");
        sql.push_values(calls.iter().zip(&details), |mut row, (Self(entry), detail)| {
            row.push_bind(tenant.as_str())
                .push_bind(entry.at.as_millis())
                .push_bind(entry.actor.as_str())
                .push_bind(entry.action.as_str())
                .push_bind(entry.subject.as_str())
                .push_bind(entry.request.as_deref())
                .push_bind(detail.as_str());
        });
        sql.build().persistent(calls.len() == 1).execute(catalog.writer()).await?;
        Ok(each(calls, |_| Ok(())))
    }
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
