//! Reading without ranking: stored vectors, counts, facets, and the walk over everything. Everything here blocks.

use std::str::FromStr;

use qdrant_edge::{
    CountRequest, FacetRequest, FacetValue, Filter, JsonPath, Payload, PointId, Record, ScrollRequest, VectorInternal,
    VectorStructInternal, WithPayloadInterface, WithVector,
};
use sensorium_domain::filter::Key;
use sensorium_domain::index::IndexStats;
use sensorium_domain::{IndexError, SegmentId, TenantId};
use serde_json::Value;
use uuid::Uuid;

use super::query::segment;
use super::shard::Shard;
use super::{disk, filter};
use crate::facets::{Counts, is_indexed, most_first};
use crate::filter::key;
use crate::payload;
use crate::places::Place;

/// Points read at once where values are counted one by one.
const PAGE: usize = 10_000;

/// The vectors of those segments that are the tenant's and have one under one of the names.
pub(super) fn vectors(
    shard: &Shard,
    tenant: &TenantId,
    names: Vec<String>,
    segments: &[SegmentId],
) -> Result<Vec<(SegmentId, Vec<f32>)>, IndexError> {
    let ids: Vec<PointId> = segments.iter().map(|segment| PointId::Uuid(segment.uuid())).collect();
    let fields = only(&[payload::TENANT])?;
    let space_only = WithVector::Selector(names);
    let records = shard.with(|shard| shard.retrieve(&ids, Some(fields), Some(space_only)))?;
    let mut found = Vec::with_capacity(records.len());
    for record in records {
        let owner: TenantId = read(&record.payload.unwrap_or_default(), payload::TENANT)?;
        if owner != *tenant {
            continue;
        }
        if let Some(VectorStructInternal::Named(named)) = record.vector
            && let Some(VectorInternal::Dense(vector)) = named.into_values().next()
        {
            found.push((segment(record.id)?, vector));
        }
    }
    Ok(found)
}

/// The document and modality of segments, whoever owns them; unknown ones are left out.
pub(super) fn places(shard: &Shard, segments: &[SegmentId]) -> Result<Vec<(SegmentId, Place)>, IndexError> {
    let ids: Vec<PointId> = segments.iter().map(|segment| PointId::Uuid(segment.uuid())).collect();
    let fields = only(&[payload::DOCUMENT, payload::MODALITY])?;
    let records = shard.with(|shard| shard.retrieve(&ids, Some(fields), None))?;
    records
        .into_iter()
        .map(|record| {
            let payload = record.payload.unwrap_or_default();
            let place = (read(&payload, payload::DOCUMENT)?, read(&payload, payload::MODALITY)?);
            Ok((segment(record.id)?, place))
        })
        .collect()
}

/// The ids of the points that pass the filter.
pub(super) fn ids(shard: &Shard, filter: &Filter) -> Result<Vec<PointId>, IndexError> {
    let nothing = WithPayloadInterface::Bool(false);
    let mut ids = Vec::new();
    let mut next = Some(PointId::Uuid(Uuid::nil()));
    while let Some(offset) = next {
        let (records, following) = page(shard, offset, PAGE, Some(filter), &nothing)?;
        ids.extend(records.into_iter().map(|record| record.id));
        next = following;
    }
    Ok(ids)
}

/// How many points pass the filter.
pub(super) fn count(shard: &Shard, filter: Filter) -> Result<u64, IndexError> {
    let request = CountRequest { filter: Some(filter), exact: true };
    Ok(shard.with(|shard| shard.count(request))? as u64)
}

/// Counts points by the values of a filter key: most first, equal counts by value.
pub(super) fn facet(shard: &Shard, filter: Filter, name: &str, limit: usize) -> Result<Vec<(Value, u64)>, IndexError> {
    let key = key(name)?;
    let path = filter::path(name)?;
    if is_indexed(&key) {
        return Ok(most_first(indexed_facet(shard, filter, path)?, limit));
    }
    Ok(plain_facet(shard, &filter, path, &key)?.most_first(limit))
}

fn indexed_facet(shard: &Shard, filter: Filter, key: JsonPath) -> Result<Vec<(Value, u64)>, IndexError> {
    let request = FacetRequest { key, limit: usize::MAX, filter: Some(filter), exact: true };
    let response = shard.with(|shard| shard.facet(request))?;
    let counts = response.hits.into_iter().map(|hit| {
        let value = match hit.value {
            FacetValue::Keyword(text) => Value::String(text),
            FacetValue::Int(number) => number.into(),
            FacetValue::Bool(flag) => flag.into(),
            FacetValue::Uuid(number) => Uuid::from_u128(number).to_string().into(),
        };
        (value, hit.count as u64)
    });
    Ok(counts.collect())
}

fn plain_facet(shard: &Shard, filter: &Filter, path: JsonPath, key: &Key<'_>) -> Result<Counts, IndexError> {
    let mut counts = Counts::default();
    let fields = WithPayloadInterface::Fields(vec![path]);
    let mut next = Some(PointId::Uuid(Uuid::nil()));
    while let Some(offset) = next {
        let (records, following) = page(shard, offset, PAGE, Some(filter), &fields)?;
        for record in records {
            counts.add(&record.payload.unwrap_or_default().0, key);
        }
        next = following;
    }
    Ok(counts)
}

/// Segments of every tenant in ascending order, after `after`.
pub(super) fn scroll(
    shard: &Shard,
    after: Option<SegmentId>,
    limit: usize,
) -> Result<Vec<(TenantId, SegmentId)>, IndexError> {
    let first = match after.map(|segment| segment.uuid().as_u128()) {
        None => 0,
        Some(u128::MAX) => return Ok(Vec::new()),
        Some(id) => id + 1,
    };
    if limit == 0 {
        return Ok(Vec::new());
    }
    let offset = PointId::Uuid(Uuid::from_u128(first));
    let fields = only(&[payload::TENANT])?;
    let (records, _) = page(shard, offset, limit, None, &fields)?;
    records
        .into_iter()
        .map(|record| {
            let tenant = read(&record.payload.unwrap_or_default(), payload::TENANT)?;
            Ok((tenant, segment(record.id)?))
        })
        .collect()
}

fn page(
    shard: &Shard,
    offset: PointId,
    limit: usize,
    filter: Option<&Filter>,
    fields: &WithPayloadInterface,
) -> Result<(Vec<Record>, Option<PointId>), IndexError> {
    let request = ScrollRequest {
        offset: Some(offset),
        limit: Some(limit),
        filter: filter.cloned(),
        with_payload: Some(fields.clone()),
        with_vector: WithVector::Bool(false),
        order_by: None,
    };
    shard.with(|shard| shard.scroll(request))
}

/// Asks for some fields only.
fn only(fields: &[&str]) -> Result<WithPayloadInterface, IndexError> {
    Ok(WithPayloadInterface::Fields(fields.iter().map(|name| filter::path(name)).collect::<Result<_, _>>()?))
}

fn read<T: FromStr>(payload: &Payload, name: &str) -> Result<T, IndexError> {
    payload::read(payload.0.get(name).and_then(Value::as_str), name)
}

/// Numbers about the folder.
pub(super) fn stats(shard: &Shard) -> Result<IndexStats, IndexError> {
    let everything = CountRequest { filter: None, exact: true };
    let (points, info) = shard.with(|shard| Ok((shard.count(everything)?, shard.info())))?;
    Ok(IndexStats {
        points: points as u64,
        indexed: info.indexed_vectors_count.min(points) as u64,
        disk_bytes: Some(disk::bytes(shard.folder())),
    })
}
