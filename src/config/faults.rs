//! Faults of a configuration that types do not catch, each with the option's name.

use sensorium_sources::ProfileFile;

use super::sections::{Config, LanesChoice, Role};

#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn require(&mut self, holds: bool, text: &str) {
        if !holds {
            self.0.push(text.to_owned());
        }
    }
}

impl Config {
    /// Every fault, a line each.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Faults::default();
        for check in [server, auth, traces, blobs, catalog, index, models, ingest, jobs, search] {
            check(self, &mut faults);
        }
        faults.0
    }
}

/// Addresses, bodies, roles, the log.
fn server(config: &Config, faults: &mut Faults) {
    let secret = config.auth.hs256_secret.len();
    faults.require(secret == 0 || secret >= 32, "auth.hs256_secret: must have at least 32 bytes");
    faults.require(
        config.server.listen.ip().is_loopback() || secret > 0 || config.auth.key_source().is_some(),
        "server.listen: refuses to listen beyond loopback without auth.hs256_secret, auth.jwks_url or auth.oidc_discovery; set one or listen on 127.0.0.1",
    );
    let apart = !config.catalog.url.is_empty() && !config.index.url.is_empty() && !config.blobs.url.is_empty();
    faults.require(
        config.server.role == Role::All || apart,
        "server.role: api and worker need catalog.url, index.url and blobs.url, which they share",
    );
    faults.require(config.server.max_body_bytes > 0, "server.max_body_bytes: must be above 0");
    faults.require(
        config.server.max_body_memory_bytes >= config.server.max_body_bytes,
        "server.max_body_memory_bytes: must be at least server.max_body_bytes",
    );
    faults.require(config.server.request_timeout_ms >= 100, "server.request_timeout_ms: must be at least 100");
    faults.require(matches!(config.log.format.as_str(), "text" | "json"), "log.format: must be text or json");
}

/// Tokens and what their tenants may use.
fn auth(config: &Config, faults: &mut Faults) {
    let auth = &config.auth;
    let is_address = |text: &str| text.starts_with("https://") || text.starts_with("http://");
    faults.require(!auth.tenant_claim.is_empty(), "auth.tenant_claim: must not be empty");
    faults.require(!auth.scope_claim.is_empty(), "auth.scope_claim: must not be empty");
    faults.require((0..=60_000).contains(&auth.key_fresh_ms), "auth.key_fresh_ms: must be from 0 to 60000");
    faults.require(
        auth.jwks_url.is_empty() || is_address(&auth.jwks_url),
        "auth.jwks_url: must be empty or an address that begins with https:// (or http://, where nobody listens in between)",
    );
    faults.require(
        !auth.oidc_discovery || is_address(&auth.issuer),
        "auth.oidc_discovery: needs auth.issuer, an address that begins with https://",
    );
    faults.require(
        !auth.oidc_discovery || auth.jwks_url.is_empty(),
        "auth.jwks_url and auth.oidc_discovery: only one of them can say where the keys are",
    );
    faults.require(
        auth.key_source().is_none() || !auth.audience.is_empty(),
        "auth.audience: must be set where tokens come from an issuer, or tokens that it made for other services would be taken",
    );
    faults.require(
        auth.jwks_fresh_ms > 0 && auth.jwks_retry_ms > 0 && auth.jwks_timeout_ms > 0 && auth.jwks_max_bytes > 0,
        "auth: jwks_fresh_ms, jwks_retry_ms, jwks_timeout_ms and jwks_max_bytes must be above 0",
    );
    let mut names: Vec<_> = config.tenants.own.iter().map(|own| &own.name).collect();
    names.sort();
    faults.require(names.windows(2).all(|pair| pair[0] != pair[1]), "tenants.own: a tenant is named twice");
}

