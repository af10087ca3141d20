//! Qdrant Edge: the index inside the process, in one folder.
//!
//! The library is synchronous, so every call runs on a thread for blocking work. Searches run beside each other (bounded by
//! [`EdgeOptions::search_threads`]) and beside writing; writes and flushes take turns; so do runs of `optimize`. A call that is
//! dropped by its caller still runs to its end.
//!
//! The library does not replay its log when it is opened: after a crash, what was written after the last flush is gone.

mod deletions;
mod disk;
mod error;
mod filter;
mod log;
mod options;
mod query;
mod read;
mod recovery;
mod shape;
mod shard;
mod turns;
mod write;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use futures::future::try_join_all;
use sensorium_domain::index::{IndexStats, IndexedSpace, Leg, Point, Scope, ScoredPoint};
use sensorium_domain::{DocumentId, IndexError, SegmentId, SpaceName, TenantId, VectorIndex};
use serde_json::Value;
use tokio::sync::{Mutex, Semaphore};

pub use options::{EdgeOptions, OptimizerOptions};

use query::Search;
use shard::Shard;
use turns::Turns;

use crate::filter::of_scope;
use crate::legs::{Plan, by_leg};
use crate::places::Places;
use crate::shape::Shape;
use crate::threads::blocking;
use crate::words::Words;

/// A vector index in a folder, for one process.
#[derive(Clone)]
pub struct EdgeIndex {
    shard: Arc<Shard>,
    places: Arc<Places>,
    words: Arc<Words>,
    shape: Arc<Shape>,
    options: Arc<EdgeOptions>,
    searches: Arc<Semaphore>,
    /// Held while the library writes or flushes: it cannot do both at once.
    writing: Arc<Mutex<()>>,
    optimizing: Arc<Mutex<()>>,
    flushes: Turns,
    /// What one search took lately, in microseconds.
    pace: Arc<AtomicU64>,
}

impl EdgeIndex {
    /// Opens the index in `dir`, or builds an empty one where there is none. Blocks.
    ///
    /// A folder that was built for other spaces or dimensions is [`IndexError::Mismatch`]; one that another version wrote, in a form
    /// that this one does not read, is [`IndexError::Outdated`]; one that another process has open is
    /// [`IndexError::Unavailable`]; one that cannot be read is [`IndexError::Corrupt`], and is left as it is.
    pub fn open(dir: &Path, spaces: &[IndexedSpace], options: EdgeOptions) -> Result<Self, IndexError> {
        let shape = Shape::new(spaces, &options.words)?;
        let words = Words::new(&options.words)?;
        let is_known = shape::check(&shape, dir)?;
        let shard = Shard::open(dir, shape::config(&shape, &options))?;
        if !is_known {
            shape::save(&shape, dir)?;
        }
        Ok(Self {
            shard: Arc::new(shard),
            places: Arc::new(Places::new(options.remembered_segments)),
            pace: Arc::default(),
            words: Arc::new(words),
            shape: Arc::new(shape),
            searches: Arc::new(Semaphore::new(options.search_threads())),
            options: Arc::new(options),
            writing: Arc::default(),
            optimizing: Arc::default(),
            flushes: Turns::default(),
        })
    }

    /// Runs `work` on a blocking thread when one of the places for searches is free.
    async fn search<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexError> {
        let permit = self
            .searches
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| IndexError::Unavailable("the index is closing".to_owned()))?;
        let this = self.clone();
        blocking(move || {
            let _permit = permit;
            work(&this)
        })
        .await
    }

    /// Runs `work` on a blocking thread while nothing else is written.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexError> {
        let turn = self.writing.clone().lock_owned().await;
        let this = self.clone();
        blocking(move || {
            let _turn = turn;
            work(&this)
        })
        .await
    }

    /// How many of `searches` one thread takes: all, where handing them out would cost more than it saves or no thread is free.
    fn searches_at_a_time(&self, searches: usize) -> usize {
        /// Waking another thread costs a good part of this.
        const WORTHWHILE_US: u64 = 500;
        let expected_us = self.pace.load(Ordering::Relaxed) * searches as u64;
        let threads =
            if expected_us < WORTHWHILE_US { 1 } else { self.searches.available_permits().clamp(1, searches.max(1)) };
        searches.div_ceil(threads).max(1)
    }

    /// Runs searches one after the other. Blocks.
    fn run(&self, searches: Vec<Search>) -> Result<Vec<Vec<ScoredPoint>>, IndexError> {
        let begun = Instant::now();
        let count = searches.len().max(1) as u64;
        let lists = searches.into_iter().map(|search| search.run(&self.shard, &self.places)).collect();
        let search_us = begun.elapsed().as_micros() as u64 / count;
        let pace = self.pace.load(Ordering::Relaxed);
        self.pace.store((pace * 7 + search_us) / 8, Ordering::Relaxed);
        lists
    }

    fn plan(&self, tenant: &TenantId, scope: &Scope, leg: &Leg) -> Result<Vec<Search>, IndexError> {
        let plans = Plan::of_leg(tenant, scope, leg, &self.shape, &self.words)?;
        plans.into_iter().map(|plan| Search::new(plan, &self.options.hnsw)).collect()
    }
}

