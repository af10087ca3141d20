//! Vectors kept by content: equal content under one model is encoded once.
//!
//! Vectors are put before the segments that use them are written, or with them, and an ingest may count on vectors that it found.
//! So none is removed when its last segment goes: its key becomes a candidate, and candidates without a segment go when
//! no ingest of the tenant is under way.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sensorium_domain::catalog::NewVector;
use sensorium_domain::{ContentKey, DocumentId, ModelName, TenantId};
use sqlx::QueryBuilder;

use super::dialect::{among, digest_list, exclude_leases, for_update_by, uuid_list};
use super::jobs::{self, ingest_under_way};
use super::{Connection, Database, ROWS, Store};
use crate::columns::Columns;
use crate::error::Result;
use crate::gathering::{Answers, Together, each};
use crate::half_floats::{decode, encode};

/// The kept vectors of some contents.
pub(super) struct Get(pub(super) Vec<ContentKey>);

impl Together for Get {
    type Store = Store;
    type Lane = (TenantId, ModelName);
    type Answer = Vec<Option<Vec<f32>>>;

    async fn run(catalog: &Store, (tenant, model): &Self::Lane, calls: &[Self]) -> Answers<Self::Answer> {
        let keys: BTreeSet<_> = calls.iter().flat_map(|call| &call.0).collect();
        let mut found = HashMap::with_capacity(keys.len());
        for row in sqlx::query(concat!(
            "SELECT v.content, v.vector FROM vectors v WHERE v.tenant = $1 AND ",
            among!("v.content", "$2"),
            " AND v.model = (SELECT id FROM models WHERE name = $3)"
        ))
        .bind(tenant.as_str())
        .bind(digest_list(keys.into_iter().map(ContentKey::as_bytes)))
        .bind(model.0.as_str())
        .fetch_all(catalog.reader_by_key())
        .await?
        {
            found.insert(ContentKey::from_bytes(row.digest("content")?), decode(&row.bytes("vector")?)?);
        }
        Ok(each(calls, |call| Ok(call.0.iter().map(|key| found.get(key).cloned()).collect())))
    }
}

/// Vectors to keep.
pub(super) struct Put(pub(super) Vec<(ContentKey, Vec<f32>)>);

impl Together for Put {
    type Store = Store;
    type Lane = (TenantId, ModelName);
    type Answer = ();

    async fn run(catalog: &Store, (tenant, model): &Self::Lane, calls: &[Self]) -> Answers<()> {
        // Each key once and in order: a statement writes a row once.
        let encoded: BTreeMap<_, _> =
            calls.iter().flat_map(|call| &call.0).map(|(key, vector)| (*key, encode(vector))).collect();
        let encoded: Vec<_> = encoded.into_iter().collect();
        let mut tx = catalog.begin_beside_unpromised(tenant).await?;
        write(&mut tx, tenant, model, &encoded).await?;
        for rows in encoded.chunks(ROWS) {
            let mut sql = QueryBuilder::<Database>::new("INSERT INTO vector_candidates (tenant, content) ");
            sql.push_values(rows, |mut row, (key, _)| {
                row.push_bind(tenant.as_str()).push_bind(&key.as_bytes()[..]);
            });
            sql.push(" ON CONFLICT DO NOTHING");
            sql.build().persistent(false).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(each(calls, |_| Ok(())))
    }
}

/// Keeps vectors with the segments that use them, which are written in the same transaction: they are never candidates.
pub(super) async fn keep(
    connection: &mut Connection,
    tenant: &TenantId,
    vectors: impl Iterator<Item = &NewVector>,
) -> Result<()> {
    let mut by_model: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for NewVector { model, content, vector } in vectors {
        by_model.entry(model).or_default().insert(*content, encode(vector));
    }
    for (model, encoded) in by_model {
        write(connection, tenant, model, &encoded.into_iter().collect::<Vec<_>>()).await?;
    }
    Ok(())
}

/// Writes vectors of a model, each key once and in order.
async fn write(
    connection: &mut Connection,
    tenant: &TenantId,
    model: &ModelName,
    encoded: &[(ContentKey, Vec<u8>)],
) -> Result<()> {
    let model = number_of(connection, model).await?;
    for rows in encoded.chunks(ROWS) {
        let mut sql = QueryBuilder::<Database>::new("INSERT INTO vectors (tenant, content, model, vector) ");
        sql.push_values(rows, |mut row, (key, vector)| {
            row.push_bind(tenant.as_str()).push_bind(&key.as_bytes()[..]).push_bind(model).push_bind(vector.as_slice());
        });
        sql.push(" ON CONFLICT (tenant, content, model) DO UPDATE SET vector = excluded.vector");
        sql.build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

/// A model's number, given to it when it is first seen.
async fn number_of(connection: &mut Connection, model: &ModelName) -> Result<i64> {
    const FIND: &str = "SELECT id FROM models WHERE name = $1";
    if let Some(row) = sqlx::query(FIND).bind(model.0.as_str()).fetch_optional(&mut *connection).await? {
        return row.int("id");
    }
    sqlx::query("INSERT INTO models (name) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(model.0.as_str())
        .execute(&mut *connection)
        .await?;
    sqlx::query(FIND).bind(model.0.as_str()).fetch_one(connection).await?.int("id")
}

/// The segments of these documents' version use their vectors: no candidates any more.
pub(super) async fn forget_candidates_of(
    connection: &mut Connection,
    tenant: &TenantId,
    documents: impl IntoIterator<Item = DocumentId>,
    version: u32,
) -> Result<()> {
    sqlx::query(concat!(
        "DELETE FROM vector_candidates WHERE tenant = $1 AND content IN \
         (SELECT c.content FROM vector_candidates c WHERE c.tenant = $1 \
          AND c.content IN (SELECT content FROM segments WHERE ",
        among!("document", "$2"),
        " AND version = $3)",
        for_update_by!("c.content"),
        ")"
    ))
    .bind(tenant.as_str())
    .bind(uuid_list(documents.into_iter().map(DocumentId::uuid)))
    .bind(i64::from(version))
    .execute(connection)
    .await?;
    Ok(())
}

/// Sweeps in a transaction of its own, if there is something to sweep and no ingest of the tenant is under way.
pub(super) async fn sweep_when_idle(catalog: &Store, tenant: &TenantId) -> Result<()> {
    let row = sqlx::query(concat!(
        "SELECT EXISTS (SELECT 1 FROM vector_candidates WHERE tenant = $1) AND NOT (",
        ingest_under_way!(),
        ") AS due"
    ))
    .bind(tenant.as_str())
    .fetch_one(catalog.reader_by_key())
    .await?;
    if !row.flag("due")? {
        return Ok(());
    }
    let mut tx = catalog.begin(tenant).await?;
    sweep(&mut tx, tenant).await?;
    tx.commit().await?;
    Ok(())
}

/// Removes the candidates' vectors that no segment of the tenant uses, unless an ingest of the tenant is under way.
pub(super) async fn sweep(connection: &mut Connection, tenant: &TenantId) -> Result<()> {
    exclude_leases(connection, tenant).await?;
    if jobs::is_ingest_under_way(connection, tenant).await? {
        return Ok(());
    }
    sqlx::query(
        "DELETE FROM vectors WHERE tenant = $1 AND content IN (SELECT c.content FROM vector_candidates c \
         WHERE c.tenant = $1 AND NOT EXISTS (SELECT 1 FROM segments s WHERE s.tenant = $1 AND s.content = c.content))",
    )
    .bind(tenant.as_str())
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM vector_candidates WHERE tenant = $1").bind(tenant.as_str()).execute(connection).await?;
    Ok(())
}