/// Spans.
fn traces(config: &Config, faults: &mut Faults) {
    let endpoint = config.traces.otlp_endpoint.as_str();
    faults.require(
        endpoint.is_empty() || endpoint.starts_with("http://") || endpoint.starts_with("https://"),
        "traces.otlp_endpoint: must be empty or an address like http://otel-collector:4317",
    );
    faults.require((0.0..=1.0).contains(&config.traces.sample_ratio), "traces.sample_ratio: must be from 0 to 1");
    faults.require(config.traces.timeout_ms > 0, "traces.timeout_ms: must be above 0");
}

/// Where bytes lie.
fn blobs(config: &Config, faults: &mut Faults) {
    let bucket = config.blobs.url.is_empty() || crate::blobs::bucket_and_prefix(&config.blobs.url).is_some();
    faults.require(bucket, "blobs.url: must be empty, or s3://BUCKET, or s3://BUCKET/PREFIX");
    faults.require(
        config.blobs.inline_bytes <= crate::blobs::INLINE_AT_MOST,
        &format!("blobs.inline_bytes: must be {} at most", crate::blobs::INLINE_AT_MOST),
    );
    let both = config.blobs.access_key_id.is_empty() == config.blobs.secret_access_key.is_empty();
    faults.require(both, "blobs: access_key_id and secret_access_key go together");
    faults.require(
        config.blobs.connect_timeout_ms > 0 && config.blobs.request_timeout_ms > 0,
        "blobs: timeouts must be above 0",
    );
}

/// Where documents lie.
fn catalog(config: &Config, faults: &mut Faults) {
    let url = config.catalog.url.as_str();
    faults.require(
        url.is_empty() || url.starts_with("postgres://") || url.starts_with("postgresql://"),
        "catalog.url: must begin with postgres:// (other databases are not in this version), or be empty for SQLite",
    );
    faults.require((4..=1000).contains(&config.catalog.connections), "catalog.connections: must be from 4 to 1000");
    faults.require(config.catalog.patience_ms >= 100, "catalog.patience_ms: must be at least 100");
    faults.require(config.catalog.statement_timeout_ms >= 1000, "catalog.statement_timeout_ms: must be at least 1000");
}

/// Where vectors lie.
fn index(config: &Config, faults: &mut Faults) {
    let is_address = config.index.url.starts_with("http://") || config.index.url.starts_with("https://");
    faults.require(
        config.index.url.is_empty() || is_address,
        "index.url: must be empty or an address like http://qdrant:6334 (Qdrant's gRPC port)",
    );
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    faults.require(
        (1..=200).contains(&config.index.name.len()) && config.index.name.chars().all(is_plain),
        "index.name: must have 1 to 200 letters, digits, _ or -",
    );
    faults.require(
        config.index.connect_timeout_ms > 0 && config.index.read_timeout_ms > 0 && config.index.write_timeout_ms > 0,
        "index: connect_timeout_ms, read_timeout_ms and write_timeout_ms must be above 0",
    );
    faults.require(
        config.index.write_consistency_factor <= config.index.replication_factor,
        "index.write_consistency_factor: must be at most index.replication_factor",
    );
    faults.require((4..=256).contains(&config.index.hnsw_m), "index.hnsw_m: must be from 4 to 256");
}

/// Profile, queues.
fn models(config: &Config, faults: &mut Faults) {
    faults.require(
        config.profile.name == "auto" || ProfileFile::is_name(&config.profile.name),
        "profile.name: must be auto, starter, standard, clip, or the path of a profile file ending in .toml",
    );
    faults.require(
        config.encoder.lanes != LanesChoice::Apart || config.encoder.batch_cost_beside_searches == 0,
        "encoder.batch_cost_beside_searches: must be 0 where encoder.lanes is apart; no search waits for ingest there, so it would be ignored",
    );
}

