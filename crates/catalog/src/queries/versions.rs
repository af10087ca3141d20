//! What becomes of a document's version whose ingest did not end well.

use std::collections::HashMap;

use sensorium_domain::document::PartError;
use sensorium_domain::{DocumentId, DocumentStatus, JobKind, TenantId};

use super::Connection;
use super::dialect::{among, uuid_list, uuid_value};
use crate::columns::Columns;
use crate::error::{Fail, Result};

/// The code of parts whose ingest was given up.
const GIVEN_UP: &str = "ingest_failed";

/// Why an ingest was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Abandoned {
    /// Somebody asked, or a newer version took its place.
    Cancelled,
    /// It failed for good.
    Failed(String),
}

impl Abandoned {
    fn part_error(&self) -> PartError {
        let (code, detail) = match self {
            Self::Cancelled => ("cancelled", "the ingest was stopped"),
            Self::Failed(error) => (GIVEN_UP, error.as_str()),
        };
        PartError { code: code.to_owned(), detail: detail.to_owned() }
    }
}

/// The versions of a document.
pub(super) struct Versions {
    pub(super) status: DocumentStatus,
    pub(super) newest: u32,
    pub(super) live: Option<u32>,
}

pub(super) async fn of_document(
    connection: &mut Connection,
    tenant: &TenantId,
    document: DocumentId,
) -> Result<Option<Versions>> {
    Ok(of_documents(connection, tenant, [document]).await?.remove(&document))
}

pub(super) async fn of_documents(
    connection: &mut Connection,
    tenant: &TenantId,
    documents: impl IntoIterator<Item = DocumentId>,
) -> Result<HashMap<DocumentId, Versions>> {
    sqlx::query(concat!(
        "SELECT id, status, version, live_version FROM documents WHERE ",
        among!("id", "$1"),
        " AND tenant || '' = $2"
    ))
    .bind(uuid_list(documents.into_iter().map(DocumentId::uuid)))
    .bind(tenant.as_str())
    .fetch_all(connection)
    .await?
    .iter()
    .map(|row| {
        let live = row.maybe_int("live_version")?.map(|version| version as u32);
        let versions = Versions { status: row.word("status")?, newest: row.count("version")?, live };
        Ok((DocumentId::from_uuid(row.uuid("id")?), versions))
    })
    .collect()
}

/// Settles the document of an ingest that was given up. A version that another has overtaken goes without a trace. The
/// newest one leaves the document at its live version, if it has one. Of one that failed the parts stay and say why, so
/// that it can be tried again.
pub(super) async fn abandon(
    connection: &mut Connection,
    tenant: &TenantId,
    kind: &JobKind,
    why: &Abandoned,
) -> Result<()> {
    let JobKind::Ingest { document, version } = *kind else {
        return Ok(());
    };
    let Some(versions) = of_document(connection, tenant, document).await? else {
        return Ok(());
    };
    if versions.status == DocumentStatus::Deleting || versions.live == Some(version) {
        return Ok(());
    }
    if version < versions.newest {
        return remove_parts(connection, document, version).await;
    }
    if versions.live.is_some() && *why == Abandoned::Cancelled {
        remove_parts(connection, document, version).await?;
        return set_status_of_live_version(connection, document).await;
    }
    sqlx::query(
        "UPDATE parts SET status = 'failed', error = $3 WHERE document = $1 AND version = $2 AND status = 'pending'",
    )
    .bind(uuid_value(document.uuid()))
    .bind(i64::from(version))
    .bind(serde_json::to_string(&why.part_error())?)
    .execute(&mut *connection)
    .await?;
    let status = if versions.live.is_some() { DocumentStatus::Partial } else { DocumentStatus::Failed };
    set_status(connection, document, status).await
}

async fn set_status(connection: &mut Connection, document: DocumentId, status: DocumentStatus) -> Result<()> {
    sqlx::query("UPDATE documents SET status = $2 WHERE id = $1")
        .bind(uuid_value(document.uuid()))
        .bind(status.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Makes a version whose ingest failed wait for another: what [`abandon`] did is undone.
pub(super) async fn revive(
    connection: &mut Connection,
    tenant: &TenantId,
    document: DocumentId,
    version: u32,
) -> Result<()> {
    let versions = of_document(connection, tenant, document).await?;
    let Some(versions) = versions.filter(|found| found.status != DocumentStatus::Deleting) else {
        return Err(Fail::conflict("the document is gone or is being deleted"));
    };
    if version != versions.newest {
        return Err(Fail::conflict(format!("the document has a newer version, {}", versions.newest)));
    }
    let rows = sqlx::query("SELECT id, error FROM parts WHERE document = $1 AND version = $2 AND status = 'failed'")
        .bind(uuid_value(document.uuid()))
        .bind(i64::from(version))
        .fetch_all(&mut *connection)
        .await?;
    for row in rows {
        // Others were refused on sight, and stay so.
        if row.json::<PartError>("error")?.code == GIVEN_UP {
            sqlx::query("UPDATE parts SET status = 'pending', error = NULL WHERE id = $1")
                .bind(uuid_value(row.uuid("id")?))
                .execute(&mut *connection)
                .await?;
        }
    }
    set_status(connection, document, DocumentStatus::Processing).await
}

async fn remove_parts(connection: &mut Connection, document: DocumentId, version: u32) -> Result<()> {
    sqlx::query("DELETE FROM parts WHERE document = $1 AND version = $2")
        .bind(uuid_value(document.uuid()))
        .bind(i64::from(version))
        .execute(connection)
        .await?;
    Ok(())
}

/// Ready or partial, by the parts of the live version.
async fn set_status_of_live_version(connection: &mut Connection, document: DocumentId) -> Result<()> {
    sqlx::query(
        "UPDATE documents SET status = CASE WHEN EXISTS (SELECT 1 FROM parts p \
         WHERE p.document = documents.id AND p.version = documents.live_version AND p.status = 'failed') \
         THEN 'partial' ELSE 'ready' END WHERE id = $1",
    )
    .bind(uuid_value(document.uuid()))
    .execute(connection)
    .await?;
    Ok(())
}
