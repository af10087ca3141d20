//! One struct per concern. What each option means stands in `config/sensorium.toml`.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;

use sensorium_sources::ProfileFile;
use serde::Deserialize;

pub use sensorium_index::Quantization;
pub use sensorium_media::Limits;

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Config {
    pub server: Server,
    pub auth: Auth,
    pub storage: Storage,
    pub blobs: Blobs,
    pub catalog: Catalog,
    pub profile: Profile,
    pub encoder: Encoder,
    pub transcriber: Transcriber,
    pub index: Index,
    pub ingest: Ingest,
    pub jobs: Jobs,
    pub search: Search,
    pub log: Log,
}

/// The HTTP server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Server {
    pub listen: SocketAddr,
    pub max_body_bytes: usize,
    pub max_body_memory_bytes: usize,
    pub role: Role,
    pub request_timeout_ms: u64,
    pub max_wait_s: u64,
    pub shutdown_deadline_ms: u64,
    pub cors_origins: Vec<String>,
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Answers requests and works on jobs.
    All,
    /// Answers requests.
    Api,
    /// Works on jobs.
    Worker,
}

/// Who may call.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Auth {
    pub hs256_secret: String,
    pub issuer: String,
    pub audience: String,
    pub tenant_claim: String,
    pub leeway_s: u64,
    pub first_tenant: sensorium_domain::TenantId,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").field("tenant_claim", &self.tenant_claim).finish_non_exhaustive()
    }
}

/// Where things are kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Storage {
    pub data_dir: PathBuf,
}

/// Where the bytes of parts are kept.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Blobs {
    pub url: String,
    pub endpoint: String,
    pub region: String,
    pub access_key_id: String,
    pub secret_access_key: String,
    pub virtual_hosted: bool,
    pub connect_timeout_ms: u64,
    pub request_timeout_ms: u64,
    pub retries: usize,
}

impl std::fmt::Debug for Blobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blobs").field("url", &self.url).field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// Where documents and jobs are kept.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Catalog {
    pub url: String,
    pub connections: u32,
    pub patience_ms: u64,
    pub statement_timeout_ms: u64,
}

// The URL may hold a password.
impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalog").field("connections", &self.connections).finish_non_exhaustive()
    }
}

/// Which models.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Profile {
    pub name: String,
    pub starter_dir: PathBuf,
    pub text_model_dir: PathBuf,
}

/// The queues before the models.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Encoder {
    pub threads: usize,
    pub interactive_queue_cost: u64,
    pub bulk_queue_cost: u64,
    pub batch_cost: u64,
    pub batch_cost_beside_searches: u64,
    pub interactive_deadline_ms: u64,
    pub cache_bytes: usize,
}

/// The vector index.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Index {
    pub url: String,
    pub api_key: String,
    pub name: String,
    pub connect_timeout_ms: u64,
    pub read_timeout_ms: u64,
    pub write_timeout_ms: u64,
    pub replication_factor: NonZeroU32,
    pub shard_number: u32,
    pub write_consistency_factor: NonZeroU32,
    pub quantization: Quantization,
    pub vectors_on_disk: bool,
    pub payload_on_disk: bool,
    pub graph_above_kb: usize,
    pub hnsw_m: usize,
    pub hnsw_ef_construct: usize,
    pub hnsw_ef: usize,
    pub optimize_interval_ms: u64,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").field("url", &self.url).field("name", &self.name).finish_non_exhaustive()
    }
}

/// The model that writes down speech.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Transcriber {
    pub queue: usize,
}

/// How documents are cut.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Ingest {
    pub max_parts: usize,
    pub max_metadata_bytes: usize,
    pub max_tags: usize,
    pub max_tag_chars: usize,
    pub max_title_chars: usize,
    pub check_bytes: usize,
    pub chunk_tokens: usize,
    pub chunk_overlap_tokens: usize,
    pub window_ms: u64,
    pub window_hop_ms: u64,
    pub tile_above_px: u32,
    pub tile_px: u32,
    pub max_tiles: u32,
    pub encode_concurrency: usize,
    /// The bounds on untrusted media; in the file they stand beside the others.
    pub limits: Limits,
}

