//! Generations: one is live, another may be built beside it and take its place, the one before stays to go back to.

use sensorium_domain::catalog::{Generation, GenerationState, Lease, Recall, Staged, Unstaged};
use sensorium_domain::{DocumentId, JobKind, JobState, ModelName, TenantId};

use super::dialect::{exclude_all_leases, for_share, for_update, row_number, uuid_value};
use super::{Connection, Row, Store, documents, endings, leases, vectors};
use crate::columns::Columns;
use crate::error::{Fail, Result, is_duplicate};

macro_rules! select_generation {
    ($tail:literal) => {
        concat!(
            "SELECT number, profile, source, towers, state, recall, min_overlap, created_at FROM generations ",
            $tail
        )
    };
}

fn read(row: &Row) -> Result<Generation> {
    let recall = row.maybe_text("recall")?;
    Ok(Generation {
        number: row.count("number")?,
        profile: row.text("profile")?,
        source: row.maybe_text("source")?,
        towers: row.json("towers")?,
        state: row.word("state")?,
        recall: recall.map(|json| serde_json::from_str(&json)).transpose()?,
        min_overlap: row.json("min_overlap")?,
        created_at: row.time("created_at")?,
    })
}

pub(in super::super) async fn live(catalog: &Store) -> Result<Option<Generation>> {
    let row = sqlx::query(select_generation!("WHERE state = 'live'")).fetch_optional(catalog.reader()).await?;
    row.as_ref().map(read).transpose()
}

pub(super) async fn all(catalog: &Store) -> Result<Vec<Generation>> {
    let rows = sqlx::query(select_generation!("ORDER BY number")).fetch_all(catalog.reader()).await?;
    rows.iter().map(read).collect()
}

pub(super) async fn put(catalog: &Store, generation: &Generation) -> Result<()> {
    let put = sqlx::query(
        "INSERT INTO generations (number, profile, source, towers, state, min_overlap, created_at) \
         SELECT CAST($1 AS BIGINT), $2, $3, $4, $5, $6, CAST($7 AS BIGINT) \
         WHERE NOT EXISTS (SELECT 1 FROM generations WHERE number >= $1)",
    )
    .bind(i64::from(generation.number))
    .bind(generation.profile.as_str())
    .bind(generation.source.as_deref())
    .bind(serde_json::to_string(&generation.towers)?)
    .bind(generation.state.as_str())
    .bind(serde_json::to_string(&generation.min_overlap)?)
    .bind(generation.created_at.as_millis())
    .execute(catalog.writer())
    .await;
    match put {
        Ok(done) if done.rows_affected() > 0 => Ok(()),
        Err(error) if !is_duplicate(&error) => Err(error.into()),
        _ => Err(Fail::conflict(format!(
            "there is a generation {} or a later one, or another that is live",
            generation.number
        ))),
    }
}

/// What a process learns that loads a generation which nobody had loaded before, and what is asked of it.
pub(super) async fn describe(catalog: &Store, generation: &Generation) -> Result<()> {
    sqlx::query(
        "UPDATE generations SET profile = $2, towers = $3, min_overlap = $4 WHERE number = $1 AND state <> 'live'",
    )
    .bind(i64::from(generation.number))
    .bind(generation.profile.as_str())
    .bind(serde_json::to_string(&generation.towers)?)
    .bind(serde_json::to_string(&generation.min_overlap)?)
    .execute(catalog.writer())
    .await?;
    Ok(())
}

macro_rules! live_number {
    ($lock:expr) => {
        concat!("SELECT number FROM generations WHERE state = 'live'", $lock)
    };
}

/// Refuses the end of a job that was worked on for a generation which is live no more: its process has still to follow. Until the transaction
/// ends, no other generation becomes live.
pub(super) async fn check_current(catalog: &Store, connection: &mut Connection, lease: &Lease) -> Result<()> {
    if matches!(lease.job.kind, JobKind::Reindex { .. }) {
        return Ok(());
    }
    let live = match live_number(connection, live_number!(for_share!())).await? {
        // A switch that this waited for has taken the row out of the answer: look again.
        None => live_number(connection, live_number!("")).await?,
        live => live,
    };
    if live.is_none_or(|live| live == catalog.generation) { Ok(()) } else { Err(Fail::lease_lost()) }
}

async fn live_number(connection: &mut Connection, statement: &'static str) -> Result<Option<u32>> {
    let row = sqlx::query(statement).fetch_optional(connection).await?;
    row.map(|row| row.count("number")).transpose()
}

/// Which jobs a handle may take.
pub(super) enum MayTake {
    All,
    /// A generation is about to be live: the others wait for that.
    Reindexes,
    /// Another generation than the handle's is live.
    None,
}

