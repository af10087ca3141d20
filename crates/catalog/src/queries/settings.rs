//! Numbers.

use sensorium_domain::TenantId;
use sensorium_domain::catalog::{CatalogStats, Usage};

use super::{Connection, Store};
use crate::columns::Columns;
use crate::error::Result;

pub(super) async fn stats(catalog: &Store, tenant: &TenantId) -> Result<CatalogStats> {
    let row = sqlx::query(
        "SELECT \
         (SELECT count(*) FROM collections WHERE tenant = $1 AND NOT deleting) AS collections, \
         coalesce((SELECT documents FROM usage WHERE tenant = $1), 0) AS documents, \
         coalesce((SELECT blob_bytes FROM usage WHERE tenant = $1), 0) AS blob_bytes, \
         (SELECT CAST(coalesce(sum(p.segments), 0) AS BIGINT) FROM documents d \
          JOIN parts p ON p.document = d.id AND p.version = d.live_version \
          WHERE d.tenant = $1 AND d.status <> 'deleting') AS segments, \
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

pub(super) async fn usage(catalog: &Store, tenant: &TenantId) -> Result<Usage> {
    usage_with(&mut *catalog.reader().acquire().await?, tenant).await
}

pub(super) async fn usage_with(connection: &mut Connection, tenant: &TenantId) -> Result<Usage> {
    let row = sqlx::query("SELECT documents, blob_bytes FROM usage WHERE tenant = $1")
        .bind(tenant.as_str())
        .fetch_optional(connection)
        .await?;
    row.map_or_else(
        || Ok(Usage::default()),
        |row| Ok(Usage { documents: row.count("documents")?, blob_bytes: row.count("blob_bytes")? }),
    )
}

pub(super) async fn ping(catalog: &Store) -> Result<()> {
    sqlx::query("SELECT 1 FROM generations LIMIT 1").fetch_optional(catalog.reader()).await?;
    Ok(())
}