/// How jobs are worked on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Jobs {
    pub workers: usize,
    pub lease_ms: i64,
    pub max_attempts: u32,
    pub retry_first_ms: i64,
    pub retry_cap_ms: i64,
    pub claim_ms: i64,
    pub sweep_interval_ms: u64,
    pub idempotency_hours: i64,
    pub keep_days: i64,
}

/// What a search may ask.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Search {
    pub depth: usize,
    pub max_depth: usize,
    pub max_inputs: usize,
    pub max_input_chars: usize,
    pub max_page_size: usize,
    pub max_labels: usize,
    pub lexical_weight: f32,
    pub concurrency: usize,
    pub ranking_cache_bytes: usize,
    pub ranking_keep_ms: i64,
}

/// What is logged and how.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Log {
    pub filter: String,
    pub format: String,
}

impl Config {
    /// The address that clients on this machine use.
    pub fn local_url(&self, bound: SocketAddr) -> String {
        let host = match bound.ip() {
            ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        format!("http://{host}:{}", bound.port())
    }

    /// Faults that types do not catch, each with the option's name.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut require = |holds: bool, text: &str| {
            if !holds {
                faults.push(text.to_owned());
            }
        };
        let secret = self.auth.hs256_secret.len();
        require(secret == 0 || secret >= 32, "auth.hs256_secret: must have at least 32 bytes");
        require(
            self.server.listen.ip().is_loopback() || secret > 0,
            "server.listen: refuses to listen beyond loopback without auth.hs256_secret; set a secret or listen on 127.0.0.1",
        );
        let bucket = self.blobs.url.is_empty() || crate::blobs::place(&self.blobs.url).is_some();
        require(bucket, "blobs.url: must be empty, or s3://BUCKET, or s3://BUCKET/PREFIX");
        let both = self.blobs.access_key_id.is_empty() == self.blobs.secret_access_key.is_empty();
        require(both, "blobs: access_key_id and secret_access_key go together");
        require(
            self.blobs.connect_timeout_ms > 0 && self.blobs.request_timeout_ms > 0,
            "blobs: timeouts must be above 0",
        );
        let apart = !self.catalog.url.is_empty() && !self.index.url.is_empty() && !self.blobs.url.is_empty();
        require(
            self.server.role == Role::All || apart,
            "server.role: api and worker need catalog.url, index.url and blobs.url, which they share",
        );
        require(!self.auth.tenant_claim.is_empty(), "auth.tenant_claim: must not be empty");
        let url = self.catalog.url.as_str();
        require(
            url.is_empty() || url.starts_with("postgres://") || url.starts_with("postgresql://"),
            "catalog.url: must begin with postgres:// (other databases are not in this version), or be empty for SQLite",
        );
        require((2..=1000).contains(&self.catalog.connections), "catalog.connections: must be from 2 to 1000");
        require(self.catalog.patience_ms >= 100, "catalog.patience_ms: must be at least 100");
        require(self.catalog.statement_timeout_ms >= 1000, "catalog.statement_timeout_ms: must be at least 1000");
        require(
            self.profile.name == "auto" || ProfileFile::is_name(&self.profile.name),
            "profile.name: must be auto, starter, standard, clip, or the path of a profile file ending in .toml",
        );
        require(self.server.max_body_bytes > 0, "server.max_body_bytes: must be above 0");
        require(
            self.server.max_body_memory_bytes >= self.server.max_body_bytes,
            "server.max_body_memory_bytes: must be at least server.max_body_bytes",
        );
        require(self.server.request_timeout_ms >= 100, "server.request_timeout_ms: must be at least 100");
        require(self.ingest.max_parts > 0, "ingest.max_parts: must be above 0");
        require(self.ingest.chunk_tokens >= 16, "ingest.chunk_tokens: must be at least 16");
        require(
            self.ingest.chunk_overlap_tokens * 2 <= self.ingest.chunk_tokens,
            "ingest.chunk_overlap_tokens: must be at most half of ingest.chunk_tokens",
        );
        require(self.transcriber.queue <= 10_000, "transcriber.queue: must be at most 10000");
        require(
            self.ingest.window_ms == 0 || self.ingest.window_ms >= 250,
            "ingest.window_ms: must be 0 (as the profile's models take it) or at least 250",
        );
        require(
            self.ingest.window_ms == 0 || self.ingest.window_hop_ms <= self.ingest.window_ms,
            "ingest.window_hop_ms: must be 0 (half a window) or at most ingest.window_ms",
        );
        require(self.ingest.tile_px >= 64, "ingest.tile_px: must be at least 64");
        require(self.ingest.limits.max_segments > 0, "ingest.max_segments: must be above 0");
        require(
            (1..=4096).contains(&self.ingest.encode_concurrency),
            "ingest.encode_concurrency: must be from 1 to 4096",
        );
        require((1..=256).contains(&self.jobs.workers), "jobs.workers: must be from 1 to 256");
        require(self.jobs.lease_ms >= 1000, "jobs.lease_ms: must be at least 1000");
        require(self.jobs.max_attempts > 0, "jobs.max_attempts: must be above 0");
        require(
            self.jobs.retry_first_ms > 0 && self.jobs.retry_first_ms <= self.jobs.retry_cap_ms,
            "jobs.retry_first_ms: must be from 1 to jobs.retry_cap_ms",
        );
        require((0..=36_500).contains(&self.jobs.keep_days), "jobs.keep_days: must be from 0 to 36500");
        require(self.jobs.claim_ms >= 1000, "jobs.claim_ms: must be at least 1000");
        require(self.jobs.sweep_interval_ms >= 100, "jobs.sweep_interval_ms: must be at least 100");
        require(self.jobs.idempotency_hours > 0, "jobs.idempotency_hours: must be above 0");
        require(
            self.search.depth > 0 && self.search.depth <= self.search.max_depth,
            "search.depth: must be from 1 to search.max_depth",
        );
        require(self.search.max_depth <= 100_000, "search.max_depth: must be at most 100000");
        require(
            self.search.max_inputs > 0 && self.search.max_page_size > 0 && self.search.max_labels > 0,
            "search: max_inputs, max_page_size and max_labels must be above 0",
        );
        require(
            self.search.lexical_weight.is_finite() && self.search.lexical_weight >= 0.0,
            "search.lexical_weight: must be 0 or more",
        );
        require(self.search.ranking_keep_ms >= 0, "search.ranking_keep_ms: must be 0 or more");
        require(
            self.encoder.interactive_queue_cost > 0 && self.encoder.bulk_queue_cost > 0 && self.encoder.batch_cost > 0,
            "encoder: interactive_queue_cost, bulk_queue_cost and batch_cost must be above 0",
        );
        let is_address = self.index.url.starts_with("http://") || self.index.url.starts_with("https://");
        require(
            self.index.url.is_empty() || is_address,
            "index.url: must be empty or an address like http://qdrant:6334 (Qdrant's gRPC port)",
        );
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        require(
            (1..=200).contains(&self.index.name.len()) && self.index.name.chars().all(is_plain),
            "index.name: must have 1 to 200 letters, digits, _ or -",
        );
        require(
            self.index.connect_timeout_ms > 0 && self.index.read_timeout_ms > 0 && self.index.write_timeout_ms > 0,
            "index: connect_timeout_ms, read_timeout_ms and write_timeout_ms must be above 0",
        );
        require(
            self.index.write_consistency_factor <= self.index.replication_factor,
            "index.write_consistency_factor: must be at most index.replication_factor",
        );
        require((4..=256).contains(&self.index.hnsw_m), "index.hnsw_m: must be from 4 to 256");
        require(matches!(self.log.format.as_str(), "text" | "json"), "log.format: must be text or json");
        faults
    }
}
