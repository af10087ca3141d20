//! Writing and removing points. Every call returns when the server has written its log to the disk and applied the change.

use std::sync::Arc;

use qdrant_client::qdrant::{
    DeletePoints, PointStruct, PointsSelector, UpsertPoints, WriteOrdering, WriteOrderingType, points_selector,
};
use sensorium_domain::index::Point;
use sensorium_domain::{IndexError, TenantId};

use super::client::Client;
use super::gathering::Gathering;
use super::{filter, points};
use crate::filter::Clauses;
use crate::points::{BATCH, last_of_each};
use crate::threads::blocking;
use crate::words::Words;

/// Writes points, those of equal id being replaced whole; of two with one id, the last counts.
pub(super) async fn upsert(
    gathering: &Gathering,
    words: &Arc<Words>,
    tenant: &TenantId,
    points: Vec<Point>,
) -> Result<(), IndexError> {
    let (words, tenant) = (words.clone(), tenant.clone());
    let mut encoded = blocking(move || {
        let points = last_of_each(points).into_iter();
        Ok(points.map(|point| points::encode(&words, &tenant, point)).collect::<Vec<_>>().into_iter())
    })
    .await?;
    while encoded.len() > 0 {
        gathering.write(encoded.by_ref().take(BATCH).collect()).await?;
    }
    Ok(())
}

/// Writes the points of one request.
pub(super) async fn send(client: &Client, collection: &str, points: Vec<PointStruct>) -> Result<(), IndexError> {
    let request = UpsertPoints {
        collection_name: collection.to_owned(),
        wait: Some(true),
        points,
        ordering: Some(in_one_order()),
        timeout: Some(client.timeout_s()),
        ..UpsertPoints::default()
    };
    client.answer(client.ask().upsert_points(request)).await?;
    Ok(())
}

/// Removes the points that pass the clauses.
pub(super) async fn delete(client: &Client, collection: &str, clauses: &Clauses) -> Result<(), IndexError> {
    let filter = points_selector::PointsSelectorOneOf::Filter(filter::of(clauses));
    let request = DeletePoints {
        collection_name: collection.to_owned(),
        wait: Some(true),
        points: Some(PointsSelector { points_selector_one_of: Some(filter) }),
        ordering: Some(in_one_order()),
        timeout: Some(client.timeout_s()),
        ..DeletePoints::default()
    };
    client.answer(client.ask().delete_points(request)).await?;
    Ok(())
}

/// Two processes may write one point, when a job's lease has run out; all copies must see them in one order.
fn in_one_order() -> WriteOrdering {
    WriteOrdering { r#type: WriteOrderingType::Medium.into() }
}
