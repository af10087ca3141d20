//! The end of an ingest: a version becomes live, and the last one goes.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;
use std::slice;

use sensorium_domain::catalog::{EndedIngest, Lease, LeaseState, NewVector, PartOutcome};
use sensorium_domain::document::PartError;
use sensorium_domain::job::{PartResult, Progress};
use sensorium_domain::{
    Document, DocumentId, DocumentStatus, JobKind, JobState, Part, PartStatus, Segment, SegmentId, TenantId,
};
use serde_json::{Value, json};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::dialect::{among, row_uuid, rows_of, storable, uuid_list, uuid_value};
use super::documents::{self, document_columns, part_columns, read_part, select_part};
use super::{Connection, Database, ROWS, Row, Store, conclude, generations, leases, vectors, versions};
use crate::columns::Columns;
use crate::error::{Fail, Result};
use crate::gathering::{Answers, Together};

/// The end of an ingest.
pub(super) struct Finish {
    pub(super) lease: Lease,
    pub(super) outcomes: Vec<PartOutcome>,
    pub(super) vectors: Vec<NewVector>,
    pub(super) progress: Progress,
}

/// Ends an ingest. The first version of a document has nothing that others could change meanwhile: it goes beside them, and together with other
/// first versions.
///
/// The version becomes live unless all of its parts failed. If they did and an older version is live, that one stays,
/// and the document is `partial`; the parts of the failed version are kept to say why. While a newer version waits for
/// its own ingest, the document stays `processing`. A document that is being deleted is left alone.
pub(super) async fn finish_ingest(catalog: &Store, version: u32, call: Finish) -> Result<Option<EndedIngest>> {
    if version == 1 {
        return catalog.groups.endings.call(catalog, call.lease.tenant.clone(), call).await;
    }
    let tenant = &call.lease.tenant;
    let mut tx = catalog.begin(tenant).await?;
    let ended = finish(catalog, &mut tx, tenant, version, slice::from_ref(&call)).await;
    let mut ended = conclude(tx, ended).await?;
    sweep(catalog, tenant, &ended).await;
    ended.answers.pop().unwrap_or_else(|| Err(Fail::broken_off()))
}

impl Together for Finish {
    type Store = Store;
    type Lane = TenantId;
    type Answer = Option<EndedIngest>;

    async fn run(catalog: &Store, tenant: &TenantId, calls: &[Self]) -> Answers<Self::Answer> {
        let mut tx = catalog.begin_beside(tenant).await?;
        let ended = finish(catalog, &mut tx, tenant, 1, calls).await;
        let ended = conclude(tx, ended).await?;
        sweep(catalog, tenant, &ended).await;
        Ok(ended.answers.into_iter().map(Some).collect())
    }
}

/// How ingests have ended.
struct Ended {
    answers: Vec<Result<Option<EndedIngest>>>,
    /// Whether the tenant has vectors that may go.
    has_candidates: bool,
}

/// The ingests have ended whatever becomes of this, and the end of the next one comes by here too.
async fn sweep(catalog: &Store, tenant: &TenantId, ended: &Ended) {
    if ended.has_candidates {
        let _ = vectors::sweep_when_idle(catalog, tenant).await;
    }
}

