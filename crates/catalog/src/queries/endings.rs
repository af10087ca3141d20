//! The end of an ingest: a version becomes live, and the last one goes.

use std::ops::RangeInclusive;

use sensorium_domain::catalog::{Lease, PartOutcome};
use sensorium_domain::document::{PartError, PartFacts};
use sensorium_domain::job::PartResult;
use sensorium_domain::{DocumentId, DocumentStatus, JobKind, JobState, Part, PartStatus, Segment, SegmentId, TenantId};
use sqlx::QueryBuilder;

use super::dialect::{storable, uuid_value};
use super::documents::{read_part, select_part};
use super::{Connection, Database, Store, leases, vectors, versions};
use crate::columns::Columns;
use crate::error::{Fail, Result};

/// Ends an ingest. The first version of a document has nothing that others could change meanwhile, and goes beside them.
///
/// The version becomes live unless all of its parts failed. If they did and an older version is live, that one stays,
/// and the document is `partial`; the parts of the failed version are kept to say why. While a newer version waits for
/// its own ingest, the document stays `processing`. A document that is being deleted is left alone.
pub(super) async fn finish_ingest(
    catalog: &Store,
    lease: &Lease,
    version: u32,
    outcomes: Vec<PartOutcome>,
) -> Result<()> {
    let now = catalog.now();
    let mut tx =
        if version == 1 { catalog.begin_beside(&lease.tenant).await? } else { catalog.begin(&lease.tenant).await? };
    leases::check_may_finish(catalog, &mut tx, lease).await?;
    let JobKind::Ingest { document, version: leased } = lease.job.kind else {
        return Err(Fail::conflict("the job is no ingest"));
    };
    if leased != version {
        return Err(Fail::conflict(format!("the job is the ingest of version {leased}, not {version}")));
    }
    let found = versions::of_document(&mut tx, &lease.tenant, document).await?;
    let Some(found) = found.filter(|found| found.status != DocumentStatus::Deleting) else {
        leases::close(&mut tx, lease, JobState::Cancelled, &[], None, now).await?;
        tx.commit().await?;
        return Ok(());
    };

    let settled = settle_parts(&mut tx, document, version, outcomes).await?;
    let all_failed = settled.failed > 0 && settled.ready == 0;
    let live = if all_failed { found.live.filter(|live| *live < version) } else { Some(version) };
    insert_segments(catalog, &mut tx, &lease.tenant, version, &settled.segments).await?;
    if version > 1 {
        remove_versions_before(&mut tx, &lease.tenant, document, version, live).await?;
    }
    let status = match live {
        _ if version < found.newest => DocumentStatus::Processing,
        None => DocumentStatus::Failed,
        Some(_) if settled.failed > 0 => DocumentStatus::Partial,
        Some(_) => DocumentStatus::Ready,
    };
    sqlx::query("UPDATE documents SET status = $2, live_version = $3 WHERE id = $1")
        .bind(uuid_value(document.uuid()))
        .bind(status.as_str())
        .bind(live.map(i64::from))
        .execute(&mut *tx)
        .await?;
    leases::close(&mut tx, lease, JobState::Succeeded, &settled.results, None, now).await?;
    vectors::forget_candidates_of(&mut tx, &lease.tenant, document, version).await?;
    tx.commit().await?;
    // The ingest has ended whatever becomes of this, and the end of the next one comes by here too.
    let _ = vectors::sweep_when_idle(catalog, &lease.tenant).await;
    Ok(())
}

/// What the parts of a version came to.
#[derive(Default)]
struct Settled {
    ready: usize,
    failed: usize,
    segments: Vec<Segment>,
    results: Vec<PartResult>,
}

/// Writes the outcome of every part. A part that was refused when the document was accepted may have none and stays as it
/// is; any other without an outcome has failed.
async fn settle_parts(
    connection: &mut Connection,
    document: DocumentId,
    version: u32,
    mut outcomes: Vec<PartOutcome>,
) -> Result<Settled> {
    let parts = sqlx::query(select_part!("WHERE p.document = $1 AND p.version = $2 ORDER BY p.ordinal"))
        .bind(uuid_value(document.uuid()))
        .bind(i64::from(version))
        .fetch_all(&mut *connection)
        .await?;
    let mut settled = Settled::default();
    for row in &parts {
        let part = read_part(row)?;
        let outcome = outcomes
            .iter()
            .position(|outcome| outcome.part == part.id)
            .map_or_else(|| without_outcome(&part), |index| outcomes.swap_remove(index));
        let (segments, error) = match outcome.result {
            Ok(mut segments) => {
                segments.sort_by_key(|segment| segment.ordinal);
                (segments, None)
            }
            Err(error) => (Vec::new(), Some(error)),
        };
        let status = if error.is_some() { PartStatus::Failed } else { PartStatus::Ready };
        sqlx::query("UPDATE parts SET status = $2, error = $3, segments = $4, facts = $5 WHERE id = $1")
            .bind(uuid_value(part.id.uuid()))
            .bind(status.as_str())
            .bind(error.as_ref().map(serde_json::to_string).transpose()?)
            .bind(segments.len() as i64)
            .bind(serde_json::to_string(&outcome.facts)?)
            .execute(&mut *connection)
            .await?;
        settled.failed += usize::from(error.is_some());
        settled.ready += usize::from(error.is_none());
        settled.results.push(PartResult { part: part.id, name: part.name, segments: segments.len() as u32, error });
        settled.segments.extend(segments);
    }
    if let Some(stray) = outcomes.first() {
        return Err(Fail::conflict(format!("the part {} is not one of version {version} of the document", stray.part)));
    }
    Ok(settled)
}

