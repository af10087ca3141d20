//! Blobs: claimed, stored, owned by parts, and deleted when nobody has them any more.
//!
//! The bytes lie elsewhere, so no transaction covers both. A claim or an owner keeps a blob; a blob that has neither is
//! marked as being deleted before its bytes go, and nobody can claim it until they are gone and its row with them.
//! Those of small blobs lie here: whoever brings them has an owner for them in the same transaction, and they go with
//! their row.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sensorium_domain::catalog::{BlobState, ClaimId};
use sensorium_domain::{BlobHash, TenantId, Timestamp};
use sqlx::QueryBuilder;
use sqlx::query_builder::Separated;
use uuid::Uuid;

use super::dialect::{among, digest_list, for_update_by, skip_locked, uuid_list, uuid_value};
use super::{Connection, Database, ROWS, Row, Store};
use crate::columns::Columns;
use crate::error::{Fail, Result};
use crate::gathering::{Answers, Together, each};

fn read(row: &Row) -> Result<(TenantId, BlobHash)> {
    Ok((row.word("tenant")?, BlobHash::from_bytes(row.digest("hash")?)))
}

/// A blob with what its claimer has to do.
fn read_state(row: &Row) -> Result<(BlobHash, BlobState)> {
    let state = match row.text("state")?.as_str() {
        "stored" => BlobState::Stored,
        "deleting" => BlobState::Deleting,
        _ => BlobState::Missing,
    };
    Ok((BlobHash::from_bytes(row.digest("hash")?), state))
}

/// A claim on blobs until it expires. The answer says of each blob what its claimer has to do.
pub(super) struct Claim {
    pub(super) id: ClaimId,
    pub(super) blobs: Vec<(BlobHash, u64)>,
    pub(super) expires: Timestamp,
}

impl Together for Claim {
    type Store = Store;
    type Lane = TenantId;
    type Answer = Vec<BlobState>;

    async fn run(catalog: &Store, tenant: &TenantId, calls: &[Self]) -> Answers<Self::Answer> {
        let sizes: BTreeMap<_, _> = calls.iter().flat_map(|call| call.blobs.iter().copied()).collect();
        let mut tx = catalog.begin_beside_unpromised(tenant).await?;
        let states = states_for_claimers(catalog, &mut tx, tenant, &sizes).await?;
        let claims: BTreeMap<_, _> = calls
            .iter()
            .flat_map(|call| call.blobs.iter().map(|(hash, _)| ((call.id.0, *hash), call.expires)))
            .filter(|((_, hash), _)| states.get(hash) != Some(&BlobState::Deleting))
            .collect();
        insert_claims(&mut tx, tenant, claims.into_iter().collect()).await?;
        tx.commit().await?;
        let state = |(hash, _): &(BlobHash, u64)| states.get(hash).copied().unwrap_or(BlobState::Missing);
        Ok(each(calls, |call| Ok(call.blobs.iter().map(state).collect())))
    }
}

/// What the claimers have to do, with rows made or freed from a deleter that died.
async fn states_for_claimers(
    catalog: &Store,
    connection: &mut Connection,
    tenant: &TenantId,
    sizes: &BTreeMap<BlobHash, u64>,
) -> Result<BTreeMap<BlobHash, BlobState>> {
    let died_before = catalog.now().plus_ms(-catalog.blob_deletion_ms);
    let sizes: Vec<_> = sizes.iter().collect();
    let mut states = BTreeMap::new();
    for rows in sizes.chunks(ROWS) {
        let mut sql = QueryBuilder::<Database>::new("INSERT INTO blobs (tenant, hash, size_bytes, state, owners) ");
        sql.push_values(rows, |mut row, (hash, size)| {
            row.push_bind(tenant.as_str()).push_bind(&hash.as_bytes()[..]).push_bind(**size as i64).push("'claimed'");
            push_owners(&mut row, tenant, hash);
        });
        sql.push(
            " ON CONFLICT (tenant, hash) DO UPDATE SET state = 'claimed', taken_at = NULL \
             WHERE blobs.state = 'deleting' AND blobs.taken_at <= ",
        )
        .push_bind(died_before.as_millis());
        sql.build().persistent(rows.len() == 1).execute(&mut *connection).await?;
        let found = sqlx::query(concat!(
            "SELECT b.hash, b.state FROM blobs b WHERE b.tenant = $1 AND ",
            among!("b.hash", "$2")
        ))
        .bind(tenant.as_str())
        .bind(digest_list(rows.iter().map(|(hash, _)| hash.as_bytes())))
        .fetch_all(&mut *connection)
        .await?;
        for row in found {
            let (hash, state) = read_state(&row)?;
            states.insert(hash, state);
        }
    }
    Ok(states)
}

