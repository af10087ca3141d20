//! One struct per concern. What each option means stands in `config/sensorium.toml`.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

pub use sensorium_index::Quantization;
pub use sensorium_media::Limits;
use sensorium_models::device::DeviceChoice;

use crate::auth::Source;

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Config {
    pub server: Server,
    pub auth: Auth,
    pub tenants: Tenants,
    pub storage: Storage,
    pub blobs: Blobs,
    pub catalog: Catalog,
    pub profile: Profile,
    pub encoder: Encoder,
    pub transcriber: Transcriber,
    pub captioner: Captioner,
    pub index: Index,
    pub ingest: Ingest,
    pub jobs: Jobs,
    pub search: Search,
    pub reindex: Reindex,
    pub log: Log,
    pub traces: Traces,
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
    pub scope_claim: String,
    pub leeway_s: u64,
    pub jwks_url: String,
    pub oidc_discovery: bool,
    pub jwks_fresh_ms: u64,
    pub jwks_stale_ms: u64,
    pub jwks_retry_ms: u64,
    pub jwks_timeout_ms: u64,
    pub jwks_max_bytes: usize,
    pub key_fresh_ms: i64,
    pub first_key: bool,
    pub first_tenant: sensorium_domain::TenantId,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").field("tenant_claim", &self.tenant_claim).finish_non_exhaustive()
    }
}

impl Auth {
    /// Where the keys of the tokens' issuer are, if there is one.
    pub fn key_source(&self) -> Option<Source> {
        if !self.jwks_url.is_empty() {
            return Some(Source::Keys(self.jwks_url.clone()));
        }
        self.oidc_discovery.then(|| Source::Issuer(self.issuer.clone()))
    }
}

/// What one tenant may use; 0 sets no bound.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Tenants {
    pub requests_per_minute: u32,
    pub request_burst: u32,
    pub max_documents: u64,
    pub max_blob_bytes: u64,
    pub own: Vec<OwnBounds>,
}

/// The bounds of a tenant of its own; what is left out is as for the others.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct OwnBounds {
    pub name: sensorium_domain::TenantId,
    pub requests_per_minute: Option<u32>,
    pub request_burst: Option<u32>,
    pub max_documents: Option<u64>,
    pub max_blob_bytes: Option<u64>,
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
    pub inline_bytes: usize,
    pub fresh_bytes: usize,
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
    pub memory_bytes: u64,
}

/// How searches and ingest share the device of the models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LanesChoice {
    /// Apart on a CPU, shared on a GPU.
    Auto,
    /// One batch at a time, searches first.
    Shared,
    /// Beside each other, ingest at a lower priority of the system.
    Apart,
}

/// The queues before the models.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Encoder {
    pub device: DeviceChoice,
    pub threads: usize,
    pub lanes: LanesChoice,
    pub interactive_queue_cost: u64,
    pub bulk_queue_cost: u64,
    pub interactive_batch_cost: u64,
    pub bulk_batch_cost: u64,
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

/// The model that describes pictures.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Captioner {
    pub queue: usize,
    pub beams: usize,
    pub max_tokens: usize,
}

/// How documents are cut.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Ingest {
    pub max_parts: usize,
    pub max_batch: usize,
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
    pub media_workers: usize,
    pub lease_ms: i64,
    pub max_attempts: u32,
    pub retry_first_ms: i64,
    pub retry_cap_ms: i64,
    pub claim_ms: i64,
    pub sweep_interval_ms: u64,
    pub idempotency_hours: i64,
    pub keep_days: i64,
}

impl Jobs {
    /// How often whoever holds something for `lease_ms` says that it lives.
    pub fn heartbeat(&self) -> Duration {
        Duration::from_millis((self.lease_ms / 3).unsigned_abs().max(100))
    }
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
    pub max_running: usize,
    pub max_waiting: usize,
    pub concurrency: usize,
    pub ranking_cache_bytes: usize,
    pub ranking_keep_ms: i64,
}

/// Where spans are sent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Traces {
    pub otlp_endpoint: String,
    pub service_name: String,
    pub sample_ratio: f64,
    pub timeout_ms: u64,
}

/// How generations are compared.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Reindex {
    pub keep_queries: u32,
    pub note_interval_ms: u64,
    pub compare_depth: usize,
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
}
