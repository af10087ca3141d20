//! What the server has done, for `/metrics`: counters and times that are kept as things happen, and gauges that are read when asked.

mod gauges;

use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::error::ApiError;
use crate::startup::App;

/// Upper bounds of the times that are counted together, in seconds.
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

type Times<L> = Family<L, Histogram, fn() -> Histogram>;

/// The measured things. Cheap to update from any thread.
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    request_seconds: Times<Route>,
    search_seconds: Times<Stage>,
    ingest_seconds: Times<Stage>,
    jobs: Family<JobOutcome, Counter>,
}

/// A request that was answered.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    route: String,
    method: Method,
    status: u16,
}

/// An address, without what stands in its placeholders.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Route {
    route: String,
    method: Method,
}

/// A method that some route takes. Whatever a client makes up is one value.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
struct Method(&'static str);

impl EncodeLabelValue for Method {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), std::fmt::Error> {
        self.0.encode(encoder)
    }
}

impl Method {
    fn of(method: &axum::http::Method) -> Self {
        let known = ["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS"];
        Self(known.into_iter().find(|name| *name == method.as_str()).unwrap_or("other"))
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Stage {
    stage: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct JobOutcome {
    kind: &'static str,
    outcome: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        fn histogram() -> Histogram {
            Histogram::new(SECONDS)
        }
        let mut metrics = Self {
            registry: Registry::with_prefix("sensorium"),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(histogram),
            search_seconds: Family::new_with_constructor(histogram),
            ingest_seconds: Family::new_with_constructor(histogram),
            jobs: Family::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("http_requests", "Requests that were answered", metrics.requests.clone());
        let help = "From a request's head to its answer's head";
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, metrics.request_seconds.clone());
        let help = "Stages of a search: encode, index, fuse, catalog";
        registry.register_with_unit("search_stage_duration", help, Unit::Seconds, metrics.search_seconds.clone());
        let help = "Stages of an ingest: decode (a part), encode (a part), index (a document)";
        registry.register_with_unit("ingest_stage_duration", help, Unit::Seconds, metrics.ingest_seconds.clone());
        registry.register("jobs", "Jobs of this process by how they ended", metrics.jobs.clone());
        metrics
    }
}

impl Metrics {
    /// An answer. `route` is the address as the router knows it.
    pub fn answered(&self, route: &str, method: &axum::http::Method, status: u16, took: Duration) {
        let (route, method) = (route.to_owned(), Method::of(method));
        self.requests.get_or_create(&Request { route: route.clone(), method: method.clone(), status }).inc();
        self.request_seconds.get_or_create(&Route { route, method }).observe(took.as_secs_f64());
    }

    /// A stage of a search.
    pub fn searched(&self, stage: &'static str, ms: f64) {
        self.search_seconds.get_or_create(&Stage { stage }).observe(ms / 1000.0);
    }

    /// A stage of an ingest.
    pub fn ingested(&self, stage: &'static str, took: Duration) {
        self.ingest_seconds.get_or_create(&Stage { stage }).observe(took.as_secs_f64());
    }

    /// The end of an attempt at a job.
    pub fn job_ended(&self, kind: &'static str, outcome: &'static str) {
        self.jobs.get_or_create(&JobOutcome { kind, outcome }).inc();
    }
}

/// Everything in the text format of Prometheus (OpenMetrics 1.0).
pub async fn text(app: &App) -> Result<String, ApiError> {
    let mut text = String::new();
    encode(&mut text, &gauges::read(app).await?).map_err(ApiError::internal)?;
    // Each registry ends its text with the mark of the end; only the last one may.
    let gauges = text.trim_end_matches("# EOF\n").len();
    text.truncate(gauges);
    encode(&mut text, &app.metrics.registry).map_err(ApiError::internal)?;
    Ok(text)
}