fn without_outcome(part: &Part) -> PartOutcome {
    let error = part.error.clone().unwrap_or_else(|| PartError {
        code: "not_processed".to_owned(),
        detail: "the ingest ended without a word on this part".to_owned(),
    });
    PartOutcome { part: part.id, facts: PartFacts::default(), result: Err(error) }
}

/// Rows of one statement: a database takes so many parameters (32,766 here, 65,535 there), and a row has thirteen.
const ROWS: usize = 500;

pub(super) async fn insert_segments(
    catalog: &Store,
    connection: &mut Connection,
    tenant: &TenantId,
    version: u32,
    segments: &[Segment],
) -> Result<()> {
    let mut position = 0_i64;
    for rows in segments.chunks(ROWS) {
        let places = rows.iter().map(|segment| serde_json::to_string(&segment.place)).collect::<Result<Vec<_>, _>>()?;
        let mut sql = QueryBuilder::<Database>::new(
            "INSERT INTO segments \
             (id, tenant, document, version, generation, position, part, modality, kind, ordinal, place, text, content) ",
        );
        sql.push_values(rows.iter().zip(places), |mut row, (segment, place)| {
            row.push_bind(uuid_value(segment.id.uuid()))
                .push_bind(tenant.as_str())
                .push_bind(uuid_value(segment.document.uuid()))
                .push_bind(i64::from(version))
                .push_bind(i64::from(catalog.generation))
                .push_bind(position)
                .push_bind(uuid_value(segment.part.uuid()))
                .push_bind(segment.modality.as_str())
                .push_bind(segment.kind.as_str())
                .push_bind(i64::from(segment.ordinal))
                .push_bind(place)
                .push_bind(segment.text.as_deref().map(storable))
                .push_bind(&segment.content.as_bytes()[..]);
            position += 1;
        });
        // A full statement comes again; others have as many shapes as there are lengths.
        sql.build().persistent(rows.len() == ROWS).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Every version, or every generation.
pub(super) const ANY: RangeInclusive<u32> = 0..=u32::MAX;

/// Removes a document's segments of these versions in these generations; their vectors become candidates for the sweep.
pub(super) async fn remove_segments(
    connection: &mut Connection,
    tenant: &TenantId,
    document: DocumentId,
    versions: RangeInclusive<u32>,
    generations: RangeInclusive<u32>,
) -> Result<()> {
    macro_rules! which {
        () => {
            "document = $1 AND version BETWEEN $2 AND $3 AND generation BETWEEN $4 AND $5"
        };
    }
    let bounds =
        [versions.start(), versions.end(), generations.start(), generations.end()].map(|bound| i64::from(*bound));
    let mut candidates = sqlx::query(concat!(
        "INSERT INTO vector_candidates (tenant, content) SELECT $6, content FROM segments WHERE ",
        which!(),
        " ON CONFLICT DO NOTHING"
    ))
    .bind(uuid_value(document.uuid()));
    let mut removal = sqlx::query(concat!("DELETE FROM segments WHERE ", which!())).bind(uuid_value(document.uuid()));
    for bound in bounds {
        candidates = candidates.bind(bound);
        removal = removal.bind(bound);
    }
    candidates.bind(tenant.as_str()).execute(&mut *connection).await?;
    removal.execute(connection).await?;
    Ok(())
}

/// Removes what is left of the versions before `version`, except the live one.
async fn remove_versions_before(
    connection: &mut Connection,
    tenant: &TenantId,
    document: DocumentId,
    version: u32,
    live: Option<u32>,
) -> Result<()> {
    if live != Some(version) {
        // The live version, if there is one, is the only older one that has segments.
        sqlx::query("DELETE FROM parts WHERE document = $1 AND version < $2 AND version IS DISTINCT FROM $3")
            .bind(uuid_value(document.uuid()))
            .bind(i64::from(version))
            .bind(live.map(i64::from))
            .execute(connection)
            .await?;
        return Ok(());
    }
    remove_segments(connection, tenant, document, 0..=version - 1, ANY).await?;
    sqlx::query("DELETE FROM parts WHERE document = $1 AND version < $2")
        .bind(uuid_value(document.uuid()))
        .bind(i64::from(version))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn superseded_segments(
    catalog: &Store,
    tenant: &TenantId,
    document: DocumentId,
    version: u32,
) -> Result<Vec<SegmentId>> {
    let rows = sqlx::query(
        "SELECT id, version, position FROM segments \
         WHERE document = $1 AND version < $2 AND tenant = $3 AND generation = $4",
    )
    .bind(uuid_value(document.uuid()))
    .bind(i64::from(version))
    .bind(tenant.as_str())
    .bind(i64::from(catalog.generation))
    .fetch_all(catalog.reader())
    .await?;
    let mut segments = rows
        .iter()
        .map(|row| Ok((row.int("version")?, row.int("position")?, SegmentId::from_uuid(row.uuid("id")?))))
        .collect::<Result<Vec<_>>>()?;
    segments.sort_unstable_by_key(|(version, position, _)| (*version, *position));
    Ok(segments.into_iter().map(|(.., id)| id).collect())
}
