//! Reading without ranking: stored vectors, counts, facets, and the walk over everything.

use std::collections::HashMap;

use qdrant_client::Payload;
use qdrant_client::qdrant::{
    CountPoints, FacetCounts, Filter, GetPoints, PointId, RetrievedPoint, ScrollPoints, WithPayloadSelector,
    facet_value, vector_output, vectors_output,
};
use sensorium_domain::filter::Key;
use sensorium_domain::index::IndexStats;
use sensorium_domain::{IndexError, SegmentId, TenantId};
use serde_json::Value;
use uuid::Uuid;

use super::Reader;
use super::points::{id, only, read, segment, uuid};
use crate::facets::{Counts, is_indexed, most_first};
use crate::filter::key;
use crate::payload;
use crate::places::Place;

/// Points read at once where values are counted one by one.
const PAGE: usize = 10_000;

/// The most values of a field that the server counts itself. It reserves memory for as many as are asked for.
const MOST_VALUES: usize = 100_000;

/// The vectors of those segments that are the tenant's and have one under one of the names.
pub(super) async fn vectors(
    reader: Reader<'_>,
    tenant: &TenantId,
    names: &[String],
    segments: &[SegmentId],
) -> Result<Vec<(SegmentId, Vec<f32>)>, IndexError> {
    let points = retrieve(
        reader,
        GetPoints {
            ids: segments.iter().copied().map(id).collect(),
            with_payload: Some(only(&[payload::TENANT])),
            with_vectors: Some(names.iter().map(String::as_str).collect::<Vec<_>>().into()),
            ..GetPoints::default()
        },
    )
    .await?;
    let mut found = Vec::with_capacity(points.len());
    for point in points {
        let owner: TenantId = read(&point.payload, payload::TENANT)?;
        if owner != *tenant {
            continue;
        }
        let vectors = point.vectors.and_then(|vectors| vectors.vectors_options);
        if let Some(vectors_output::VectorsOptions::Vectors(named)) = vectors
            && let Some(vector) = named.vectors.into_values().next()
            && let vector_output::Vector::Dense(vector) = vector.into_vector()
        {
            found.push((segment(point.id)?, vector.data));
        }
    }
    Ok(found)
}

/// The document and modality of segments, whoever owns them; unknown ones are left out.
pub(super) async fn places(
    reader: Reader<'_>,
    segments: impl IntoIterator<Item = SegmentId>,
) -> Result<HashMap<SegmentId, Place>, IndexError> {
    let points = retrieve(
        reader,
        GetPoints {
            ids: segments.into_iter().map(id).collect(),
            with_payload: Some(only(&[payload::DOCUMENT, payload::MODALITY])),
            with_vectors: Some(false.into()),
            ..GetPoints::default()
        },
    )
    .await?;
    points
        .into_iter()
        .map(|point| {
            let place = (read(&point.payload, payload::DOCUMENT)?, read(&point.payload, payload::MODALITY)?);
            Ok((segment(point.id)?, place))
        })
        .collect()
}

async fn retrieve(reader: Reader<'_>, request: GetPoints) -> Result<Vec<RetrievedPoint>, IndexError> {
    if request.ids.is_empty() {
        return Ok(Vec::new());
    }
    let request = GetPoints {
        collection_name: reader.collection.to_owned(),
        timeout: Some(reader.client.timeout_s()),
        ..request
    };
    Ok(reader.client.answer(reader.client.ask().get_points(request)).await?.result)
}

/// How many points pass the filter; all where there is none.
pub(super) async fn count(reader: Reader<'_>, filter: Option<Filter>) -> Result<u64, IndexError> {
    let request = CountPoints {
        collection_name: reader.collection.to_owned(),
        filter,
        exact: Some(true),
        timeout: Some(reader.client.timeout_s()),
        ..CountPoints::default()
    };
    let answer = reader.client.answer(reader.client.ask().count(request)).await?;
    Ok(answer.result.map_or(0, |result| result.count))
}

/// Counts points by the values of a filter key: most first, equal counts by value.
pub(super) async fn facet(
    reader: Reader<'_>,
    filter: Filter,
    name: &str,
    limit: usize,
) -> Result<Vec<(Value, u64)>, IndexError> {
    let key = key(name)?;
    if is_indexed(&key) {
        return Ok(most_first(indexed_facet(reader, filter, name).await?, limit));
    }
    Ok(plain_facet(reader, &filter, name, &key).await?.most_first(limit))
}

async fn indexed_facet(reader: Reader<'_>, filter: Filter, name: &str) -> Result<Vec<(Value, u64)>, IndexError> {
    let request = FacetCounts {
        collection_name: reader.collection.to_owned(),
        key: name.to_owned(),
        filter: Some(filter),
        limit: Some(MOST_VALUES as u64),
        exact: Some(true),
        timeout: Some(reader.client.timeout_s()),
        ..FacetCounts::default()
    };
    let answer = reader.client.answer(reader.client.ask().facet(request)).await?;
    let counts = answer.hits.into_iter().filter_map(|hit| {
        let value = match hit.value?.variant? {
            facet_value::Variant::StringValue(text) => Value::String(text),
            facet_value::Variant::IntegerValue(number) => number.into(),
            facet_value::Variant::BoolValue(flag) => flag.into(),
        };
        Some((value, hit.count))
    });
    Ok(counts.collect())
}

async fn plain_facet(reader: Reader<'_>, filter: &Filter, name: &str, key: &Key<'_>) -> Result<Counts, IndexError> {
    let mut counts = Counts::default();
    let mut next = Some(uuid(Uuid::nil()));
    while next.is_some() {
        let (points, following) = page(reader, next, PAGE, Some(filter.clone()), only(&[name])).await?;
        for point in points {
            counts.add(&Payload::from(point.payload).into(), key);
        }
        next = following;
    }
    Ok(counts)
}

/// Segments of every tenant in ascending order, after `after`.
pub(super) async fn scroll(
    reader: Reader<'_>,
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
    let first = uuid(Uuid::from_u128(first));
    let (points, _) = page(reader, Some(first), limit, None, only(&[payload::TENANT])).await?;
    points.into_iter().map(|point| Ok((read(&point.payload, payload::TENANT)?, segment(point.id)?))).collect()
}

/// Points in order of id from `first` on, and the id of the next.
async fn page(
    reader: Reader<'_>,
    first: Option<PointId>,
    limit: usize,
    filter: Option<Filter>,
    fields: WithPayloadSelector,
) -> Result<(Vec<RetrievedPoint>, Option<PointId>), IndexError> {
    let request = ScrollPoints {
        collection_name: reader.collection.to_owned(),
        filter,
        offset: first,
        limit: Some(u32::try_from(limit).unwrap_or(u32::MAX)),
        with_payload: Some(fields),
        with_vectors: Some(false.into()),
        timeout: Some(reader.client.timeout_s()),
        ..ScrollPoints::default()
    };
    let answer = reader.client.answer(reader.client.ask().scroll(request)).await?;
    Ok((answer.result, answer.next_page_offset))
}

/// Numbers about the collection. What it takes on the server's disk is not known.
pub(super) async fn stats(reader: Reader<'_>) -> Result<IndexStats, IndexError> {
    let points = count(reader, None).await?;
    let answer = reader.client.answer(reader.client.ask().collection_info(reader.collection)).await?;
    let indexed = answer.result.and_then(|info| info.indexed_vectors_count).unwrap_or(0);
    Ok(IndexStats { points, indexed: indexed.min(points), disk_bytes: None })
}