/// How documents are cut.
fn ingest(config: &Config, faults: &mut Faults) {
    faults.require(config.ingest.max_parts > 0, "ingest.max_parts: must be above 0");
    faults.require((1..=1_000).contains(&config.ingest.max_batch), "ingest.max_batch: must be from 1 to 1000");
    faults.require(config.ingest.chunk_tokens >= 16, "ingest.chunk_tokens: must be at least 16");
    faults.require(
        config.ingest.chunk_overlap_tokens * 2 <= config.ingest.chunk_tokens,
        "ingest.chunk_overlap_tokens: must be at most half of ingest.chunk_tokens",
    );
    faults.require(config.transcriber.queue <= 10_000, "transcriber.queue: must be at most 10000");
    faults.require(config.captioner.queue <= 10_000, "captioner.queue: must be at most 10000");
    faults.require((1..=16).contains(&config.captioner.beams), "captioner.beams: must be from 1 to 16");
    faults.require((1..=256).contains(&config.captioner.max_tokens), "captioner.max_tokens: must be from 1 to 256");
    faults.require(
        config.ingest.window_ms == 0 || config.ingest.window_ms >= 250,
        "ingest.window_ms: must be 0 (as the profile's models take it) or at least 250",
    );
    faults.require(
        config.ingest.window_ms == 0 || config.ingest.window_hop_ms <= config.ingest.window_ms,
        "ingest.window_hop_ms: must be 0 (half a window) or at most ingest.window_ms",
    );
    faults.require(config.ingest.tile_px >= 64, "ingest.tile_px: must be at least 64");
    faults.require(config.ingest.limits.max_segments > 0, "ingest.max_segments: must be above 0");
    faults.require(
        (1..=4096).contains(&config.ingest.encode_concurrency),
        "ingest.encode_concurrency: must be from 1 to 4096",
    );
}

/// How jobs are worked on.
fn jobs(config: &Config, faults: &mut Faults) {
    faults.require((1..=256).contains(&config.jobs.workers), "jobs.workers: must be from 1 to 256");
    faults.require((1..=256).contains(&config.jobs.media_workers), "jobs.media_workers: must be from 1 to 256");
    faults.require(config.jobs.lease_ms >= 1000, "jobs.lease_ms: must be at least 1000");
    faults.require(config.jobs.max_attempts > 0, "jobs.max_attempts: must be above 0");
    faults.require(
        config.jobs.retry_first_ms > 0 && config.jobs.retry_first_ms <= config.jobs.retry_cap_ms,
        "jobs.retry_first_ms: must be from 1 to jobs.retry_cap_ms",
    );
    faults.require((0..=36_500).contains(&config.jobs.keep_days), "jobs.keep_days: must be from 0 to 36500");
    faults.require(config.jobs.claim_ms >= 1000, "jobs.claim_ms: must be at least 1000");
    faults.require(config.jobs.sweep_interval_ms >= 100, "jobs.sweep_interval_ms: must be at least 100");
    faults.require(config.jobs.idempotency_hours > 0, "jobs.idempotency_hours: must be above 0");
}

/// How much a search may ask.
fn search(config: &Config, faults: &mut Faults) {
    faults.require(
        config.search.depth > 0 && config.search.depth <= config.search.max_depth,
        "search.depth: must be from 1 to search.max_depth",
    );
    faults.require(config.search.max_depth <= 100_000, "search.max_depth: must be at most 100000");
    faults.require(
        config.search.max_inputs > 0 && config.search.max_page_size > 0 && config.search.max_labels > 0,
        "search: max_inputs, max_page_size and max_labels must be above 0",
    );
    faults.require(
        config.search.lexical_weight.is_finite() && config.search.lexical_weight >= 0.0,
        "search.lexical_weight: must be 0 or more",
    );
    faults.require(
        config.reindex.note_interval_ms >= 100 && config.reindex.compare_depth > 0,
        "reindex: note_interval_ms must be at least 100, and compare_depth above 0",
    );
    faults.require(config.search.ranking_keep_ms >= 0, "search.ranking_keep_ms: must be 0 or more");
}
