//! What is read when somebody asks: queues, caches, jobs that wait, points of the index.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use sensorium_inference::metrics::{BATCH_SIZES, Metrics};

use crate::error::ApiError;
use crate::search::Crowd;
use crate::startup::App;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Queue {
    queue: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Tower {
    space: String,
    modality: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Batch {
    space: String,
    modality: &'static str,
    /// The most inputs of the batches that are counted here; `more` for the largest.
    size: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct State {
    state: &'static str,
}

/// Reads everything now.
pub(super) async fn read(app: &App) -> Result<Registry, ApiError> {
    let mut registry = Registry::with_prefix("sensorium");
    encoder(&mut registry, &app.profile.encoder_metrics());
    searches(&mut registry, app.searches.crowd());
    let jobs = Family::<State, Gauge>::default();
    for (state, count) in app.catalog.open_jobs().await? {
        jobs.get_or_create(&State { state: state.as_str() }).set(count.cast_signed());
    }
    registry.register("jobs_open", "Jobs of all tenants that have not ended", jobs);
    let index = app.index.stats().await?;
    registry.register("index_points", "Points of all tenants", ConstGauge::new(index.points.cast_signed()));
    let covered = ConstGauge::new(index.indexed.cast_signed());
    registry.register("index_vectors_indexed", "Vectors that a graph covers", covered);
    Ok(registry)
}

fn searches(registry: &mut Registry, crowd: Crowd) {
    let of = |number: usize| ConstGauge::new(number as i64);
    registry.register("searches_running", "Searches that are being answered", of(crowd.running));
    registry.register("searches_waiting", "Searches that wait for a place", of(crowd.waiting));
    let refused = ConstCounter::new(crowd.refused);
    registry.register("searches_refused", "Searches that were told to come back later", refused);
}

fn encoder(registry: &mut Registry, metrics: &Metrics) {
    let (depth, cost) = (Family::<Queue, Gauge>::default(), Family::<Queue, Gauge>::default());
    let refused = Family::<Queue, Gauge>::default();
    for (queue, of) in [("interactive", metrics.interactive), ("bulk", metrics.bulk)] {
        depth.get_or_create(&Queue { queue }).set(of.depth as i64);
        cost.get_or_create(&Queue { queue }).set(of.cost.cast_signed());
        refused.get_or_create(&Queue { queue }).set((of.refused + of.late).cast_signed());
    }
    registry.register("encoder_queue_depth", "Inputs that wait for a model", depth);
    registry.register("encoder_queue_cost", "Their work, in millions of floating-point operations", cost);
    registry.register("encoder_queue_refused", "Inputs that were refused or came too late, since the start", refused);

    let (encoded, failed) = (Family::<Tower, Gauge>::default(), Family::<Tower, Gauge>::default());
    let (busy, batches) = (Family::<Tower, Gauge<f64, AtomicU64>>::default(), Family::<Batch, Gauge>::default());
    for tower in &metrics.towers {
        let (space, modality) = (tower.space.to_string(), tower.modality.as_str());
        let labels = Tower { space: space.clone(), modality };
        encoded.get_or_create(&labels).set(tower.encoded.cast_signed());
        failed.get_or_create(&labels).set((tower.failed + tower.panics).cast_signed());
        busy.get_or_create(&labels).set(tower.busy.as_secs_f64());
        let sizes = BATCH_SIZES.iter().map(ToString::to_string).chain(["more".to_owned()]);
        for (size, count) in sizes.zip(tower.batches_by_size) {
            batches.get_or_create(&Batch { space: space.clone(), modality, size }).set(count.cast_signed());
        }
    }
    registry.register("encoder_encoded", "Inputs that became vectors, since the start", encoded);
    registry.register("encoder_failed", "Inputs that did not, and panics of the model, since the start", failed);
    registry.register("encoder_busy_seconds", "Time in the model, since the start", busy);
    registry.register("encoder_batches", "Batches by their size, since the start", batches);
    registry.register(
        "encoder_cache_hits",
        "Queries whose vector was remembered",
        ConstCounter::new(metrics.cache_hits),
    );
    let misses = ConstCounter::new(metrics.cache_misses);
    registry.register("encoder_cache_misses", "Queries whose vector was not", misses);
    let bytes = ConstGauge::new(metrics.cache_bytes as i64);
    registry.register("encoder_cache_bytes", "Bytes of remembered vectors", bytes);
}