#[async_trait]
impl VectorIndex for EdgeIndex {
    async fn upsert(&self, tenant: &TenantId, points: Vec<Point>) -> Result<(), IndexError> {
        points.iter().try_for_each(|point| self.shape.check_point(point))?;
        if points.is_empty() {
            return Ok(());
        }
        let tenant = tenant.clone();
        self.write(move |index| {
            let places = points.iter().map(|point| {
                let place = (point.payload.document, point.payload.modality);
                (point.id, place)
            });
            index.places.remember(places);
            write::upsert(&index.shard, &index.words, &tenant, points)
        })
        .await
    }

    async fn flush(&self) -> Result<(), IndexError> {
        let Some(turn) = self.flushes.take().await else {
            return Ok(());
        };
        self.write(move |index| {
            index.shard.flush()?;
            turn.succeeded();
            Ok(())
        })
        .await
    }

    async fn delete_segments(&self, tenant: &TenantId, segments: &[SegmentId]) -> Result<(), IndexError> {
        if segments.is_empty() {
            return Ok(());
        }
        let (tenant, segments) = (tenant.clone(), segments.to_vec());
        self.write(move |index| write::delete_segments(&index.shard, &tenant, &segments)).await
    }

    async fn delete_document(&self, tenant: &TenantId, document: DocumentId) -> Result<(), IndexError> {
        let tenant = tenant.clone();
        self.write(move |index| write::delete_document(&index.shard, &tenant, document)).await
    }

    async fn query_batch(
        &self,
        tenant: &TenantId,
        scope: &Scope,
        legs: &[Leg],
    ) -> Result<Vec<Vec<ScoredPoint>>, IndexError> {
        let searches = legs.iter().map(|leg| self.plan(tenant, scope, leg)).collect::<Result<Vec<_>, _>>()?;
        let counts: Vec<usize> = searches.iter().map(Vec::len).collect();
        let group = self.searches_at_a_time(counts.iter().sum());
        let mut groups: Vec<Vec<Search>> = Vec::new();
        let mut searches = searches.into_iter().flatten().peekable();
        while searches.peek().is_some() {
            groups.push(searches.by_ref().take(group).collect());
        }
        let lists = groups.into_iter().map(|some| self.search(move |index| index.run(some)));
        let answers = try_join_all(lists).await?.concat();
        Ok(by_leg(legs, counts, answers))
    }

    async fn vectors(
        &self,
        tenant: &TenantId,
        space: &SpaceName,
        segments: &[SegmentId],
    ) -> Result<Vec<(SegmentId, Vec<f32>)>, IndexError> {
        let names = self.shape.stored_names(space)?;
        let (tenant, segments) = (tenant.clone(), segments.to_vec());
        self.search(move |index| read::vectors(&index.shard, &tenant, names, &segments)).await
    }

    async fn count(&self, tenant: &TenantId, scope: &Scope) -> Result<u64, IndexError> {
        let filter = filter::of(&of_scope(tenant, scope, None)?)?;
        self.search(move |index| read::count(&index.shard, filter)).await
    }

    async fn facet(
        &self,
        tenant: &TenantId,
        scope: &Scope,
        key: &str,
        limit: usize,
    ) -> Result<Vec<(Value, u64)>, IndexError> {
        let filter = filter::of(&of_scope(tenant, scope, None)?)?;
        let key = key.to_owned();
        self.search(move |index| read::facet(&index.shard, filter, &key, limit)).await
    }

    async fn scroll(&self, after: Option<SegmentId>, limit: usize) -> Result<Vec<(TenantId, SegmentId)>, IndexError> {
        self.search(move |index| read::scroll(&index.shard, after, limit)).await
    }

    async fn optimize(&self) -> Result<bool, IndexError> {
        let turn = self.optimizing.clone().lock_owned().await;
        self.write(|index| {
            index.shard.flush()?;
            index.shard.deletions().watch();
            Ok(())
        })
        .await?;
        let this = self.clone();
        let (turn, changed) = blocking(move || Ok((turn, this.shard.optimize()?))).await?;
        let limit = self.options.optimizer.log_limit_mb << 20;
        self.write(move |index| {
            let _turn = turn;
            index.shard.flush()?;
            index.shard.forget_deletions()?;
            index.shard.cut_log(limit)
        })
        .await?;
        Ok(changed)
    }

    async fn stats(&self) -> Result<IndexStats, IndexError> {
        self.search(|index| read::stats(&index.shard)).await
    }
}