/// Ends the ingests of these documents' version that their workers still have.
async fn finish(
    catalog: &Store,
    connection: &mut Connection,
    tenant: &TenantId,
    version: u32,
    calls: &[Finish],
) -> Result<Ended> {
    let now = catalog.now();
    let held = leases::held(connection, tenant, calls.iter().map(|call| &call.lease)).await?;
    // Those of the last version are about to be.
    let has_candidates = held.has_candidates || version > 1;
    let checked: Vec<_> =
        calls.iter().zip(held.states).map(|(call, held)| document_of(&call.lease, held, version)).collect();
    let going = || calls.iter().zip(&checked).filter_map(|(call, document)| Some((call, *document.as_ref().ok()?)));
    if let Some((call, _)) = going().next() {
        generations::check_current(catalog, connection, &call.lease).await?;
    }
    let found = versions::of_documents(connection, tenant, going().map(|(_, document)| document)).await?;
    let stays =
        |document: &DocumentId| found.get(document).filter(|versions| versions.status != DocumentStatus::Deleting);
    for (call, _) in going().filter(|(_, document)| stays(document).is_none()) {
        leases::close(connection, &call.lease, JobState::Cancelled, &[], None, now).await?;
    }
    let ready: Vec<_> = going().filter(|(_, document)| stays(document).is_some()).collect();
    if ready.is_empty() {
        return Ok(Ended {
            answers: checked.into_iter().map(|document| document.map(|_| None)).collect(),
            has_candidates,
        });
    }

    let (settled, mut parts) = settle_parts(connection, version, &ready).await?;
    let segments: Vec<_> = settled.iter().flat_map(|settled| settled.segments.iter().copied().enumerate()).collect();
    insert_segments(catalog, connection, tenant, version, &segments).await?;
    let used: HashSet<_> = segments.iter().map(|(_, segment)| segment.content).collect();
    let made = ready.iter().flat_map(|(call, _)| &call.vectors);
    vectors::keep(connection, tenant, made.filter(|made| used.contains(&made.content))).await?;
    let mut statuses = Vec::with_capacity(ready.len());
    let mut results = Vec::with_capacity(ready.len());
    for ((call, document), settled) in ready.iter().zip(&settled) {
        let Some(versions) = stays(document) else { continue };
        let all_failed = settled.failed > 0 && settled.ready == 0;
        let live = if all_failed { versions.live.filter(|live| *live < version) } else { Some(version) };
        if version > 1 {
            remove_versions_before(connection, tenant, *document, version, live).await?;
        }
        let status = match live {
            _ if version < versions.newest => DocumentStatus::Processing,
            None => DocumentStatus::Failed,
            Some(_) if settled.failed > 0 => DocumentStatus::Partial,
            Some(_) => DocumentStatus::Ready,
        };
        statuses.push(json!({ "id": hex(document.uuid()), "status": status.as_str(), "live": live }));
        let (results_of_parts, progress) =
            (serde_json::to_string(&settled.results)?, serde_json::to_string(&call.progress)?);
        results.push(json!({ "id": hex(call.lease.job.id.uuid()), "parts": results_of_parts, "progress": progress }));
    }
    let mut documents = sqlx::query(concat!(
        "UPDATE documents SET status = r.value->>'status', live_version = CAST(r.value->>'live' AS BIGINT) FROM ",
        rows_of!("$1"),
        " WHERE documents.id = ",
        row_uuid!("id"),
        " RETURNING ",
        document_columns!()
    ))
    .bind(serde_json::to_string(&statuses)?)
    .fetch_all(&mut *connection)
    .await?
    .iter()
    .map(|row| documents::read(row).map(|document| (document.id, document)))
    .collect::<Result<HashMap<_, Document>>>()?;
    let mut jobs = leases::succeed(connection, &results, now).await?;
    if has_candidates {
        vectors::forget_candidates_of(connection, tenant, ready.iter().map(|(_, document)| *document), version).await?;
    }
    let mut answer = |call: &Finish, document: DocumentId| {
        let (job, document) = (jobs.remove(&call.lease.job.id)?, documents.remove(&document)?);
        Some(EndedIngest { parts: parts.remove(&document.id)?, job, document })
    };
    let answers = calls.iter().zip(checked).map(|(call, document)| document.map(|document| answer(call, document)));
    Ok(Ended { answers: answers.collect(), has_candidates })
}

/// The document of an ingest that its worker still has.
fn document_of(lease: &Lease, held: Option<LeaseState>, version: u32) -> Result<DocumentId> {
    if held.is_none() {
        return Err(Fail::lease_lost());
    }
    match lease.job.kind {
        JobKind::Ingest { document, version: leased } if leased == version => Ok(document),
        JobKind::Ingest { version: leased, .. } => {
            Err(Fail::conflict(format!("the job is the ingest of version {leased}, not {version}")))
        }
        _ => Err(Fail::conflict("the job is no ingest")),
    }
}

/// What the parts of a document's version came to.
#[derive(Default)]
struct Settled<'a> {
    ready: usize,
    failed: usize,
    segments: Vec<&'a Segment>,
    results: Vec<PartResult>,
}

