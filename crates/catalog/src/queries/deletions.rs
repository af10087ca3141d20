//! The ends of deletions: a document goes, a collection goes.

use sensorium_domain::catalog::Lease;
use sensorium_domain::{CollectionName, DocumentId, DocumentStatus, JobKind, JobState, TenantId, Timestamp};

use super::dialect::uuid_value;
use super::endings::{ANY, remove_segments};
use super::{Connection, Store, conclude, leases, vectors, versions};
use crate::columns::Columns;
use crate::error::{Fail, Result};

pub(super) async fn finish_delete(catalog: &Store, lease: &Lease, document: DocumentId) -> Result<()> {
    let now = catalog.now();
    let mut tx = catalog.begin(&lease.tenant).await?;
    let finished = finish_delete_with(catalog, &mut tx, lease, document, now).await;
    conclude(tx, finished).await
}

async fn finish_delete_with(
    catalog: &Store,
    connection: &mut Connection,
    lease: &Lease,
    document: DocumentId,
    now: Timestamp,
) -> Result<()> {
    leases::check_may_finish(catalog, connection, lease).await?;
    if lease.job.kind != (JobKind::Delete { document }) {
        return Err(Fail::conflict("the job is not the deletion of this document"));
    }
    remove_rows(connection, &lease.tenant, document).await?;
    leases::close(connection, lease, JobState::Succeeded, &[], None, now).await?;
    vectors::sweep(connection, &lease.tenant).await
}

pub(super) async fn remove_document(catalog: &Store, lease: &Lease, document: DocumentId) -> Result<()> {
    let mut tx = catalog.begin(&lease.tenant).await?;
    let removed = remove_document_with(catalog, &mut tx, lease, document).await;
    conclude(tx, removed).await
}

async fn remove_document_with(
    catalog: &Store,
    connection: &mut Connection,
    lease: &Lease,
    document: DocumentId,
) -> Result<()> {
    leases::check_may_finish(catalog, connection, lease).await?;
    if !matches!(lease.job.kind, JobKind::DeleteCollection { .. }) {
        return Err(Fail::conflict("the job is not the deletion of a collection"));
    }
    remove_rows(connection, &lease.tenant, document).await?;
    vectors::sweep(connection, &lease.tenant).await
}

/// Removes the rows of a document that is being deleted. That it is gone already is no error.
async fn remove_rows(connection: &mut Connection, tenant: &TenantId, document: DocumentId) -> Result<()> {
    let Some(versions) = versions::of_document(connection, tenant, document).await? else {
        return Ok(());
    };
    if versions.status != DocumentStatus::Deleting {
        return Err(Fail::conflict("the document is not being deleted"));
    }
    remove_segments(connection, tenant, document, 0..=versions.newest, ANY).await?;
    for statement in ["DELETE FROM parts WHERE document = $1", "DELETE FROM documents WHERE id = $1"] {
        sqlx::query(statement).bind(uuid_value(document.uuid())).execute(&mut *connection).await?;
    }
    Ok(())
}

pub(super) async fn doomed_documents(
    catalog: &Store,
    tenant: &TenantId,
    collection: &CollectionName,
    limit: u32,
) -> Result<Vec<DocumentId>> {
    sqlx::query(
        "SELECT id FROM documents WHERE tenant = $1 AND collection = $2 AND status = 'deleting' ORDER BY id LIMIT $3",
    )
    .bind(tenant.as_str())
    .bind(collection.as_str())
    .bind(i64::from(limit))
    .fetch_all(catalog.reader())
    .await?
    .iter()
    .map(|row| Ok(DocumentId::from_uuid(row.uuid("id")?)))
    .collect()
}

pub(super) async fn finish_delete_collection(
    catalog: &Store,
    lease: &Lease,
    collection: &CollectionName,
) -> Result<()> {
    let now = catalog.now();
    let mut tx = catalog.begin(&lease.tenant).await?;
    let finished = finish_delete_collection_with(catalog, &mut tx, lease, collection, now).await;
    conclude(tx, finished).await
}

async fn finish_delete_collection_with(
    catalog: &Store,
    connection: &mut Connection,
    lease: &Lease,
    collection: &CollectionName,
    now: Timestamp,
) -> Result<()> {
    leases::check_may_finish(catalog, connection, lease).await?;
    if !matches!(&lease.job.kind, JobKind::DeleteCollection { collection: leased } if leased == collection) {
        return Err(Fail::conflict("the job is not the deletion of this collection"));
    }
    let occupied = sqlx::query("SELECT 1 FROM documents WHERE tenant = $1 AND collection = $2 LIMIT 1")
        .bind(lease.tenant.as_str())
        .bind(collection.as_str())
        .fetch_optional(&mut *connection)
        .await?;
    if occupied.is_some() {
        return Err(Fail::conflict(format!("the collection \"{collection}\" has documents")));
    }
    sqlx::query("DELETE FROM collections WHERE tenant = $1 AND name = $2 AND deleting")
        .bind(lease.tenant.as_str())
        .bind(collection.as_str())
        .execute(&mut *connection)
        .await?;
    leases::close(connection, lease, JobState::Succeeded, &[], None, now).await
}