/// Asked in the transaction that takes them.
pub(super) async fn may_take(catalog: &Store, connection: &mut Connection) -> Result<MayTake> {
    let rows = sqlx::query("SELECT number, state FROM generations WHERE state IN ('live', 'switching')")
        .fetch_all(connection)
        .await?;
    let mut may_take = MayTake::All;
    for row in rows {
        match row.word::<GenerationState>("state")? {
            GenerationState::Switching => may_take = MayTake::Reindexes,
            _ if row.count::<u32>("number")? != catalog.generation => return Ok(MayTake::None),
            _ => {}
        }
    }
    Ok(may_take)
}

/// Documents that have a live version, and that the generation has not as they are now. What a version that waits for its ingest has changed
/// comes with that.
macro_rules! unstaged {
    ($what:literal, $tail:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM documents d \
             LEFT JOIN generation_documents g ON g.generation = $1 AND g.document = d.id \
             WHERE d.live_version IS NOT NULL AND d.status <> 'deleting' \
             AND (g.document IS NULL OR g.version <> d.live_version \
                  OR (g.updated_at <> d.updated_at AND d.version = d.live_version))",
            $tail
        )
    };
}

pub(super) async fn unstaged(
    catalog: &Store,
    generation: u32,
    after: Option<DocumentId>,
    limit: u32,
) -> Result<Vec<Unstaged>> {
    let rows = sqlx::query(unstaged!(
        "d.tenant, d.id, d.collection, d.external_id, d.title, d.tags, d.metadata, d.status, d.version, \
         d.created_at, d.updated_at, d.live_version, g.version AS staged_version",
        " AND d.id > $2 ORDER BY d.id LIMIT $3"
    ))
    .bind(i64::from(generation))
    .bind(uuid_value(after.map_or(uuid::Uuid::nil(), DocumentId::uuid)))
    .bind(i64::from(limit))
    .fetch_all(catalog.reader())
    .await?;
    let unstaged = rows.iter().map(|row| {
        Ok(Unstaged {
            tenant: row.word("tenant")?,
            document: documents::read(row)?,
            version: row.count("live_version")?,
            had_another: row.maybe_int("staged_version")?.is_some(),
        })
    });
    unstaged.collect()
}

pub(super) async fn count_unstaged(catalog: &Store, generation: u32) -> Result<u64> {
    count_unstaged_with(&mut *catalog.reader().acquire().await?, generation).await
}

async fn count_unstaged_with(connection: &mut Connection, generation: u32) -> Result<u64> {
    sqlx::query(unstaged!("count(*) AS documents", ""))
        .bind(i64::from(generation))
        .fetch_one(connection)
        .await?
        .count("documents")
}

pub(super) async fn stage(catalog: &Store, lease: &Lease, staged: Staged) -> Result<()> {
    let Staged { tenant, document, version, updated_at, segments } = staged;
    let mut tx = catalog.begin(&tenant).await?;
    leases::check_held(&mut tx, lease).await?;
    let is_live = sqlx::query("SELECT 1 FROM documents WHERE id = $1 AND live_version = $2 AND status <> 'deleting'")
        .bind(uuid_value(document.uuid()))
        .bind(i64::from(version))
        .fetch_optional(&mut *tx)
        .await?;
    if is_live.is_none() {
        // It has gone or moved on meanwhile; what was made of it is found by a later look.
        return Ok(());
    }
    let generation = catalog.generation..=catalog.generation;
    endings::remove_segments(&mut tx, &tenant, document, endings::ANY, generation).await?;
    let segments: Vec<_> = segments.iter().enumerate().collect();
    endings::insert_segments(catalog, &mut tx, &tenant, version, &segments).await?;
    sqlx::query(
        "INSERT INTO generation_documents (generation, document, tenant, version, updated_at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (generation, document) DO UPDATE \
         SET version = excluded.version, updated_at = excluded.updated_at",
    )
    .bind(i64::from(catalog.generation))
    .bind(uuid_value(document.uuid()))
    .bind(tenant.as_str())
    .bind(i64::from(version))
    .bind(updated_at.as_millis())
    .execute(&mut *tx)
    .await?;
    vectors::forget_candidates_of(&mut tx, &tenant, [document], version).await?;
    tx.commit().await?;
    Ok(())
}

/// That a document which a generation has is no more.
macro_rules! gone {
    () => {
        "g.generation = $1 AND NOT EXISTS \
         (SELECT 1 FROM documents d WHERE d.id = g.document AND d.live_version IS NOT NULL AND d.status <> 'deleting')"
    };
}

