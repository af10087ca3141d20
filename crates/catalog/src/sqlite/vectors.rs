//! Vectors kept by content: equal content under one model is encoded once.
//!
//! Vectors are put before the segments that use them are written, and an ingest may count on vectors that it found.
//! So none is removed when its last segment goes: its key becomes a candidate, and candidates without a segment go when
//! no ingest of the tenant is under way.

use std::collections::HashMap;

use half::f16;
use sensorium_domain::{ContentKey, DocumentId, ModelName, TenantId};
use sqlx::SqliteConnection;

use super::error::{Fail, Result};
use super::rows::{Columns, blob, hex_list};
use super::{SqliteCatalog, jobs};

fn encode(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect()
}

fn decode(bytes: &[u8]) -> Result<Vec<f32>> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Fail::corrupt("vector", format!("{} bytes", bytes.len())));
    }
    Ok(pairs.iter().map(|pair| f16::from_le_bytes(*pair).to_f32()).collect())
}

pub(super) async fn get(
    catalog: &SqliteCatalog,
    tenant: &TenantId,
    model: &ModelName,
    keys: &[ContentKey],
) -> Result<Vec<Option<Vec<f32>>>> {
    let mut found = HashMap::with_capacity(keys.len());
    for row in sqlx::query(
        "SELECT v.content, v.vector FROM vectors v WHERE v.tenant = ?1 \
         AND v.content IN (SELECT unhex(value) FROM json_each(?2)) \
         AND v.model = (SELECT id FROM models WHERE name = ?3)",
    )
    .bind(tenant.as_str())
    .bind(hex_list(keys.iter().map(|key| &key.as_bytes()[..])))
    .bind(model.0.as_str())
    .fetch_all(&catalog.readers)
    .await?
    {
        found.insert(ContentKey::from_bytes(row.digest("content")?), decode(&row.bytes("vector")?)?);
    }
    Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
}

pub(super) async fn put(
    catalog: &SqliteCatalog,
    tenant: &TenantId,
    model: &ModelName,
    vectors: &[(ContentKey, Vec<f32>)],
) -> Result<()> {
    let encoded: Vec<_> = vectors.iter().map(|(key, vector)| (key, encode(vector))).collect();
    let mut tx = catalog.begin().await?;
    sqlx::query("INSERT INTO models (name) VALUES (?1) ON CONFLICT DO NOTHING")
        .bind(model.0.as_str())
        .execute(&mut *tx)
        .await?;
    let model = sqlx::query("SELECT id FROM models WHERE name = ?1").bind(model.0.as_str()).fetch_one(&mut *tx).await?;
    let model = model.int("id")?;
    for (key, vector) in encoded {
        sqlx::query(
            "INSERT INTO vectors (tenant, content, model, vector) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT DO UPDATE SET vector = excluded.vector",
        )
        .bind(tenant.as_str())
        .bind(&key.as_bytes()[..])
        .bind(model)
        .bind(vector)
        .execute(&mut *tx)
        .await?;
        sqlx::query("INSERT INTO vector_candidates (tenant, content) VALUES (?1, ?2) ON CONFLICT DO NOTHING")
            .bind(tenant.as_str())
            .bind(&key.as_bytes()[..])
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(())
}

/// The segments of a version use their vectors: no candidates any more.
pub(super) async fn forget_candidates_of(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    document: DocumentId,
    version: u32,
) -> Result<()> {
    sqlx::query(
        "DELETE FROM vector_candidates WHERE tenant = ?1 \
         AND content IN (SELECT content FROM segments WHERE document = ?2 AND version = ?3)",
    )
    .bind(tenant.as_str())
    .bind(blob(document.uuid()))
    .bind(version)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes the candidates' vectors that no segment of the tenant uses, unless an ingest of the tenant is under way.
pub(super) async fn sweep(connection: &mut SqliteConnection, tenant: &TenantId) -> Result<()> {
    if jobs::ingest_under_way(connection, tenant).await? {
        return Ok(());
    }
    sqlx::query(
        "DELETE FROM vectors WHERE tenant = ?1 AND content IN (SELECT c.content FROM vector_candidates c \
         WHERE c.tenant = ?1 AND NOT EXISTS (SELECT 1 FROM segments s WHERE s.tenant = ?1 AND s.content = c.content))",
    )
    .bind(tenant.as_str())
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM vector_candidates WHERE tenant = ?1").bind(tenant.as_str()).execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn halves_survive_and_torn_vectors_are_refused() {
        let vector = vec![0.0, -1.0, 0.5, 0.099_975_586];
        assert_eq!(decode(&encode(&vector)).unwrap(), vector);
        assert!(decode(&[0, 1, 2]).is_err());
    }
}
