//! A Qdrant server, or a cluster of them, over gRPC: the index of a deployment of many processes.
//!
//! Every call has a deadline; broken connections are made anew by the next call. A server that is away, too slow or failing is
//! [`IndexError::Unavailable`]. Writes return when the server has them in its log on the disk and queries see them, so there is nothing
//! left for [`flush`](VectorIndex::flush) to do; the server builds graphs by itself.

mod client;
mod collection;
mod error;
mod fields;
mod filter;
mod gathering;
mod options;
mod points;
mod query;
mod read;
mod tuning;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use sensorium_domain::index::{IndexStats, IndexedSpace, Leg, Point, Scope, ScoredPoint};
use sensorium_domain::{DocumentId, IndexError, SegmentId, SpaceName, TenantId, VectorIndex};
use serde_json::Value;

pub use options::{QdrantOptions, Quantization};

use client::Client;
use gathering::Gathering;

use crate::filter::{of_document, of_scope, of_segments};
use crate::legs::{Plan, by_leg};
use crate::places::Places;
use crate::points::BATCH;
use crate::shape::Shape;
use crate::words::Words;

/// A vector index in a collection of a server, for any number of processes.
pub struct QdrantIndex {
    reads: Client,
    writes: Arc<Client>,
    gathering: Gathering,
    collection: String,
    shape: Shape,
    words: Arc<Words>,
    places: Places,
    options: QdrantOptions,
}

/// Where to read.
#[derive(Clone, Copy)]
struct Reader<'a> {
    client: &'a Client,
    collection: &'a str,
}

impl QdrantIndex {
    /// Opens the collection of a generation, or makes an empty one where there is none.
    ///
    /// A collection that was made for other spaces or dimensions, or with other settings that it cannot change, is
    /// [`IndexError::Mismatch`]; a server that cannot be reached is [`IndexError::Unavailable`].
    pub async fn open(options: QdrantOptions, spaces: &[IndexedSpace], generation: u32) -> Result<Self, IndexError> {
        let shape = Shape::new(spaces, &options.words)?;
        let words = Words::new(&options.words)?;
        let collection = format!("{}_g{generation}", options.name);
        let writes = Arc::new(Client::new(&options, options.write_timeout)?);
        collection::prepare(&writes, &collection, &shape, &options).await?;
        Ok(Self {
            reads: Client::new(&options, options.read_timeout)?,
            gathering: Gathering::start(writes.clone(), collection.clone()),
            writes,
            collection,
            shape,
            words: Arc::new(words),
            places: Places::new(options.remembered_segments),
            options,
        })
    }

    /// Makes the alias stand for this generation.
    pub async fn make_current(&self) -> Result<(), IndexError> {
        collection::name_by_alias(&self.writes, &self.options.name, &self.collection).await
    }

    /// Removes the collection of a generation; that there is none is no error.
    pub async fn remove(options: QdrantOptions, generation: u32) -> Result<(), IndexError> {
        let client = Client::new(&options, options.write_timeout)?;
        let name = format!("{}_g{generation}", options.name);
        client.answer(client.ask().delete_collection(name)).await.map(drop)
    }

    fn reader(&self) -> Reader<'_> {
        Reader { client: &self.reads, collection: &self.collection }
    }
}

#[async_trait]
impl VectorIndex for QdrantIndex {
    async fn upsert(&self, tenant: &TenantId, points: Vec<Point>) -> Result<(), IndexError> {
        points.iter().try_for_each(|point| self.shape.check_point(point))?;
        self.places.remember(points.iter().map(|point| {
            let place = (point.payload.document, point.payload.modality);
            (point.id, place)
        }));
        write::upsert(&self.gathering, &self.words, tenant, points).await
    }

    async fn flush(&self) -> Result<(), IndexError> {
        Ok(())
    }

    async fn delete_segments(&self, tenant: &TenantId, segments: &[SegmentId]) -> Result<(), IndexError> {
        for some in segments.chunks(BATCH) {
            write::delete(&self.writes, &self.collection, &of_segments(tenant, some)).await?;
        }
        Ok(())
    }

    async fn delete_document(&self, tenant: &TenantId, document: DocumentId) -> Result<(), IndexError> {
        write::delete(&self.writes, &self.collection, &of_document(tenant, document)).await
    }

    async fn query_batch(
        &self,
        tenant: &TenantId,
        scope: &Scope,
        legs: &[Leg],
    ) -> Result<Vec<Vec<ScoredPoint>>, IndexError> {
        let plans = legs
            .iter()
            .map(|leg| Plan::of_leg(tenant, scope, leg, &self.shape, &self.words))
            .collect::<Result<Vec<_>, _>>()?;
        let counts: Vec<usize> = plans.iter().map(Vec::len).collect();
        let plans = plans.into_iter().flatten().collect();
        let answers = query::run(self.reader(), plans, &self.options, &self.places).await?;
        Ok(by_leg(legs, counts, answers))
    }

    async fn vectors(
        &self,
        tenant: &TenantId,
        space: &SpaceName,
        segments: &[SegmentId],
    ) -> Result<Vec<(SegmentId, Vec<f32>)>, IndexError> {
        let names = self.shape.stored_names(space)?;
        read::vectors(self.reader(), tenant, &names, segments).await
    }

    async fn count(&self, tenant: &TenantId, scope: &Scope) -> Result<u64, IndexError> {
        read::count(self.reader(), Some(filter::of(&of_scope(tenant, scope, None)?))).await
    }

    async fn facet(
        &self,
        tenant: &TenantId,
        scope: &Scope,
        key: &str,
        limit: usize,
    ) -> Result<Vec<(Value, u64)>, IndexError> {
        read::facet(self.reader(), filter::of(&of_scope(tenant, scope, None)?), key, limit).await
    }

    async fn scroll(&self, after: Option<SegmentId>, limit: usize) -> Result<Vec<(TenantId, SegmentId)>, IndexError> {
        read::scroll(self.reader(), after, limit).await
    }

    /// The server does it by itself.
    async fn optimize(&self) -> Result<bool, IndexError> {
        Ok(false)
    }

    async fn stats(&self) -> Result<IndexStats, IndexError> {
        read::stats(self.reader()).await
    }
}