/// Documents that the generation has and that are no more.
pub(super) async fn gone(catalog: &Store, generation: u32, limit: u32) -> Result<Vec<(TenantId, DocumentId)>> {
    let rows =
        sqlx::query(concat!("SELECT g.tenant, g.document FROM generation_documents g WHERE ", gone!(), " LIMIT $2"))
            .bind(i64::from(generation))
            .bind(i64::from(limit))
            .fetch_all(catalog.reader())
            .await?;
    rows.iter().map(|row| Ok((row.word("tenant")?, DocumentId::from_uuid(row.uuid("document")?)))).collect()
}

pub(super) async fn forget(catalog: &Store, generation: u32, document: Option<DocumentId>) -> Result<()> {
    forget_with(&mut *catalog.writer().acquire().await?, generation, document).await
}

async fn forget_with(connection: &mut Connection, generation: u32, document: Option<DocumentId>) -> Result<()> {
    let delete = match document {
        Some(document) => sqlx::query("DELETE FROM generation_documents WHERE generation = $1 AND document = $2")
            .bind(i64::from(generation))
            .bind(uuid_value(document.uuid())),
        None => sqlx::query("DELETE FROM generation_documents WHERE generation = $1").bind(i64::from(generation)),
    };
    delete.execute(connection).await?;
    Ok(())
}

pub(super) async fn hold_jobs(catalog: &Store, lease: &Lease, generation: u32) -> Result<u64> {
    let mut tx = catalog.begin(&lease.tenant).await?;
    leases::check_held(&mut tx, lease).await?;
    exclude_all_leases(&mut tx).await?;
    sqlx::query("UPDATE generations SET state = 'switching' WHERE number = $1 AND state <> 'live'")
        .bind(i64::from(generation))
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    sqlx::query(
        "SELECT count(*) AS jobs FROM jobs WHERE state = 'running' AND finished_at IS NULL AND ready_at > $2 AND id <> $1",
    )
    .bind(uuid_value(lease.job.id.uuid()))
    .bind(catalog.now().as_millis())
    .fetch_one(catalog.reader())
    .await?
    .count("jobs")
}