async fn insert_claims(
    connection: &mut Connection,
    tenant: &TenantId,
    claims: Vec<((u128, BlobHash), Timestamp)>,
) -> Result<()> {
    for rows in claims.chunks(ROWS) {
        let mut sql = QueryBuilder::<Database>::new("INSERT INTO blob_claims (tenant, claim, hash, expires_at) ");
        sql.push_values(rows, |mut row, ((claim, hash), expires)| {
            row.push_bind(tenant.as_str())
                .push_bind(uuid_value(Uuid::from_u128(*claim)))
                .push_bind(&hash.as_bytes()[..])
                .push_bind(expires.as_millis());
        });
        sql.push(" ON CONFLICT (tenant, claim, hash) DO UPDATE SET expires_at = excluded.expires_at");
        sql.build().persistent(rows.len() == 1).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Keeps the bytes of small blobs here, unless they are stored already. `Conflict` where somebody has claimed such bytes or removes them: a blob whose
/// bytes lie here never has a file. Until the transaction ends nobody else becomes their owner or ceases to be.
pub(super) async fn keep(
    connection: &mut Connection,
    tenant: &TenantId,
    small: &BTreeMap<BlobHash, &[u8]>,
) -> Result<()> {
    let small: Vec<_> = small.iter().collect();
    for rows in small.chunks(ROWS) {
        let mut sql =
            QueryBuilder::<Database>::new("INSERT INTO blobs (tenant, hash, size_bytes, state, owners, bytes) ");
        sql.push_values(rows, |mut row, (hash, bytes)| {
            row.push_bind(tenant.as_str())
                .push_bind(&hash.as_bytes()[..])
                .push_bind(bytes.len() as i64)
                .push("'stored'");
            push_owners(&mut row, tenant, hash);
            row.push_bind(**bytes);
        });
        sql.push(" ON CONFLICT (tenant, hash) DO NOTHING");
        let kept = sql.build().persistent(rows.len() == 1).execute(&mut *connection).await?;
        if kept.rows_affected() == rows.len() as u64 {
            continue;
        }
        let hashes: Vec<_> = rows.iter().map(|(hash, _)| *hash).collect();
        let held = hold(connection, tenant, hashes.iter().copied()).await?;
        if let Some(hash) = hashes.into_iter().find(|hash| held.get(*hash) != Some(&BlobState::Stored)) {
            return Err(Fail::conflict(format!("the bytes of the blob {hash} are being put or removed by another")));
        }
    }
    Ok(())
}

/// How many parts have a blob that had no row: of parts that were refused there may be some.
fn push_owners(row: &mut Separated<'_, Database, &'static str>, tenant: &TenantId, hash: &BlobHash) {
    row.push("(SELECT count(*) FROM parts WHERE tenant = ")
        .push_bind_unseparated(tenant.as_str())
        .push_unseparated(" AND blob = ")
        .push_bind_unseparated(&hash.as_bytes()[..])
        .push_unseparated(")");
}

/// The bytes of a blob that lies here.
pub(super) async fn bytes(catalog: &Store, tenant: &TenantId, blob: BlobHash) -> Result<Option<Vec<u8>>> {
    let row = sqlx::query(
        "SELECT bytes FROM blobs WHERE tenant = $1 AND hash = $2 AND state = 'stored' AND bytes IS NOT NULL",
    )
    .bind(tenant.as_str())
    .bind(&blob.as_bytes()[..])
    .fetch_optional(catalog.reader_by_key())
    .await?;
    row.map(|row| row.bytes("bytes")).transpose()
}

/// The blobs that are not about to go: stored or missing. Until the transaction ends nobody else becomes their owner
/// or ceases to be.
pub(super) async fn hold(
    connection: &mut Connection,
    tenant: &TenantId,
    hashes: impl IntoIterator<Item = &BlobHash>,
) -> Result<HashMap<BlobHash, BlobState>> {
    let rows = sqlx::query(concat!(
        "SELECT b.hash, b.state FROM blobs b WHERE b.tenant = $1 AND ",
        among!("b.hash", "$2"),
        " AND b.state <> 'deleting'",
        for_update_by!("b.hash")
    ))
    .bind(tenant.as_str())
    .bind(digest_list(hashes.into_iter().map(BlobHash::as_bytes)))
    .fetch_all(connection)
    .await?;
    rows.iter().map(read_state).collect()
}

/// The bytes of these blobs are stored.
pub(super) async fn set_stored<'a>(
    connection: &mut Connection,
    tenant: &TenantId,
    hashes: impl IntoIterator<Item = &'a BlobHash>,
) -> Result<()> {
    sqlx::query(concat!("UPDATE blobs SET state = 'stored' WHERE tenant = $1 AND ", among!("hash", "$2")))
        .bind(tenant.as_str())
        .bind(digest_list(hashes.into_iter().map(BlobHash::as_bytes)))
        .execute(connection)
        .await?;
    Ok(())
}

/// The bytes of blobs are stored. Whoever says so has a claim on them.
pub(super) struct Stored {
    pub(super) claim: ClaimId,
    pub(super) blobs: Vec<BlobHash>,
}

impl Together for Stored {
    type Store = Store;
    type Lane = TenantId;
    type Answer = ();

    async fn run(catalog: &Store, tenant: &TenantId, calls: &[Self]) -> Answers<()> {
        let hashes: BTreeSet<_> = calls.iter().flat_map(|call| &call.blobs).collect();
        let mut tx = catalog.begin_beside_unpromised(tenant).await?;
        let claimed = sqlx::query(concat!(
            "SELECT c.claim, b.hash FROM blobs b JOIN blob_claims c ON c.tenant = b.tenant AND c.hash = b.hash \
             WHERE b.tenant = $1 AND ",
            among!("b.hash", "$2"),
            " AND b.state <> 'deleting' AND c.expires_at > $4 AND ",
            among!("c.claim", "$3"),
            for_update_by!("b.hash")
        ))
        .bind(tenant.as_str())
        .bind(digest_list(hashes.iter().map(|hash| hash.as_bytes())))
        .bind(uuid_list(calls.iter().map(|call| Uuid::from_u128(call.claim.0))))
        .bind(catalog.now().as_millis())
        .fetch_all(&mut *tx)
        .await?
        .iter()
        .map(|row| Ok((row.uuid("claim")?.as_u128(), BlobHash::from_bytes(row.digest("hash")?))))
        .collect::<Result<BTreeSet<_>>>()?;
        let unclaimed =
            |call: &Self| call.blobs.iter().find(|hash| !claimed.contains(&(call.claim.0, **hash))).copied();
        let held: BTreeSet<_> =
            calls.iter().filter(|call| unclaimed(call).is_none()).flat_map(|call| &call.blobs).collect();
        set_stored(&mut tx, tenant, held).await?;
        tx.commit().await?;
        let answer = |call: &Self| match unclaimed(call) {
            None => Ok(()),
            Some(hash) => Err(Fail::conflict(format!("the claim on the blob {hash} has expired"))),
        };
        Ok(each(calls, answer))
    }
}

pub(super) async fn release(catalog: &Store, tenant: &TenantId, claim: ClaimId) -> Result<()> {
    let mut writer = catalog.writer().acquire().await?;
    release_with(&mut writer, tenant, [claim], catalog.now()).await?;
    Ok(())
}

/// Lets claims go, and says what those held that have not expired.
pub(super) async fn release_with(
    connection: &mut Connection,
    tenant: &TenantId,
    claims: impl IntoIterator<Item = ClaimId>,
    now: Timestamp,
) -> Result<HashSet<(ClaimId, BlobHash)>> {
    let rows = sqlx::query(concat!(
        "DELETE FROM blob_claims WHERE tenant = $1 AND ",
        among!("claim", "$2"),
        " RETURNING claim, hash, expires_at"
    ))
    .bind(tenant.as_str())
    .bind(uuid_list(claims.into_iter().map(|claim| Uuid::from_u128(claim.0))))
    .fetch_all(connection)
    .await?;
    let mut held = HashSet::with_capacity(rows.len());
    for row in &rows {
        if row.time("expires_at")? > now {
            held.insert((ClaimId(row.uuid("claim")?.as_u128()), BlobHash::from_bytes(row.digest("hash")?)));
        }
    }
    Ok(held)
}

/// That a blob `b` is nobody's: without owner and unexpired claim, or marked by a process that died.
macro_rules! orphaned {
    ($now:literal, $died_before:literal) => {
        concat!(
            "b.owners = 0 AND CASE b.state WHEN 'deleting' THEN b.taken_at <= ",
            $died_before,
            " ELSE NOT EXISTS (SELECT 1 FROM blob_claims c WHERE c.tenant = b.tenant AND c.hash = b.hash AND c.expires_at > ",
            $now,
            ") END"
        )
    };
}

/// Marks blobs that are nobody's; those that lie here are forgotten.
pub(super) async fn take_orphans(catalog: &Store, limit: u32) -> Result<Vec<(TenantId, BlobHash)>> {
    let now = catalog.now();
    let died_before = now.plus_ms(-catalog.blob_deletion_ms);
    sqlx::query(concat!(
        "DELETE FROM blob_claims WHERE (tenant, claim, hash) IN \
         (SELECT tenant, claim, hash FROM blob_claims WHERE expires_at <= $1 ORDER BY expires_at LIMIT 1000",
        skip_locked!(),
        ")"
    ))
    .bind(now.as_millis())
    .execute(catalog.writer())
    .await?;
    if limit == 0 {
        return Ok(Vec::new());
    }
    loop {
        let candidates =
            sqlx::query(concat!("SELECT b.tenant, b.hash FROM blobs b WHERE ", orphaned!("$1", "$2"), " LIMIT $3"))
                .bind(now.as_millis())
                .bind(died_before.as_millis())
                .bind(i64::from(limit))
                .fetch_all(catalog.reader())
                .await?
                .iter()
                .map(read)
                .collect::<Result<Vec<_>>>()?;
        let are_all = candidates.len() < limit as usize;
        let mut taken = Vec::with_capacity(candidates.len());
        for (tenant, hashes) in by_tenant(candidates) {
            let mut tx = catalog.begin(&tenant).await?;
            for hash in take(&mut tx, &tenant, &hashes, now, died_before).await? {
                taken.push((tenant.clone(), hash));
            }
            tx.commit().await?;
        }
        // Where all of them lay here, there may be others that do not.
        if are_all || !taken.is_empty() {
            return Ok(taken);
        }
    }
}

/// Forgets those of a tenant's orphans whose bytes lie here, and marks the others.
async fn take(
    connection: &mut Connection,
    tenant: &TenantId,
    hashes: &[BlobHash],
    now: Timestamp,
    died_before: Timestamp,
) -> Result<Vec<BlobHash>> {
    sqlx::query(concat!(
        "DELETE FROM blobs AS b WHERE b.tenant = $1 AND ",
        among!("b.hash", "$2"),
        " AND b.bytes IS NOT NULL AND ",
        orphaned!("$3", "$4")
    ))
    .bind(tenant.as_str())
    .bind(digest_list(hashes.iter().map(BlobHash::as_bytes)))
    .bind(now.as_millis())
    .bind(died_before.as_millis())
    .execute(&mut *connection)
    .await?;
    sqlx::query(concat!(
        "UPDATE blobs AS b SET state = 'deleting', taken_at = $3 WHERE b.tenant = $1 AND ",
        among!("b.hash", "$2"),
        " AND b.bytes IS NULL AND ",
        orphaned!("$3", "$4"),
        " RETURNING hash"
    ))
    .bind(tenant.as_str())
    .bind(digest_list(hashes.iter().map(BlobHash::as_bytes)))
    .bind(now.as_millis())
    .bind(died_before.as_millis())
    .fetch_all(&mut *connection)
    .await?
    .iter()
    .map(|row| Ok(BlobHash::from_bytes(row.digest("hash")?)))
    .collect()
}

/// Transactions are of one tenant.
fn by_tenant(blobs: impl IntoIterator<Item = (TenantId, BlobHash)>) -> BTreeMap<TenantId, Vec<BlobHash>> {
    let mut tenants = BTreeMap::<_, Vec<_>>::new();
    for (tenant, hash) in blobs {
        tenants.entry(tenant).or_default().push(hash);
    }
    tenants
}

pub(super) async fn deleted(catalog: &Store, blobs: &[(TenantId, BlobHash)]) -> Result<()> {
    for (tenant, hashes) in by_tenant(blobs.iter().cloned()) {
        let mut tx = catalog.begin(&tenant).await?;
        for hash in hashes {
            sqlx::query("DELETE FROM blobs WHERE tenant = $1 AND hash = $2 AND state = 'deleting'")
                .bind(tenant.as_str())
                .bind(&hash.as_bytes()[..])
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

pub(super) async fn list(
    catalog: &Store,
    after: Option<(TenantId, BlobHash)>,
    limit: u32,
) -> Result<Vec<(TenantId, BlobHash)>> {
    let (tenant, hash) =
        after.map_or_else(Default::default, |(tenant, hash)| (tenant.to_string(), hash.as_bytes().to_vec()));
    sqlx::query(
        "SELECT tenant, hash FROM blobs WHERE (tenant, hash) > ($1, $2) AND state = 'stored' AND bytes IS NULL \
         ORDER BY tenant, hash LIMIT $3",
    )
    .bind(tenant)
    .bind(hash)
    .bind(i64::from(limit))
    .fetch_all(catalog.reader())
    .await?
    .iter()
    .map(read)
    .collect()
}
