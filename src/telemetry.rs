//! Log lines to stderr and spans to a collector.

use std::time::Duration;

use axum::http::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::{Level, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::config::{Log, Traces};

/// How long the last spans have to leave.
const FAREWELL: Duration = Duration::from_secs(2);

/// Why logs or spans cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter of the log.
    #[error("log.filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The exporter of spans.
    #[error("traces.otlp_endpoint: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
}

/// What sends spans, if anything does.
pub struct Telemetry(Option<SdkTracerProvider>);

impl Telemetry {
    /// Lets the whole process log to stderr, and send its spans where `traces` says.
    pub fn start(log: &Log, traces: &Traces) -> Result<Self, TelemetryError> {
        let filter = EnvFilter::try_new(&log.filter)?;
        let lines = if log.format == "json" {
            fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(std::io::stderr).boxed()
        } else {
            let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
            fmt::layer().with_ansi(is_terminal).with_writer(std::io::stderr).boxed()
        };
        let provider = if traces.otlp_endpoint.is_empty() { None } else { Some(provider(traces)?) };
        let spans = provider.as_ref().map(|provider| {
            // Our own spans: those of the exporter's connection would be sent by it and so never end.
            let ours = Targets::new().with_target("sensorium", Level::INFO);
            tracing_opentelemetry::layer().with_tracer(provider.tracer("sensorium")).with_filter(ours)
        });
        tracing_subscriber::registry().with(lines.with_filter(filter)).with(spans).init();
        Ok(Self(provider))
    }

    /// Sends what is left; called at the end of the process.
    pub async fn end(self) {
        let Some(provider) = self.0 else { return };
        let ended = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FAREWELL)).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

fn provider(traces: &Traces) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&traces.otlp_endpoint)
        .with_timeout(Duration::from_millis(traces.timeout_ms))
        .build()?;
    let resource = Resource::builder().with_service_name(traces.service_name.clone()).build();
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(traces.sample_ratio))))
        .with_resource(resource)
        .build())
}

/// Makes `span` part of the trace that a request's `traceparent` names (W3C Trace Context).
pub fn take_up_trace(span: &Span, headers: &HeaderMap) {
    let context = TraceContextPropagator::new().extract(&Headers(headers));
    if context.span().span_context().is_valid() {
        // Fails where no spans are sent: then there is no trace to be part of.
        let _ = span.set_parent(context);
    }
}

/// The trace that `span` is part of, where spans are sent.
pub fn trace_id(span: &Span) -> Option<String> {
    let context = span.context();
    let span = context.span().span_context().clone();
    span.is_valid().then(|| span.trace_id().to_string())
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(axum::http::HeaderName::as_str).collect()
    }
}