/// Other jobs need wait no longer for a reindex that ends without a switch.
pub(super) async fn release_jobs(connection: &mut Connection, lease: &Lease) -> Result<()> {
    let JobKind::Reindex { generation } = lease.job.kind else { return Ok(()) };
    sqlx::query("UPDATE generations SET state = 'building' WHERE number = $1 AND state = 'switching'")
        .bind(i64::from(generation))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn switch(catalog: &Store, lease: &Lease, number: u32, recall: Option<&Recall>) -> Result<()> {
    let now = catalog.now();
    let mut tx = catalog.begin(&lease.tenant).await?;
    leases::check_held(&mut tx, lease).await?;
    // The rows are locked first: whoever ends a job holds the live one until it has, and then this sees what it wrote.
    let before = live_number(&mut tx, live_number!(for_update!())).await?;
    if before == Some(number) {
        return Err(Fail::conflict(format!("generation {number} is live already")));
    }
    let unstaged = count_unstaged_with(&mut tx, number).await?;
    let gone = sqlx::query(concat!("SELECT count(*) AS documents FROM generation_documents g WHERE ", gone!()))
        .bind(i64::from(number))
        .fetch_one(&mut *tx)
        .await?
        .count::<u64>("documents")?;
    if unstaged + gone > 0 {
        return Err(Fail::conflict(format!("generation {number} lacks {unstaged} documents and has {gone} too many")));
    }
    if let Some(before) = before {
        // What the live one had by definition is written down, so that it can be brought up to date later.
        sqlx::query(
            "INSERT INTO generation_documents (generation, document, tenant, version, updated_at) \
             SELECT CAST($1 AS BIGINT), id, tenant, live_version, updated_at FROM documents \
             WHERE live_version IS NOT NULL AND status <> 'deleting'",
        )
        .bind(i64::from(before))
        .execute(&mut *tx)
        .await?;
        sqlx::query("UPDATE generations SET state = 'retired' WHERE number = $1")
            .bind(i64::from(before))
            .execute(&mut *tx)
            .await?;
    }
    forget_with(&mut tx, number, None).await?;
    let switched = sqlx::query("UPDATE generations SET state = 'live', recall = $2 WHERE number = $1")
        .bind(i64::from(number))
        .bind(recall.map(serde_json::to_string).transpose()?)
        .execute(&mut *tx)
        .await?;
    if switched.rows_affected() == 0 {
        return Err(Fail::not_found("generation"));
    }
    sqlx::query(
        "UPDATE parts SET segments = (SELECT count(*) FROM segments s WHERE s.document = parts.document \
         AND s.version = parts.version AND s.generation = $1 AND s.part = parts.id) WHERE status = 'ready'",
    )
    .bind(i64::from(number))
    .execute(&mut *tx)
    .await?;
    // What is being worked on for the one before is done again for this one; its workers lose it.
    sqlx::query(
        "UPDATE jobs SET ready_at = $2 WHERE state = 'running' AND finished_at IS NULL AND attempts > 0 AND id <> $1",
    )
    .bind(uuid_value(lease.job.id.uuid()))
    .bind(now.as_millis())
    .execute(&mut *tx)
    .await?;
    leases::close(&mut tx, lease, JobState::Succeeded, &[], None, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Rows of one statement.
const ROWS: i64 = 10_000;

pub(super) async fn drop_generation(catalog: &Store, number: u32) -> Result<()> {
    let state = sqlx::query("SELECT state FROM generations WHERE number = $1")
        .bind(i64::from(number))
        .fetch_optional(catalog.reader())
        .await?
        .ok_or_else(|| Fail::not_found("generation"))?
        .word::<GenerationState>("state")?;
    if state == GenerationState::Live {
        return Err(Fail::conflict(format!("generation {number} is live")));
    }
    remove_all_segments(catalog, number).await?;
    forget(catalog, number, None).await?;
    sqlx::query("DELETE FROM generations WHERE number = $1").bind(i64::from(number)).execute(catalog.writer()).await?;
    let kept = all(catalog).await?;
    let used = |model: &ModelName| kept.iter().any(|other| other.towers.iter().any(|(_, _, known)| known == model));
    for row in sqlx::query("SELECT id, name FROM models").fetch_all(catalog.reader()).await? {
        if !used(&ModelName(row.text("name")?)) {
            remove_vectors_of(catalog, row.int("id")?).await?;
        }
    }
    Ok(())
}

/// Walks the segments once, in pages; the vectors of those that go become candidates for the sweep.
async fn remove_all_segments(catalog: &Store, number: u32) -> Result<()> {
    let mut after = uuid::Uuid::nil();
    loop {
        let page = sqlx::query("SELECT id FROM segments WHERE id > $1 ORDER BY id LIMIT $2")
            .bind(uuid_value(after))
            .bind(ROWS)
            .fetch_all(catalog.reader())
            .await?;
        let Some(last) = page.last() else { return Ok(()) };
        let last = last.uuid("id")?;
        let mut tx = catalog.writer().begin().await?;
        for statement in [
            "INSERT INTO vector_candidates (tenant, content) SELECT tenant, content FROM segments \
             WHERE id > $1 AND id <= $2 AND generation = $3 ON CONFLICT DO NOTHING",
            "DELETE FROM segments WHERE id > $1 AND id <= $2 AND generation = $3",
        ] {
            sqlx::query(statement)
                .bind(uuid_value(after))
                .bind(uuid_value(last))
                .bind(i64::from(number))
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        after = last;
    }
}

async fn remove_vectors_of(catalog: &Store, model: i64) -> Result<()> {
    loop {
        let removed = sqlx::query(concat!(
            "DELETE FROM vectors WHERE ",
            row_number!(),
            " IN (SELECT ",
            row_number!(),
            " FROM vectors WHERE model = $1 LIMIT $2)"
        ))
        .bind(model)
        .bind(ROWS)
        .execute(catalog.writer())
        .await?
        .rows_affected();
        if removed == 0 {
            return Ok(());
        }
    }
}

pub(super) async fn note_queries(catalog: &Store, queries: &[(TenantId, String)], keep: u32) -> Result<()> {
    let mut tx = catalog.writer().begin().await?;
    for (tenant, query) in queries {
        sqlx::query("INSERT INTO recent_queries (tenant, query) VALUES ($1, $2)")
            .bind(tenant.as_str())
            .bind(query.as_str())
            .execute(&mut *tx)
            .await?;
    }
    sqlx::query("DELETE FROM recent_queries WHERE seq <= (SELECT max(seq) FROM recent_queries) - $1")
        .bind(i64::from(keep))
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

pub(super) async fn recent_queries(catalog: &Store, limit: u32) -> Result<Vec<(TenantId, String)>> {
    let rows = sqlx::query("SELECT tenant, query FROM recent_queries ORDER BY seq DESC LIMIT $1")
        .bind(i64::from(limit))
        .fetch_all(catalog.reader())
        .await?;
    rows.iter().map(|row| Ok((row.word("tenant")?, row.text("query")?))).collect()
}