/// Writes the outcome of every part, and answers the parts as they are then. A part that was refused when the document was accepted may have none and stays
/// as it is; any other without an outcome has failed.
async fn settle_parts<'a>(
    connection: &mut Connection,
    version: u32,
    ended: &[(&'a Finish, DocumentId)],
) -> Result<(Vec<Settled<'a>>, HashMap<DocumentId, Vec<Part>>)> {
    let mut parts = parts_of(connection, version, ended).await?;
    let mut settled = Vec::with_capacity(ended.len());
    let mut rows = Vec::with_capacity(ended.len());
    for (call, document) in ended {
        let mut parts = parts.remove(document).unwrap_or_default();
        parts.sort_unstable_by_key(|part| part.ordinal);
        if let Some(stray) = call.outcomes.iter().find(|outcome| parts.iter().all(|part| part.id != outcome.part)) {
            let stray = stray.part;
            return Err(Fail::conflict(format!("the part {stray} is not one of version {version} of the document")));
        }
        settled.push(settle(&call.outcomes, parts, &mut rows)?);
    }
    let written = sqlx::query(concat!(
        "UPDATE parts SET status = r.value->>'status', error = r.value->>'error', \
         segments = CAST(r.value->>'segments' AS BIGINT), facts = r.value->>'facts' FROM ",
        rows_of!("$1"),
        " WHERE parts.id = ",
        row_uuid!("id"),
        " RETURNING ",
        part_columns!()
    ))
    .bind(serde_json::to_string(&rows)?)
    .fetch_all(connection)
    .await?;
    let mut parts = HashMap::with_capacity(ended.len());
    add_parts(&mut parts, &written)?;
    for parts in parts.values_mut() {
        parts.sort_unstable_by_key(|part| part.ordinal);
    }
    Ok((settled, parts))
}

/// Adds the parts of these rows to those of their documents.
fn add_parts(parts: &mut HashMap<DocumentId, Vec<Part>>, rows: &[Row]) -> Result<()> {
    for row in rows {
        let part = read_part(row)?;
        parts.entry(part.document).or_default().push(part);
    }
    Ok(())
}

/// The parts of each document's version. Whoever still has the job knows them: nobody else has changed them since it was taken.
async fn parts_of(
    connection: &mut Connection,
    version: u32,
    ended: &[(&Finish, DocumentId)],
) -> Result<HashMap<DocumentId, Vec<Part>>> {
    let mut parts: HashMap<_, Vec<Part>> = HashMap::with_capacity(ended.len());
    let mut unknown = Vec::new();
    for (call, document) in ended {
        match &call.lease.input {
            Some(input) => {
                parts.insert(*document, input.parts.clone());
            }
            None => unknown.push(document.uuid()),
        }
    }
    if unknown.is_empty() {
        return Ok(parts);
    }
    let rows = sqlx::query(concat!(select_part!("WHERE "), among!("p.document", "$1"), " AND p.version = $2"))
        .bind(uuid_list(unknown))
        .bind(i64::from(version))
        .fetch_all(connection)
        .await?;
    add_parts(&mut parts, &rows)?;
    Ok(parts)
}

/// What a document's parts came to, and how their rows are to be.
fn settle<'a>(outcomes: &'a [PartOutcome], parts: Vec<Part>, rows: &mut Vec<Value>) -> Result<Settled<'a>> {
    let mut settled = Settled::default();
    for part in parts {
        let outcome = outcomes.iter().find(|outcome| outcome.part == part.id);
        let facts = outcome.map(|outcome| serde_json::to_string(&outcome.facts)).transpose()?;
        let (mut segments, error) = match outcome.map(|outcome| &outcome.result) {
            Some(Ok(segments)) => (segments.iter().collect(), None),
            Some(Err(error)) => (Vec::new(), Some(error.clone())),
            None => (Vec::new(), Some(error_without_outcome(&part))),
        };
        segments.sort_by_key(|segment: &&Segment| segment.ordinal);
        let status = if error.is_some() { PartStatus::Failed } else { PartStatus::Ready };
        rows.push(json!({
            "id": hex(part.id.uuid()),
            "status": status.as_str(),
            "error": error.as_ref().map(serde_json::to_string).transpose()?,
            "segments": segments.len(),
            "facts": facts.unwrap_or_else(|| "{}".to_owned()),
        }));
        settled.failed += usize::from(error.is_some());
        settled.ready += usize::from(error.is_none());
        settled.results.push(PartResult { part: part.id, name: part.name, segments: segments.len() as u32, error });
        settled.segments.extend(segments);
    }
    Ok(settled)
}

/// A UUID for `row_uuid!`.
fn hex(uuid: Uuid) -> String {
    uuid.simple().to_string()
}

fn error_without_outcome(part: &Part) -> PartError {
    part.error.clone().unwrap_or_else(|| PartError {
        code: "not_processed".to_owned(),
        detail: "the ingest ended without a word on this part".to_owned(),
    })
}

/// Writes segments of a version, each with its position in its document.
pub(super) async fn insert_segments(
    catalog: &Store,
    connection: &mut Connection,
    tenant: &TenantId,
    version: u32,
    segments: &[(usize, &Segment)],
) -> Result<()> {
    for rows in segments.chunks(ROWS) {
        let places =
            rows.iter().map(|(_, segment)| serde_json::to_string(&segment.place)).collect::<Result<Vec<_>, _>>()?;
        let mut sql = QueryBuilder::<Database>::new(
            "INSERT INTO segments \
             (id, tenant, document, version, generation, position, part, modality, kind, ordinal, place, text, content) ",
        );
        sql.push_values(rows.iter().zip(places), |mut row, ((position, segment), place)| {
            row.push_bind(uuid_value(segment.id.uuid()))
                .push_bind(tenant.as_str())
                .push_bind(uuid_value(segment.document.uuid()))
                .push_bind(i64::from(version))
                .push_bind(i64::from(catalog.generation))
                .push_bind(*position as i64)
                .push_bind(uuid_value(segment.part.uuid()))
                .push_bind(segment.modality.as_str())
                .push_bind(segment.kind.as_str())
                .push_bind(i64::from(segment.ordinal))
                .push_bind(place)
                .push_bind(segment.text.as_deref().map(storable))
                .push_bind(&segment.content.as_bytes()[..]);
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
