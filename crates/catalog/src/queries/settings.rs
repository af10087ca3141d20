//! Generations, numbers.

use sensorium_domain::TenantId;
use sensorium_domain::catalog::{CatalogStats, Generation, Usage};

use super::Store;
use crate::columns::Columns;
use crate::error::{Fail, Result, is_duplicate};

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
        "INSERT INTO generations (number, profile, towers, created_at) SELECT CAST($1 AS BIGINT), $2, $3, CAST($4 AS BIGINT) \
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
    let row = sqlx::query("SELECT documents, blob_bytes FROM usage WHERE tenant = $1")
        .bind(tenant.as_str())
        .fetch_optional(catalog.reader())
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
